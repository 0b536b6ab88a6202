/* SPDX-License-Identifier: MIT */
#include "instance.h"

#include <stdlib.h>

#include "args.h"
#include "context_private.h"
#include "device.h"
#include "execution.h"
#include "log.h"
#include "names.h"
#include "replay.h"
#include "turn.h"

static VKAPI_ATTR VkBool32 VKAPI_CALL log_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                                  VkDebugUtilsMessageTypeFlagsEXT types,
                                                  const VkDebugUtilsMessengerCallbackDataEXT *data,
                                                  void *user)
{
    (void)types;
    (void)user;
    vds_log(severity >= VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT ? VDS_LOG_ERROR
                                                                      : VDS_LOG_WARNING,
            "validation: %s", data->pMessage);
    return VK_FALSE;
}

static const VkDebugUtilsMessengerCreateInfoEXT messenger_info = {
    .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
    .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                       VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
    .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_GENERAL_BIT_EXT |
                   VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT |
                   VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
    .pfnUserCallback = log_message,
};

/* Which of the extensions that we want the loader or the driver has, or the layer, if one is named. */
static void look_for_extensions(PFN_vkGetInstanceProcAddr get, const char *layer,
                                struct vds_instance *instance)
{
    const PFN_vkEnumerateInstanceExtensionProperties enumerate =
        (PFN_vkEnumerateInstanceExtensionProperties)get(NULL,
                                                        "vkEnumerateInstanceExtensionProperties");
    uint32_t count = 0;
    if (!enumerate || enumerate(layer, &count, NULL) != VK_SUCCESS || count == 0)
        return;
    VkExtensionProperties *extensions = calloc(count, sizeof(*extensions));
    if (extensions && enumerate(layer, &count, extensions) >= 0) {
        for (uint32_t i = 0; i < count; i++) {
            const char *name = extensions[i].extensionName;
            instance->debug_utils |= strcmp(name, VK_EXT_DEBUG_UTILS_EXTENSION_NAME) == 0;
            instance->surface |= strcmp(name, VK_KHR_SURFACE_EXTENSION_NAME) == 0;
        }
    }
    free(extensions);
}

/* What the validation layer knows. Commands of later versions pass it by, with handles that only it
 * understands. */
static uint32_t layer_version(PFN_vkGetInstanceProcAddr get, const char *layer)
{
    const PFN_vkEnumerateInstanceLayerProperties enumerate =
        (PFN_vkEnumerateInstanceLayerProperties)get(NULL, "vkEnumerateInstanceLayerProperties");
    VkLayerProperties layers[64];
    uint32_t count = 64;
    if (!enumerate || enumerate(&count, layers) < 0)
        return VK_API_VERSION_1_4;
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(layers[i].layerName, layer) == 0) {
            return VK_MAKE_API_VERSION(0, VK_API_VERSION_MAJOR(layers[i].specVersion),
                                       VK_API_VERSION_MINOR(layers[i].specVersion), 0);
        }
    }
    return VK_API_VERSION_1_4;
}

/* An instance may ask for a later version than the loader knows, from 1.1 on; drivers hide commands
 * of versions that nobody asked for. */
static uint32_t choose_version(PFN_vkGetInstanceProcAddr get, const char *layer)
{
    const PFN_vkEnumerateInstanceVersion enumerate =
        (PFN_vkEnumerateInstanceVersion)get(NULL, "vkEnumerateInstanceVersion");
    uint32_t version = VK_API_VERSION_1_0;
    if (enumerate && enumerate(&version) != VK_SUCCESS)
        version = VK_API_VERSION_1_0;
    if (version < VK_API_VERSION_1_1)
        return version;
    version = layer ? layer_version(get, layer) : VK_API_VERSION_1_4;
    return version < VK_API_VERSION_1_4 ? version : VK_API_VERSION_1_4;
}

static VkResult init(struct vds_context *context, struct vds_instance *instance,
                     const VkInstanceCreateInfo *asked)
{
    const PFN_vkGetInstanceProcAddr get = context->get_instance_proc_addr;
    const PFN_vkCreateInstance create = (PFN_vkCreateInstance)get(NULL, "vkCreateInstance");
    const bool validate = context->options.validate;
    static const char *const layer = "VK_LAYER_KHRONOS_validation";
    const char *extensions[2];
    uint32_t extension_count = 0;

    look_for_extensions(get, NULL, instance);
    if (validate)
        look_for_extensions(get, layer, instance);
    if (instance->debug_utils)
        extensions[extension_count++] = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    /* What VK_KHR_swapchain wants, see vkCreateDevice. */
    if (instance->surface)
        extensions[extension_count++] = VK_KHR_SURFACE_EXTENSION_NAME;
    instance->api_version = choose_version(get, validate ? layer : NULL);
    if (context->options.api_version && instance->api_version > context->options.api_version)
        instance->api_version = context->options.api_version;
    if (!create || instance->api_version < VK_API_VERSION_1_1) {
        vds_log(VDS_LOG_ERROR, "the Vulkan loader of this machine is too old");
        return VK_ERROR_INCOMPATIBLE_DRIVER;
    }
    VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO};
    if (asked->pApplicationInfo) {
        application = *asked->pApplicationInfo;
        application.pNext = NULL;
    }
    application.apiVersion = instance->api_version;
    const VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pNext = validate && instance->debug_utils ? &messenger_info : NULL,
        .pApplicationInfo = &application,
        .enabledLayerCount = validate ? 1 : 0,
        .ppEnabledLayerNames = &layer,
        .enabledExtensionCount = extension_count,
        .ppEnabledExtensionNames = extensions,
    };
    VkResult result = create(&info, NULL, &instance->handle);
    if (result != VK_SUCCESS) {
        instance->handle = VK_NULL_HANDLE;
        vds_log(VDS_LOG_ERROR, "vkCreateInstance: %s", vd_result_name(result));
        return result;
    }
    vds_instance_dispatch_load(&instance->dispatch, instance->handle, get);
    if (validate && instance->debug_utils) {
        result = instance->dispatch.vkCreateDebugUtilsMessengerEXT(
            instance->handle, &messenger_info, NULL, &instance->messenger);
        if (result != VK_SUCCESS) {
            vds_log(VDS_LOG_ERROR, "vkCreateDebugUtilsMessengerEXT: %s", vd_result_name(result));
            return result;
        }
    }
    return vds_physical_devices_init(instance, context->options.gpu);
}

void vds_instance_destroy(struct vds_context *context, struct vds_instance *instance)
{
    if (!instance)
        return;
    if (!vds_turn_drain(context->turn, NULL)) {
        vds_log(VDS_LOG_WARNING, "an instance that is still at work is left behind");
        context->stuck = true;
    }
    while (instance->devices)
        vds_device_destroy(context, instance->devices);
    vds_object_clear(&context->objects);
    if (context->instance == instance)
        context->instance = NULL;
    if (context->stuck) {
        /* Something may still use it. Within reach, so that it does not count as lost memory. */
        static struct vds_instance *left_behind;
        instance->next_left = left_behind;
        left_behind = instance;
        return;
    }
    if (instance->messenger) {
        instance->dispatch.vkDestroyDebugUtilsMessengerEXT(instance->handle, instance->messenger,
                                                           NULL);
    }
    if (instance->handle)
        instance->dispatch.vkDestroyInstance(instance->handle, NULL);
    vds_physical_devices_finish(instance);
    free(instance);
}

struct vds_instance *vds_instance_create(struct vds_context *context,
                                         const VkInstanceCreateInfo *asked, VkResult *result)
{
    struct vds_instance *instance = calloc(1, sizeof(*instance));
    if (!instance) {
        *result = VK_ERROR_OUT_OF_HOST_MEMORY;
        return NULL;
    }
    *result = init(context, instance, asked);
    if (*result != VK_SUCCESS) {
        vds_instance_destroy(context, instance);
        return NULL;
    }
    return instance;
}

void vds_call_vkCreateInstance(struct vds_execution *x, void *body)
{
    struct vd_args_vkCreateInstance *a = body;
    VkResult result;
    struct vds_instance *instance = vds_instance_create(x->context, a->pCreateInfo, &result);
    x->result = result;
    if (instance) {
        x->context->instance = instance;
        *a->pInstance = instance->handle;
    }
}

void vds_call_vkDestroyInstance(struct vds_execution *x, void *body)
{
    (void)body;
    vds_instance_destroy(x->context, x->context->instance);
}
