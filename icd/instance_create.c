/* SPDX-License-Identifier: MIT
 *
 * Instances: what they offer, how they are made and how they end. An instance owns a connection: one
 * worker process on the other side, which ends with it.
 */
#include "instance.h"

#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "calls.h"
#include "driver_environment.h"
#include "entrypoints.h"
#include "extensions.h"
#include "log.h"
#include "opcodes.h"
#include "physical_device_fetch.h"
#include "profile.h"
#include "wsi/display.h"
#include "wsi/libraries.h"

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkEnumerateInstanceVersion(uint32_t *pApiVersion)
{
    *pApiVersion = VK_MAKE_API_VERSION(0, VK_API_VERSION_MAJOR(VD_REGISTRY_VERSION),
                                       VK_API_VERSION_MINOR(VD_REGISTRY_VERSION),
                                       VK_API_VERSION_PATCH(VD_REGISTRY_VERSION));
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL
vdc_vkEnumerateInstanceLayerProperties(uint32_t *pPropertyCount, VkLayerProperties *pProperties)
{
    (void)pProperties;
    *pPropertyCount = 0;
    return VK_SUCCESS;
}

static bool offered(enum vd_extension_index index)
{
    const struct vd_extension *extension = &vd_extensions[index];
    return !extension->device && extension->way == VD_EXTENSION_CLIENT &&
           vdc_wsi_has_libraries(index);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkEnumerateInstanceExtensionProperties(
    const char *pLayerName, uint32_t *pPropertyCount, VkExtensionProperties *pProperties)
{
    if (pLayerName)
        return VK_ERROR_LAYER_NOT_PRESENT;
    uint32_t count = 0;
    VkResult result = VK_SUCCESS;
    for (int i = 0; i < VD_EXT_COUNT; i++) {
        if (!offered(i))
            continue;
        if (pProperties && count == *pPropertyCount) {
            result = VK_INCOMPLETE;
            break;
        }
        if (pProperties) {
            pProperties[count] = (VkExtensionProperties){
                .specVersion = vd_extensions[i].spec_version,
            };
            strncpy(pProperties[count].extensionName, vd_extensions[i].name,
                    VK_MAX_EXTENSION_NAME_SIZE - 1);
        }
        count++;
    }
    *pPropertyCount = count;
    return result;
}

/* With its heirs. */
static void instance_destroy(struct vdc_instance *instance)
{
    while (instance->heir) {
        struct vdc_instance *heir = instance->heir;
        instance->heir = heir->heir;
        heir->heir = NULL;
        if (!vdc_connection_lost(heir->connection))
            vdc_call_vkDestroyInstance((VkInstance)heir, NULL);
        instance_destroy(heir);
    }
    vdc_profile_destroy(instance->profile);
    vdc_displays_destroy(instance->displays);
    vdc_physical_devices_finish(instance);
    vdc_shm_pool_destroy(instance->memory);
    vdc_peer_finish(&instance->peer);
    vdc_connection_destroy(instance->connection);
    vdc_scratch_finish(instance);
    vdc_ids_destroy(instance->ids);
    pthread_mutex_destroy(&instance->lock);
    free(instance->extensions);
    free(instance);
}

/* Without a connection, nor extensions. NULL: no memory. */
static struct vdc_instance *instance_create(void)
{
    struct vdc_instance *instance = calloc(1, sizeof(*instance));
    if (!instance)
        return NULL;
    pthread_mutex_init(&instance->lock, NULL);
    instance->extensions = calloc(VD_EXT_COUNT, sizeof(*instance->extensions));
    instance->ids = vdc_ids_create();
    instance->displays = vdc_displays_create(instance);
    instance->profile = vdc_profile_create();
    if (instance->extensions && instance->ids && instance->displays)
        return instance;
    instance_destroy(instance);
    return NULL;
}

/* Connects, and makes the instance on the other side. */
static VkResult instance_open(struct vdc_instance *instance, const VkApplicationInfo *app)
{
    VkResult result = vdc_connection_create(&instance->connection);
    if (result != VK_SUCCESS)
        return result;
    if (!vdc_peer_init(&instance->peer, vdc_link_capset(&instance->connection->link)))
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    instance->memory = vdc_shm_pool_create(instance->connection);
    if (!instance->memory)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    vdc_dispatchable_init(&instance->base, vdc_id_new(instance, VD_TYPE_VkInstance, 0), instance,
                          NULL);
    vdc_send_driver_environment(instance);
    /* The server chooses its own extensions; what the application enabled is between us two. */
    const VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pApplicationInfo = app,
    };
    VkInstance handle = (VkInstance)instance;
    result = vdc_call_vkCreateInstance(instance, &info, NULL, &handle);
    if (result == VK_SUCCESS) {
        vdc_profile_begin(instance->profile, instance->connection);
        return VK_SUCCESS;
    }
    vdc_log_reason("no-vulkan", "",
                   "the server has no Vulkan to offer: vkCreateInstance failed there with %d",
                   result);
    return VK_ERROR_INCOMPATIBLE_DRIVER;
}

/* NULL: there is no server to connect to, or no memory. */
static struct vdc_instance *make_heir(const struct vdc_instance *instance)
{
    struct vdc_instance *heir = instance_create();
    if (!heir)
        return NULL;
    memcpy(heir->extensions, instance->extensions, VD_EXT_COUNT * sizeof(*heir->extensions));
    heir->api_version = instance->api_version;
    const VkApplicationInfo app = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
        .apiVersion = instance->api_version,
    };
    if (instance_open(heir, &app) == VK_SUCCESS && vdc_physical_devices_fetch(heir) == VK_SUCCESS)
        return heir;
    instance_destroy(heir);
    return NULL;
}

VkResult vdc_instance_living(struct vdc_instance *instance, struct vdc_instance **living)
{
    *living = instance;
    if (!vdc_connection_lost(instance->connection))
        return VK_SUCCESS;
    if (vdc_link_forked(&instance->connection->link))
        return VK_ERROR_DEVICE_LOST; /* and a thread of the parent may have held the lock */
    pthread_mutex_lock(&instance->lock);
    if (!instance->heir || vdc_connection_lost(instance->heir->connection)) {
        struct vdc_instance *heir = make_heir(instance);
        if (heir) {
            heir->heir = instance->heir;
            instance->heir = heir;
        }
    }
    *living = instance->heir;
    pthread_mutex_unlock(&instance->lock);
    return *living && !vdc_connection_lost((*living)->connection) ? VK_SUCCESS
                                                                  : VK_ERROR_DEVICE_LOST;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkCreateInstance(const VkInstanceCreateInfo *pCreateInfo,
                                                    const VkAllocationCallbacks *pAllocator,
                                                    VkInstance *pInstance)
{
    (void)pAllocator;
    struct vdc_instance *instance = instance_create();
    *pInstance = VK_NULL_HANDLE;
    if (!instance)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    VkResult result;
    for (uint32_t i = 0; i < pCreateInfo->enabledExtensionCount; i++) {
        const int index = vd_extension_find(pCreateInfo->ppEnabledExtensionNames[i]);
        if (index < 0 || !offered(index)) {
            result = VK_ERROR_EXTENSION_NOT_PRESENT;
            goto fail;
        }
        instance->extensions[index] = true;
    }
    const VkApplicationInfo *app = pCreateInfo->pApplicationInfo;
    instance->api_version = app && app->apiVersion ? app->apiVersion : VK_API_VERSION_1_0;

    result = instance_open(instance, app);
    if (result == VK_SUCCESS) {
        *pInstance = (VkInstance)instance;
        return VK_SUCCESS;
    }
fail:
    instance_destroy(instance);
    return result;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkDestroyInstance(VkInstance handle,
                                                 const VkAllocationCallbacks *pAllocator)
{
    struct vdc_instance *instance = (struct vdc_instance *)handle;
    if (!instance)
        return;
    if (!vdc_connection_lost(instance->connection))
        vdc_call_vkDestroyInstance(handle, pAllocator);
    instance_destroy(instance);
}
