// A Vulkan driver that does nothing: behind the server, what is left of a command's cost is
// Viaduct's own.
//
// It has one device with one queue that finishes each submission at once. Creating returns a new
// number, recording returns. Only what the server and the benchmark ask for has an answer, and
// nothing that is shown by it can be looked at.
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vk_icd.h>
#include <vulkan/vulkan.h>

// What the loader writes to.
struct dispatchable {
    VK_LOADER_DATA loader;
};

struct semaphore {
    uint64_t value;
};

static struct dispatchable physical_device = {{ICD_LOADER_MAGIC}};
static struct dispatchable queue = {{ICD_LOADER_MAGIC}};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t signalled = PTHREAD_COND_INITIALIZER;
static atomic_uint_fast64_t last_handle = 0x1000;

static const char *const device_extensions[] = {
    VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME,
    VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME,
};

// ---- What most commands do

// Commands have many types, and this one is called as any of them: on the machines that Vulkan
// runs on, arguments that nobody reads do no harm.
static VKAPI_ATTR VkResult VKAPI_CALL nothing(void)
{
    return VK_SUCCESS;
}

// vkCreate*, and all else with a device, a description, callbacks and a handle.
static VKAPI_ATTR VkResult VKAPI_CALL create(VkDevice device, const void *info,
                                             const VkAllocationCallbacks *callbacks,
                                             uint64_t *handle)
{
    (void)device, (void)info, (void)callbacks;
    *handle = atomic_fetch_add(&last_handle, 16);
    return VK_SUCCESS;
}

// vkCreate*Pipelines
static VKAPI_ATTR VkResult VKAPI_CALL create_pipelines(VkDevice device, VkPipelineCache cache,
                                                       uint32_t count, const void *infos,
                                                       const VkAllocationCallbacks *callbacks,
                                                       uint64_t *handles)
{
    (void)cache;
    for (uint32_t i = 0; i < count; i++)
        create(device, infos, callbacks, &handles[i]);
    return VK_SUCCESS;
}

// ---- The instance and its physical device

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_version(uint32_t *version)
{
    *version = VK_API_VERSION_1_3;
    return VK_SUCCESS;
}

static VkResult list(const char *const *names, uint32_t name_count, uint32_t *count,
                     VkExtensionProperties *properties)
{
    if (!properties) {
        *count = name_count;
        return VK_SUCCESS;
    }
    const uint32_t room = *count;
    *count = room < name_count ? room : name_count;
    for (uint32_t i = 0; i < *count; i++) {
        properties[i] = (VkExtensionProperties){.specVersion = 1};
        strncpy(properties[i].extensionName, names[i], VK_MAX_EXTENSION_NAME_SIZE - 1);
    }
    return room < name_count ? VK_INCOMPLETE : VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL instance_extensions(const char *layer, uint32_t *count,
                                                          VkExtensionProperties *properties)
{
    (void)layer;
    return list(NULL, 0, count, properties);
}

static VKAPI_ATTR VkResult VKAPI_CALL extensions_of_device(VkPhysicalDevice pd, const char *layer,
                                                           uint32_t *count,
                                                           VkExtensionProperties *properties)
{
    (void)pd, (void)layer;
    return list(device_extensions, sizeof(device_extensions) / sizeof(*device_extensions), count,
                properties);
}

// An instance or a device: an object that the loader can write to.
static VkResult create_dispatchable(void **handle)
{
    struct dispatchable *object = calloc(1, sizeof(*object));
    if (!object)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    set_loader_magic_value(object);
    *handle = object;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *callbacks,
                                                      VkInstance *instance)
{
    (void)info, (void)callbacks;
    return create_dispatchable((void **)instance);
}

static VKAPI_ATTR void VKAPI_CALL destroy_instance(VkInstance instance,
                                                   const VkAllocationCallbacks *callbacks)
{
    (void)callbacks;
    free((void *)instance);
}

static VKAPI_ATTR VkResult VKAPI_CALL physical_devices(VkInstance instance, uint32_t *count,
                                                       VkPhysicalDevice *devices)
{
    (void)instance;
    if (devices && *count)
        devices[0] = (VkPhysicalDevice)&physical_device;
    *count = devices && !*count ? 0 : 1;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL properties(VkPhysicalDevice pd, VkPhysicalDeviceProperties *to)
{
    (void)pd;
    *to = (VkPhysicalDeviceProperties){
        .apiVersion = VK_API_VERSION_1_3,
        .deviceType = VK_PHYSICAL_DEVICE_TYPE_OTHER,
        .deviceName = "nothing",
        .limits =
            {
                .maxImageDimension2D = 16384,
                .maxPushConstantsSize = 256,
                .maxMemoryAllocationCount = UINT32_MAX,
                .maxBoundDescriptorSets = 8,
                .maxColorAttachments = 8,
                .maxVertexInputAttributes = 16,
                .maxVertexInputBindings = 16,
                .maxViewports = 16,
                .minMemoryMapAlignment = 64,
                .nonCoherentAtomSize = 64,
                .timestampPeriod = 1.0f,
            },
    };
}

static VKAPI_ATTR void VKAPI_CALL properties2(VkPhysicalDevice pd, VkPhysicalDeviceProperties2 *to)
{
    properties(pd, &to->properties);
    for (VkBaseOutStructure *link = to->pNext; link; link = link->pNext) {
        if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT)
            ((VkPhysicalDeviceExternalMemoryHostPropertiesEXT *)link)
                ->minImportedHostPointerAlignment = 4096;
    }
}

static VKAPI_ATTR void VKAPI_CALL features(VkPhysicalDevice pd, VkPhysicalDeviceFeatures *to)
{
    (void)pd;
    *to = (VkPhysicalDeviceFeatures){0};
}

static VKAPI_ATTR void VKAPI_CALL features2(VkPhysicalDevice pd, VkPhysicalDeviceFeatures2 *to)
{
    features(pd, &to->features);
    for (VkBaseOutStructure *link = to->pNext; link; link = link->pNext) {
        switch ((int)link->sType) {
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES:
            ((VkPhysicalDeviceVulkan12Features *)link)->timelineSemaphore = VK_TRUE;
            break;
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES:
            ((VkPhysicalDeviceVulkan13Features *)link)->dynamicRendering = VK_TRUE;
            ((VkPhysicalDeviceVulkan13Features *)link)->synchronization2 = VK_TRUE;
            break;
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES:
            ((VkPhysicalDeviceTimelineSemaphoreFeatures *)link)->timelineSemaphore = VK_TRUE;
            break;
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DYNAMIC_RENDERING_FEATURES:
            ((VkPhysicalDeviceDynamicRenderingFeatures *)link)->dynamicRendering = VK_TRUE;
            break;
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SYNCHRONIZATION_2_FEATURES:
            ((VkPhysicalDeviceSynchronization2Features *)link)->synchronization2 = VK_TRUE;
            break;
        }
    }
}

static const VkQueueFamilyProperties family = {
    .queueFlags = VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT | VK_QUEUE_TRANSFER_BIT,
    .queueCount = 1,
    .minImageTransferGranularity = {1, 1, 1},
};

static VKAPI_ATTR void VKAPI_CALL families(VkPhysicalDevice pd, uint32_t *count,
                                           VkQueueFamilyProperties *to)
{
    (void)pd;
    if (to && *count)
        to[0] = family;
    *count = to && !*count ? 0 : 1;
}

static VKAPI_ATTR void VKAPI_CALL families2(VkPhysicalDevice pd, uint32_t *count,
                                            VkQueueFamilyProperties2 *to)
{
    (void)pd;
    if (to && *count)
        to[0].queueFamilyProperties = family;
    *count = to && !*count ? 0 : 1;
}

static VKAPI_ATTR void VKAPI_CALL memory_properties(VkPhysicalDevice pd,
                                                    VkPhysicalDeviceMemoryProperties *to)
{
    (void)pd;
    *to = (VkPhysicalDeviceMemoryProperties){
        .memoryTypeCount = 1,
        .memoryTypes = {{VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                             VK_MEMORY_PROPERTY_HOST_COHERENT_BIT |
                             VK_MEMORY_PROPERTY_HOST_CACHED_BIT,
                         0}},
        .memoryHeapCount = 1,
        .memoryHeaps = {{UINT64_C(4) << 30, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT}},
    };
}

static VKAPI_ATTR void VKAPI_CALL memory_properties2(VkPhysicalDevice pd,
                                                     VkPhysicalDeviceMemoryProperties2 *to)
{
    memory_properties(pd, &to->memoryProperties);
}

static VKAPI_ATTR void VKAPI_CALL format_properties(VkPhysicalDevice pd, VkFormat format,
                                                    VkFormatProperties *to)
{
    (void)pd, (void)format;
    *to = (VkFormatProperties){0};
}

static VKAPI_ATTR void VKAPI_CALL format_properties2(VkPhysicalDevice pd, VkFormat format,
                                                     VkFormatProperties2 *to)
{
    format_properties(pd, format, &to->formatProperties);
}

// ---- The device

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice pd,
                                                    const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *callbacks,
                                                    VkDevice *device)
{
    (void)pd, (void)info, (void)callbacks;
    return create_dispatchable((void **)device);
}

static VKAPI_ATTR void VKAPI_CALL destroy_device(VkDevice device,
                                                 const VkAllocationCallbacks *callbacks)
{
    (void)callbacks;
    free((void *)device);
}

static VKAPI_ATTR void VKAPI_CALL get_queue(VkDevice device, uint32_t family_index, uint32_t index,
                                            VkQueue *to)
{
    (void)device, (void)family_index, (void)index;
    *to = (VkQueue)&queue;
}

static VKAPI_ATTR VkResult VKAPI_CALL
host_pointer_properties(VkDevice device, VkExternalMemoryHandleTypeFlagBits type,
                        const void *pointer, VkMemoryHostPointerPropertiesEXT *to)
{
    (void)device, (void)type, (void)pointer;
    to->memoryTypeBits = 1;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL requirements(VkDevice device, uint64_t object,
                                               VkMemoryRequirements *to)
{
    (void)device, (void)object;
    *to = (VkMemoryRequirements){.size = 65536, .alignment = 64, .memoryTypeBits = 1};
}

static VKAPI_ATTR void VKAPI_CALL requirements2(VkDevice device, const void *info,
                                                VkMemoryRequirements2 *to)
{
    (void)info;
    requirements(device, 0, &to->memoryRequirements);
}

static VKAPI_ATTR VkResult VKAPI_CALL allocate_command_buffers(
    VkDevice device, const VkCommandBufferAllocateInfo *info, VkCommandBuffer *buffers)
{
    (void)device;
    // Freed by nobody: pools do not know theirs, and these are few.
    for (uint32_t i = 0; i < info->commandBufferCount; i++)
        if (create_dispatchable((void **)&buffers[i]) != VK_SUCCESS)
            return VK_ERROR_OUT_OF_HOST_MEMORY;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL
allocate_descriptor_sets(VkDevice device, const VkDescriptorSetAllocateInfo *info, uint64_t *sets)
{
    for (uint32_t i = 0; i < info->descriptorSetCount; i++)
        create(device, NULL, NULL, &sets[i]);
    return VK_SUCCESS;
}

// ---- Timeline semaphores, which is how the server learns that something has finished

static VKAPI_ATTR VkResult VKAPI_CALL create_semaphore(VkDevice device,
                                                       const VkSemaphoreCreateInfo *info,
                                                       const VkAllocationCallbacks *callbacks,
                                                       VkSemaphore *handle)
{
    (void)device, (void)info, (void)callbacks;
    struct semaphore *semaphore = calloc(1, sizeof(*semaphore));
    *handle = (VkSemaphore)semaphore;
    return semaphore ? VK_SUCCESS : VK_ERROR_OUT_OF_HOST_MEMORY;
}

static VKAPI_ATTR void VKAPI_CALL destroy_semaphore(VkDevice device, VkSemaphore handle,
                                                    const VkAllocationCallbacks *callbacks)
{
    (void)device, (void)callbacks;
    free((void *)handle);
}

static void signal_semaphore(VkSemaphore handle, uint64_t value)
{
    struct semaphore *semaphore = (struct semaphore *)handle;
    pthread_mutex_lock(&lock);
    if (value > semaphore->value)
        semaphore->value = value;
    pthread_cond_broadcast(&signalled);
    pthread_mutex_unlock(&lock);
}

static VKAPI_ATTR VkResult VKAPI_CALL signal_by_host(VkDevice device,
                                                     const VkSemaphoreSignalInfo *info)
{
    (void)device;
    signal_semaphore(info->semaphore, info->value);
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL queue_submit(VkQueue handle, uint32_t count,
                                                   const VkSubmitInfo *infos, VkFence fence)
{
    (void)handle, (void)fence;
    for (uint32_t i = 0; i < count; i++) {
        const VkBaseInStructure *link = infos[i].pNext;
        while (link && link->sType != VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO)
            link = link->pNext;
        const VkTimelineSemaphoreSubmitInfo *values = (const VkTimelineSemaphoreSubmitInfo *)link;
        for (uint32_t j = 0; values && j < values->signalSemaphoreValueCount; j++)
            signal_semaphore(infos[i].pSignalSemaphores[j], values->pSignalSemaphoreValues[j]);
    }
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL queue_submit2(VkQueue handle, uint32_t count,
                                                    const VkSubmitInfo2 *infos, VkFence fence)
{
    (void)handle, (void)fence;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < infos[i].signalSemaphoreInfoCount; j++)
            signal_semaphore(infos[i].pSignalSemaphoreInfos[j].semaphore,
                             infos[i].pSignalSemaphoreInfos[j].value);
    }
    return VK_SUCCESS;
}

// Nothing takes time here, so that no wait has to end by itself.
static VKAPI_ATTR VkResult VKAPI_CALL wait_semaphores(VkDevice device,
                                                      const VkSemaphoreWaitInfo *info,
                                                      uint64_t timeout)
{
    (void)device, (void)timeout;
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < info->semaphoreCount; i++)
        while (((struct semaphore *)info->pSemaphores[i])->value < info->pValues[i])
            pthread_cond_wait(&signalled, &lock);
    pthread_mutex_unlock(&lock);
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL semaphore_value(VkDevice device, VkSemaphore handle,
                                                      uint64_t *value)
{
    (void)device;
    pthread_mutex_lock(&lock);
    *value = ((struct semaphore *)handle)->value;
    pthread_mutex_unlock(&lock);
    return VK_SUCCESS;
}

// ---- By name

#define COMMAND(name, function)              \
    {                                        \
        name, (PFN_vkVoidFunction)(function) \
    }

static PFN_vkVoidFunction VKAPI_CALL instance_command(VkInstance instance, const char *name);
static PFN_vkVoidFunction VKAPI_CALL device_command(VkDevice device, const char *name);

struct command {
    const char *name;
    PFN_vkVoidFunction function;
};

static const struct command instance_commands[] = {
    COMMAND("vkCreateDevice", create_device),
    COMMAND("vkCreateInstance", create_instance),
    COMMAND("vkDestroyInstance", destroy_instance),
    COMMAND("vkEnumerateDeviceExtensionProperties", extensions_of_device),
    COMMAND("vkEnumerateInstanceExtensionProperties", instance_extensions),
    COMMAND("vkEnumerateInstanceVersion", enumerate_version),
    COMMAND("vkEnumeratePhysicalDevices", physical_devices),
    COMMAND("vkGetDeviceProcAddr", device_command),
    COMMAND("vkGetInstanceProcAddr", instance_command),
    COMMAND("vkGetPhysicalDeviceFeatures", features),
    COMMAND("vkGetPhysicalDeviceFeatures2", features2),
    COMMAND("vkGetPhysicalDeviceFormatProperties", format_properties),
    COMMAND("vkGetPhysicalDeviceFormatProperties2", format_properties2),
    COMMAND("vkGetPhysicalDeviceImageFormatProperties", nothing),
    COMMAND("vkGetPhysicalDeviceImageFormatProperties2", nothing),
    COMMAND("vkGetPhysicalDeviceMemoryProperties", memory_properties),
    COMMAND("vkGetPhysicalDeviceMemoryProperties2", memory_properties2),
    COMMAND("vkGetPhysicalDeviceProperties", properties),
    COMMAND("vkGetPhysicalDeviceProperties2", properties2),
    COMMAND("vkGetPhysicalDeviceQueueFamilyProperties", families),
    COMMAND("vkGetPhysicalDeviceQueueFamilyProperties2", families2),
    COMMAND("vkGetPhysicalDeviceSparseImageFormatProperties", nothing),
};

static const struct command device_commands[] = {
    COMMAND("vkAllocateCommandBuffers", allocate_command_buffers),
    COMMAND("vkAllocateDescriptorSets", allocate_descriptor_sets),
    COMMAND("vkAllocateMemory", create),
    COMMAND("vkCreateComputePipelines", create_pipelines),
    COMMAND("vkCreateGraphicsPipelines", create_pipelines),
    COMMAND("vkCreateSemaphore", create_semaphore),
    COMMAND("vkDestroyDevice", destroy_device),
    COMMAND("vkDestroySemaphore", destroy_semaphore),
    COMMAND("vkGetBufferMemoryRequirements", requirements),
    COMMAND("vkGetBufferMemoryRequirements2", requirements2),
    COMMAND("vkGetDeviceProcAddr", device_command),
    COMMAND("vkGetDeviceQueue", get_queue),
    COMMAND("vkGetImageMemoryRequirements", requirements),
    COMMAND("vkGetImageMemoryRequirements2", requirements2),
    COMMAND("vkGetMemoryHostPointerPropertiesEXT", host_pointer_properties),
    COMMAND("vkGetSemaphoreCounterValue", semaphore_value),
    COMMAND("vkQueueSubmit", queue_submit),
    COMMAND("vkQueueSubmit2", queue_submit2),
    COMMAND("vkSignalSemaphore", signal_by_host),
    COMMAND("vkWaitSemaphores", wait_semaphores),
};

static PFN_vkVoidFunction find(const struct command *commands, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].function;
    return NULL;
}

static PFN_vkVoidFunction VKAPI_CALL device_command(VkDevice device, const char *name)
{
    (void)device;
    static const char *const quiet[] = {
        "vkBegin", "vkBind",      "vkCmd",   "vkDestroy", "vkDeviceWait", "vkEnd",
        "vkFree",  "vkQueueWait", "vkReset", "vkTrim",    "vkUpdate",     "vkWaitForFences",
    };
    const PFN_vkVoidFunction found =
        find(device_commands, sizeof(device_commands) / sizeof(*device_commands), name);
    if (found)
        return found;
    if (strncmp(name, "vkCreate", strlen("vkCreate")) == 0)
        return (PFN_vkVoidFunction)create;
    for (size_t i = 0; i < sizeof(quiet) / sizeof(*quiet); i++)
        if (strncmp(name, quiet[i], strlen(quiet[i])) == 0)
            return (PFN_vkVoidFunction)nothing;
    return NULL;
}

static PFN_vkVoidFunction VKAPI_CALL instance_command(VkInstance instance, const char *name)
{
    const PFN_vkVoidFunction found =
        find(instance_commands, sizeof(instance_commands) / sizeof(*instance_commands), name);
    if (found || !instance)
        return found;
    // No surfaces, no messengers, no devices found otherwise.
    if (strstr(name, "Surface") || strstr(name, "DebugUtils") || strstr(name, "DebugReport") ||
        strncmp(name, "vkEnumerate", strlen("vkEnumerate")) == 0 ||
        strncmp(name, "vkGetPhysicalDevice", strlen("vkGetPhysicalDevice")) == 0)
        return NULL;
    return device_command(VK_NULL_HANDLE, name);
}

__attribute__((visibility("default"))) VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL
vk_icdGetInstanceProcAddr(VkInstance instance, const char *name)
{
    return instance_command(instance, name);
}

__attribute__((visibility("default"))) VKAPI_ATTR VkResult VKAPI_CALL
vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version)
{
    if (*version > 5)
        *version = 5;
    return VK_SUCCESS;
}
