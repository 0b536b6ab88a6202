/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fake_driver.h"

struct fake_driver fake_driver;

/* A timeline semaphore; all other objects are numbers. */
struct semaphore {
    uint64_t value;  /* reached */
    uint64_t target; /* submitted */
    struct semaphore *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t signalled = PTHREAD_COND_INITIALIZER;
static struct semaphore *semaphores;
static uint64_t next_handle =
    0x7f0000001000; /* such that a leak of one would look like a pointer */
static int device_storage, queue_storage, instance_storage, physical_device_storage;

void fake_driver_reset(void)
{
    memset(&fake_driver, 0, sizeof(fake_driver));
}

void fake_driver_finish(void)
{
    pthread_mutex_lock(&lock);
    for (struct semaphore *s = semaphores; s; s = s->next)
        s->value = s->target;
    pthread_cond_broadcast(&signalled);
    pthread_mutex_unlock(&lock);
}

void fake_driver_give_up(void)
{
    pthread_mutex_lock(&lock);
    fake_driver.impatient = true;
    pthread_cond_broadcast(&signalled);
    pthread_mutex_unlock(&lock);
}

static VkResult take_result(void)
{
    return atomic_exchange(&fake_driver.next_result, VK_SUCCESS);
}

/* What a call that creates `count` objects returns. */
static VkResult create(uint64_t *handles, uint32_t count)
{
    const VkResult result = take_result();
    for (int i = 0; i < 5000 && fake_driver.keeps_objects; i++)
        usleep(1000);
    for (uint32_t i = 0; i < count; i++) {
        if (result == VK_SUCCESS) {
            handles[i] = next_handle;
            next_handle += 16;
        }
    }
    if (result == VK_SUCCESS)
        fake_driver.objects += count;
    return result;
}

static void destroy(uint64_t handle)
{
    if (handle) {
        fake_driver.objects--;
        fake_driver.last_freed = handle;
    }
}

/* ---- Instance level */

static VkResult enumerate_version(uint32_t *version)
{
    *version = VK_API_VERSION_1_4;
    return VK_SUCCESS;
}

static VkResult extensions_of_instance(const char *layer, uint32_t *count,
                                       VkExtensionProperties *extensions)
{
    (void)layer;
    const char *names[] = {VK_KHR_SURFACE_EXTENSION_NAME, VK_EXT_DEBUG_UTILS_EXTENSION_NAME};
    const uint32_t have = fake_driver.no_debug_utils ? 1 : 2;
    for (uint32_t i = 0; extensions && i < have && i < *count; i++)
        strcpy(extensions[i].extensionName, names[i]);
    *count = have;
    return VK_SUCCESS;
}

static bool lists(uint32_t count, const char *const *names, const char *name)
{
    while (count && strcmp(names[count - 1], name) != 0)
        count--;
    return count;
}

static VkResult create_instance(const VkInstanceCreateInfo *info,
                                const VkAllocationCallbacks *callbacks, VkInstance *instance)
{
    (void)callbacks;
    const VkResult result = take_result();
    fake_driver.surface_enabled = lists(info->enabledExtensionCount, info->ppEnabledExtensionNames,
                                        VK_KHR_SURFACE_EXTENSION_NAME);
    if (result == VK_SUCCESS) {
        *instance = (VkInstance)&instance_storage;
        fake_driver.instances++;
    }
    return result;
}

static void destroy_instance(VkInstance instance, const VkAllocationCallbacks *callbacks)
{
    (void)instance;
    (void)callbacks;
    fake_driver.orphans += fake_driver.devices;
    fake_driver.instances--;
}

static VkResult enumerate_devices(VkInstance instance, uint32_t *count, VkPhysicalDevice *devices)
{
    (void)instance;
    if (devices && *count)
        devices[0] = (VkPhysicalDevice)&physical_device_storage;
    *count = 1;
    return VK_SUCCESS;
}

static VkResult extensions_of_device(VkPhysicalDevice pd, const char *layer, uint32_t *count,
                                     VkExtensionProperties *extensions)
{
    (void)pd;
    (void)layer;
    const char *names[] = {VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME,
                           VK_KHR_SWAPCHAIN_EXTENSION_NAME, VK_EXT_DEVICE_FAULT_EXTENSION_NAME};
    for (uint32_t i = 0; extensions && i < 3 && i < *count; i++)
        strcpy(extensions[i].extensionName, names[i]);
    *count = 3;
    return VK_SUCCESS;
}

static void get_properties(VkPhysicalDevice pd, VkPhysicalDeviceProperties2 *properties)
{
    (void)pd;
    properties->properties.apiVersion = VK_API_VERSION_1_4;
    strcpy(properties->properties.deviceName, "fake");
    properties->properties.limits.maxPushConstantsSize = 256;
    properties->properties.limits.maxBoundDescriptorSets = 8;
    properties->properties.limits.maxVertexInputBindings = 16;
    properties->properties.limits.maxVertexInputAttributes = 16;
    properties->properties.limits.maxViewports = 16;
    properties->properties.limits.maxColorAttachments = 8;
    for (VkBaseOutStructure *link = properties->pNext; link; link = link->pNext) {
        if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT) {
            ((VkPhysicalDeviceExternalMemoryHostPropertiesEXT *)link)
                ->minImportedHostPointerAlignment = 4096;
        }
    }
}

static void get_features(VkPhysicalDevice pd, VkPhysicalDeviceFeatures2 *features)
{
    (void)pd;
    features->features.robustBufferAccess = VK_TRUE;
    for (VkBaseOutStructure *link = features->pNext; link; link = link->pNext)
        if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_4_FEATURES)
            ((VkPhysicalDeviceVulkan14Features *)link)->pushDescriptor = VK_TRUE;
}

static void get_memory(VkPhysicalDevice pd, VkPhysicalDeviceMemoryProperties *memory)
{
    (void)pd;
    memset(memory, 0, sizeof(*memory));
    memory->memoryTypeCount = 1;
    memory->memoryTypes[0].propertyFlags =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    memory->memoryHeapCount = 1;
}

static void get_queue_families(VkPhysicalDevice pd, uint32_t *count,
                               VkQueueFamilyProperties *families)
{
    (void)pd;
    if (families && *count) {
        families[0] =
            (VkQueueFamilyProperties){.queueFlags = VK_QUEUE_GRAPHICS_BIT, .queueCount = 1};
    }
    *count = 1;
}

static VkResult create_device(VkPhysicalDevice pd, const VkDeviceCreateInfo *info,
                              const VkAllocationCallbacks *callbacks, VkDevice *device)
{
    (void)pd;
    (void)callbacks;
    const VkResult result = take_result();
    fake_driver.swapchain_enabled =
        lists(info->enabledExtensionCount, info->ppEnabledExtensionNames,
              VK_KHR_SWAPCHAIN_EXTENSION_NAME);
    fake_driver.timeline_enabled = VK_FALSE;
    for (const VkBaseInStructure *link = info->pNext; link; link = link->pNext) {
        if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES) {
            fake_driver.timeline_enabled =
                ((const VkPhysicalDeviceTimelineSemaphoreFeatures *)link)->timelineSemaphore;
        }
        if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES) {
            fake_driver.timeline_enabled =
                ((const VkPhysicalDeviceVulkan12Features *)link)->timelineSemaphore;
        }
    }
    if (result == VK_SUCCESS) {
        *device = (VkDevice)&device_storage;
        fake_driver.devices++;
    }
    return result;
}

/* ---- Device level */

static void destroy_device(VkDevice device, const VkAllocationCallbacks *callbacks)
{
    (void)device;
    (void)callbacks;
    for (int i = 0; i < 5000 && fake_driver.keeps_devices; i++)
        usleep(1000);
    fake_driver.devices--;
}

static VkResult get_faults(VkDevice device, VkDeviceFaultCountsEXT *counts,
                           VkDeviceFaultInfoEXT *info)
{
    (void)device;
    (void)info;
    fake_driver.asked++;
    for (int i = 0; i < 5000 && fake_driver.thinks; i++)
        usleep(1000);
    counts->addressInfoCount = counts->vendorInfoCount = 0;
    return VK_SUCCESS;
}

static VkResult wait_idle(VkDevice device)
{
    (void)device;
    return VK_SUCCESS;
}

static void get_queue(VkDevice device, uint32_t family, uint32_t index, VkQueue *queue)
{
    (void)device;
    *queue = family == 0 && index == 0 ? (VkQueue)&queue_storage : VK_NULL_HANDLE;
}

static VkResult create_semaphore(VkDevice device, const VkSemaphoreCreateInfo *info,
                                 const VkAllocationCallbacks *callbacks, VkSemaphore *semaphore)
{
    (void)device;
    (void)info;
    (void)callbacks;
    const VkResult result = take_result();
    if (result == VK_SUCCESS) {
        struct semaphore *s = calloc(1, sizeof(*s));
        pthread_mutex_lock(&lock);
        s->next = semaphores;
        semaphores = s;
        pthread_mutex_unlock(&lock);
        *semaphore = (VkSemaphore)(uintptr_t)s;
        fake_driver.objects++;
    }
    return result;
}

static void destroy_semaphore(VkDevice device, VkSemaphore semaphore,
                              const VkAllocationCallbacks *callbacks)
{
    (void)device;
    (void)callbacks;
    struct semaphore *s = (struct semaphore *)(uintptr_t)semaphore;
    if (!s)
        return;
    pthread_mutex_lock(&lock);
    struct semaphore **link = &semaphores;
    while (*link != s)
        link = &(*link)->next;
    *link = s->next;
    pthread_mutex_unlock(&lock);
    free(s);
    fake_driver.objects--;
}

/* Waits for the first of them, which is enough here. */
static VkResult wait_semaphores(VkDevice device, const VkSemaphoreWaitInfo *info, uint64_t timeout)
{
    (void)device;
    struct semaphore *s =
        info->semaphoreCount ? (struct semaphore *)(uintptr_t)info->pSemaphores[0] : NULL;
    if (!s)
        return VK_SUCCESS;
    VkResult result = VK_SUCCESS;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout == UINT64_MAX ? 3600 : (time_t)(timeout / 1000000000);
    pthread_mutex_lock(&lock);
    while (s->value < info->pValues[0] && result == VK_SUCCESS)
        if (timeout == 0 || fake_driver.impatient ||
            pthread_cond_timedwait(&signalled, &lock, &until) != 0)
            result = VK_TIMEOUT;
    pthread_mutex_unlock(&lock);
    return result;
}

static VkResult wait_for_fences(VkDevice device, uint32_t count, const VkFence *fences,
                                VkBool32 all, uint64_t timeout)
{
    (void)device, (void)count, (void)all, (void)timeout;
    const bool submitted = *fences == atomic_load(&fake_driver.submitted_fence);
    return fake_driver.lost_in_silence && submitted ? VK_ERROR_DEVICE_LOST : VK_TIMEOUT;
}

static VkResult get_counter(VkDevice device, VkSemaphore semaphore, uint64_t *value)
{
    (void)device;
    if (!semaphore)
        return VK_SUCCESS;
    pthread_mutex_lock(&lock);
    *value = ((struct semaphore *)(uintptr_t)semaphore)->value;
    pthread_mutex_unlock(&lock);
    return VK_SUCCESS;
}

static VkResult signal_semaphore(VkDevice device, const VkSemaphoreSignalInfo *info)
{
    (void)device;
    struct semaphore *s = (struct semaphore *)(uintptr_t)info->semaphore;
    if (!s)
        return VK_SUCCESS;
    pthread_mutex_lock(&lock);
    s->value = info->value;
    pthread_cond_broadcast(&signalled);
    pthread_mutex_unlock(&lock);
    return VK_SUCCESS;
}

static VkResult import_semaphore_fd(VkDevice device, const VkImportSemaphoreFdInfoKHR *info)
{
    (void)device;
    const VkResult result = take_result();
    if (result == VK_SUCCESS)
        fake_driver.imported_fd = info->fd;
    else
        fake_driver.refused_fd = info->fd;
    if (result != VK_SUCCESS && fake_driver.closes_fd)
        close(info->fd);
    return result;
}

static VkResult get_semaphore_fd(VkDevice device, const VkSemaphoreGetFdInfoKHR *info, int *fd)
{
    (void)device;
    (void)info;
    const VkResult result = take_result();
    if (result == VK_SUCCESS)
        *fd = fake_driver.exported_fd;
    return result;
}

static void reach(VkSemaphore semaphore, uint64_t value)
{
    struct semaphore *s = (struct semaphore *)(uintptr_t)semaphore;
    if (!s)
        return;
    if (fake_driver.signal_count < 16)
        fake_driver.signalled[fake_driver.signal_count++] = value;
    pthread_mutex_lock(&lock);
    s->target = value;
    if (!fake_driver.hold)
        s->value = value;
    pthread_cond_broadcast(&signalled);
    pthread_mutex_unlock(&lock);
}

static void note_waits(uint32_t count, const VkSemaphore *semaphores,
                       const VkPipelineStageFlags *stages,
                       const VkTimelineSemaphoreSubmitInfo *values)
{
    /* The specification lets the array be absent, whatever its count says. */
    const uint64_t *wait_values = values ? values->pWaitSemaphoreValues : NULL;
    fake_driver.wait_count = count;
    for (uint32_t i = 0; i < count && i < 16; i++) {
        fake_driver.waited[i] = semaphores[i];
        fake_driver.wait_stages[i] = stages ? stages[i] : 0;
        fake_driver.wait_values[i] =
            wait_values && i < values->waitSemaphoreValueCount ? wait_values[i] : 0;
    }
}

static VkResult queue_submit(VkQueue queue, uint32_t count, const VkSubmitInfo *submits,
                             VkFence fence)
{
    (void)queue;
    if (fence)
        atomic_store(&fake_driver.submitted_fence, fence);
    const VkResult result = take_result();
    fake_driver.submits++;
    fake_driver.signal_count = 0;
    for (uint32_t i = 0; result == VK_SUCCESS && i < count; i++) {
        const VkTimelineSemaphoreSubmitInfo *values = submits[i].pNext;
        while (values && values->sType != VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO)
            values = values->pNext;
        note_waits(submits[i].waitSemaphoreCount, submits[i].pWaitSemaphores,
                   submits[i].pWaitDstStageMask, values);
        for (uint32_t j = 0; j < submits[i].signalSemaphoreCount; j++)
            reach(submits[i].pSignalSemaphores[j], values ? values->pSignalSemaphoreValues[j] : 0);
    }
    return result;
}

static VkResult queue_submit2(VkQueue queue, uint32_t count, const VkSubmitInfo2 *submits,
                              VkFence fence)
{
    (void)queue;
    (void)fence;
    const VkResult result = take_result();
    fake_driver.submits++;
    fake_driver.signal_count = 0;
    for (uint32_t i = 0; result == VK_SUCCESS && i < count; i++) {
        fake_driver.wait_count = submits[i].waitSemaphoreInfoCount;
        for (uint32_t j = 0; j < submits[i].waitSemaphoreInfoCount && j < 16; j++) {
            fake_driver.waited[j] = submits[i].pWaitSemaphoreInfos[j].semaphore;
            fake_driver.wait_stages[j] = submits[i].pWaitSemaphoreInfos[j].stageMask;
            fake_driver.wait_values[j] = submits[i].pWaitSemaphoreInfos[j].value;
        }
        for (uint32_t j = 0; j < submits[i].signalSemaphoreInfoCount; j++) {
            reach(submits[i].pSignalSemaphoreInfos[j].semaphore,
                  submits[i].pSignalSemaphoreInfos[j].value);
        }
    }
    return result;
}

static VkResult queue_bind_sparse(VkQueue queue, uint32_t count, const VkBindSparseInfo *binds,
                                  VkFence fence)
{
    (void)queue;
    if (fence)
        atomic_store(&fake_driver.submitted_fence, fence);
    const VkResult result = take_result();
    fake_driver.submits++;
    fake_driver.signal_count = 0;
    for (uint32_t i = 0; result == VK_SUCCESS && i < count; i++) {
        const VkTimelineSemaphoreSubmitInfo *values = binds[i].pNext;
        while (values && values->sType != VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO)
            values = values->pNext;
        note_waits(binds[i].waitSemaphoreCount, binds[i].pWaitSemaphores, NULL, values);
        for (uint32_t j = 0; j < binds[i].signalSemaphoreCount; j++)
            reach(binds[i].pSignalSemaphores[j], values ? values->pSignalSemaphoreValues[j] : 0);
    }
    return result;
}

/* Everything that is created one by one and destroyed the same way. */
#define OBJECT(object, info_type, name, destroyer)                                                \
    static VkResult create_##name(VkDevice device, const info_type *info,                         \
                                  const VkAllocationCallbacks *callbacks, object *out)            \
    {                                                                                             \
        (void)device;                                                                             \
        (void)info;                                                                               \
        (void)callbacks;                                                                          \
        return create((uint64_t *)out, 1);                                                        \
    }                                                                                             \
    static void destroyer(VkDevice device, object handle, const VkAllocationCallbacks *callbacks) \
    {                                                                                             \
        (void)device;                                                                             \
        (void)callbacks;                                                                          \
        destroy((uintptr_t)handle);                                                               \
    }
OBJECT(VkBuffer, VkBufferCreateInfo, buffer, destroy_buffer)
OBJECT(VkImage, VkImageCreateInfo, image, destroy_image)
OBJECT(VkSampler, VkSamplerCreateInfo, sampler, destroy_sampler)
OBJECT(VkQueryPool, VkQueryPoolCreateInfo, query_pool, destroy_query_pool)
OBJECT(VkCommandPool, VkCommandPoolCreateInfo, command_pool, destroy_command_pool)
OBJECT(VkDescriptorPool, VkDescriptorPoolCreateInfo, descriptor_pool, destroy_descriptor_pool)
OBJECT(VkDescriptorSetLayout, VkDescriptorSetLayoutCreateInfo, set_layout, destroy_set_layout)
#undef OBJECT

static VkResult create_compute_pipelines(VkDevice device, VkPipelineCache cache, uint32_t count,
                                         const VkComputePipelineCreateInfo *infos,
                                         const VkAllocationCallbacks *callbacks,
                                         VkPipeline *pipelines)
{
    (void)device;
    (void)cache;
    (void)infos;
    (void)callbacks;
    return create((uint64_t *)pipelines, count);
}

static void destroy_pipeline(VkDevice device, VkPipeline pipeline,
                             const VkAllocationCallbacks *callbacks)
{
    (void)device;
    (void)callbacks;
    destroy((uintptr_t)pipeline);
}

/* Reads all that it is given, for a sanitizer to see. */
static VkResult create_binaries(VkDevice device, const VkPipelineBinaryCreateInfoKHR *info,
                                const VkAllocationCallbacks *callbacks,
                                VkPipelineBinaryHandlesInfoKHR *handles)
{
    (void)device;
    (void)callbacks;
    const VkPipelineBinaryKeysAndDataKHR *all = info->pKeysAndDataInfo;
    const uint32_t total = all ? all->binaryCount : 0;
    for (uint32_t i = 0; i < total; i++) {
        for (uint32_t n = 0; n < all->pPipelineBinaryKeys[i].keySize; n++)
            fake_driver.sum += all->pPipelineBinaryKeys[i].key[n];
        for (size_t n = 0; n < all->pPipelineBinaryData[i].dataSize; n++)
            fake_driver.sum += ((const uint8_t *)all->pPipelineBinaryData[i].pData)[n];
    }
    if (!handles->pPipelineBinaries || handles->pipelineBinaryCount > total)
        handles->pipelineBinaryCount = total;
    for (uint32_t i = 0; handles->pPipelineBinaries && i < handles->pipelineBinaryCount; i++) {
        handles->pPipelineBinaries[i] = VK_NULL_HANDLE;
        if (!(fake_driver.missing >> i & 1))
            create((uint64_t *)&handles->pPipelineBinaries[i], 1);
    }
    if (!fake_driver.missing)
        return VK_SUCCESS;
    return fake_driver.missing_result ? fake_driver.missing_result : VK_PIPELINE_BINARY_MISSING_KHR;
}

static void destroy_binary(VkDevice device, VkPipelineBinaryKHR binary,
                           const VkAllocationCallbacks *callbacks)
{
    (void)device;
    (void)callbacks;
    destroy((uintptr_t)binary);
}

static VkResult allocate_memory(VkDevice device, const VkMemoryAllocateInfo *info,
                                const VkAllocationCallbacks *callbacks, VkDeviceMemory *memory)
{
    (void)device;
    (void)callbacks;
    const VkImportMemoryHostPointerInfoEXT *import = info->pNext;
    if (import && import->sType == VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT) {
        fake_driver.imported = import->pHostPointer;
        fake_driver.imported_size = info->allocationSize;
    }
    return create((uint64_t *)memory, 1);
}

static void free_memory(VkDevice device, VkDeviceMemory memory,
                        const VkAllocationCallbacks *callbacks)
{
    (void)device;
    (void)callbacks;
    destroy((uintptr_t)memory);
}

static VkResult host_pointer_properties(VkDevice device, VkExternalMemoryHandleTypeFlagBits type,
                                        const void *pointer,
                                        VkMemoryHostPointerPropertiesEXT *properties)
{
    (void)device;
    (void)type;
    (void)pointer;
    properties->memoryTypeBits = 1;
    return VK_SUCCESS;
}

static VkResult allocate_sets(VkDevice device, const VkDescriptorSetAllocateInfo *info,
                              VkDescriptorSet *sets)
{
    (void)device;
    return create((uint64_t *)sets, info->descriptorSetCount);
}

static void update_sets(VkDevice device, uint32_t write_count, const VkWriteDescriptorSet *writes,
                        uint32_t copy_count, const VkCopyDescriptorSet *copies)
{
    (void)device;
    fake_driver.updates++;
    fake_driver.writes += write_count;
    fake_driver.copies += copy_count;
    if (write_count) {
        fake_driver.write = writes[write_count - 1];
        if (fake_driver.write.pBufferInfo)
            fake_driver.descriptor = *fake_driver.write.pBufferInfo;
    }
    for (uint32_t i = 0; i < copy_count; i++)
        fake_driver.write.dstSet = copies[i].srcSet;
}

static VkResult free_sets(VkDevice device, VkDescriptorPool pool, uint32_t count,
                          const VkDescriptorSet *sets)
{
    (void)device;
    (void)pool;
    for (uint32_t i = 0; i < count; i++)
        destroy((uintptr_t)sets[i]);
    return VK_SUCCESS;
}

static VkResult allocate_command_buffers(VkDevice device, const VkCommandBufferAllocateInfo *info,
                                         VkCommandBuffer *command_buffers)
{
    (void)device;
    return create((uint64_t *)command_buffers, info->commandBufferCount);
}

static void free_command_buffers(VkDevice device, VkCommandPool pool, uint32_t count,
                                 const VkCommandBuffer *command_buffers)
{
    (void)device;
    (void)pool;
    for (uint32_t i = 0; i < count; i++)
        destroy((uintptr_t)command_buffers[i]);
}

static VkResult get_query_results(VkDevice device, VkQueryPool pool, uint32_t first, uint32_t count,
                                  size_t size, void *data, VkDeviceSize stride,
                                  VkQueryResultFlags flags)
{
    (void)device;
    (void)pool;
    (void)first;
    (void)size;
    (void)flags;
    for (uint32_t i = 0; i < count; i++)
        memset((uint8_t *)data + i * stride, 0x11, 4);
    return VK_SUCCESS;
}

static void buffer_requirements(VkDevice device, const VkBufferMemoryRequirementsInfo2 *info,
                                VkMemoryRequirements2 *requirements)
{
    (void)device;
    (void)info;
    requirements->memoryRequirements = (VkMemoryRequirements){64, 16, 1};
    for (VkBaseOutStructure *link = requirements->pNext; link; link = link->pNext)
        if (link->sType == VK_STRUCTURE_TYPE_MEMORY_DEDICATED_REQUIREMENTS)
            ((VkMemoryDedicatedRequirements *)link)->prefersDedicatedAllocation = VK_TRUE;
}

static void image_requirements(VkDevice device, VkImage image, VkMemoryRequirements *requirements)
{
    (void)device;
    (void)image;
    *requirements = (VkMemoryRequirements){4096, 256, 1};
}

static VkDeviceAddress buffer_address(VkDevice device, const VkBufferDeviceAddressInfo *info)
{
    (void)device;
    (void)info;
    return 0x123456789abc;
}

static VkResult set_name(VkDevice device, const VkDebugUtilsObjectNameInfoEXT *info)
{
    (void)device;
    (void)info;
    fake_driver.names++;
    return VK_SUCCESS;
}

static VkResult begin_command_buffer(VkCommandBuffer command_buffer,
                                     const VkCommandBufferBeginInfo *info)
{
    (void)command_buffer;
    (void)info;
    fake_driver.begun++;
    return take_result();
}

static VkResult end_command_buffer(VkCommandBuffer command_buffer)
{
    (void)command_buffer;
    fake_driver.ended++;
    return VK_SUCCESS;
}

static void draw(VkCommandBuffer command_buffer, uint32_t vertices, uint32_t instances,
                 uint32_t first_vertex, uint32_t first_instance)
{
    (void)command_buffer;
    (void)instances;
    (void)first_vertex;
    (void)first_instance;
    if (vertices == FAKE_MEETING)
        atomic_fetch_add(&fake_driver.met, 1);
    for (int i = 0; i < 5000; i++) {
        if (!(vertices == FAKE_MEETING && fake_driver.met < fake_driver.meeting) &&
            !(vertices == FAKE_BLOCKED && fake_driver.blocked)) {
            fake_driver.draws++;
            fake_driver.vertices += vertices;
            return;
        }
        usleep(1000);
    }
    /* Nobody came: it counts as no draw. */
}

static void execute_commands(VkCommandBuffer command_buffer, uint32_t count,
                             const VkCommandBuffer *secondaries)
{
    (void)command_buffer;
    (void)secondaries;
    fake_driver.executed += count;
}

/* Reads what it is given, so that a sanitizer sees a stride that leads elsewhere. */
static void draw_multi(VkCommandBuffer command_buffer, uint32_t count,
                       const VkMultiDrawInfoEXT *draws, uint32_t instances, uint32_t first_instance,
                       uint32_t stride)
{
    (void)command_buffer;
    (void)instances;
    (void)first_instance;
    const char *next = (const char *)draws;
    for (uint32_t i = 0; i < count; i++, next += stride)
        fake_driver.draws += ((const VkMultiDrawInfoEXT *)next)->vertexCount ? 1 : 0;
}

static void bind_vertex_buffers(VkCommandBuffer command_buffer, uint32_t first, uint32_t count,
                                const VkBuffer *buffers, const VkDeviceSize *offsets)
{
    (void)command_buffer;
    (void)first;
    (void)offsets;
    fake_driver.bound_count = count;
    for (uint32_t i = 0; i < count && i < 8; i++)
        fake_driver.bound[i] = buffers[i];
}

static void decode_video(VkCommandBuffer command_buffer, const VkVideoDecodeInfoKHR *info)
{
    (void)command_buffer;
    if (fake_driver.decode_video)
        fake_driver.decode_video(info);
}

static void encode_video(VkCommandBuffer command_buffer, const VkVideoEncodeInfoKHR *info)
{
    (void)command_buffer;
    if (fake_driver.encode_video)
        fake_driver.encode_video(info);
}

/* Whatever else there is. */
static VkResult nothing(void)
{
    return VK_SUCCESS;
}

static PFN_vkVoidFunction get_device_proc_addr(VkDevice device, const char *name)
{
    (void)device;
    return fake_get_instance_proc_addr(VK_NULL_HANDLE, name);
}

struct function {
    const char *name;
    PFN_vkVoidFunction function;
    uint64_t hash;
};

static struct function functions[] = {
#define FUNCTION(name, function)              \
    {                                         \
        name, (PFN_vkVoidFunction)function, 0 \
    }
    FUNCTION("vkEnumerateInstanceVersion", enumerate_version),
    FUNCTION("vkEnumerateInstanceExtensionProperties", extensions_of_instance),
    FUNCTION("vkCreateInstance", create_instance),
    FUNCTION("vkDestroyInstance", destroy_instance),
    FUNCTION("vkEnumeratePhysicalDevices", enumerate_devices),
    FUNCTION("vkEnumerateDeviceExtensionProperties", extensions_of_device),
    FUNCTION("vkGetPhysicalDeviceProperties2", get_properties),
    FUNCTION("vkGetPhysicalDeviceFeatures2", get_features),
    FUNCTION("vkGetPhysicalDeviceMemoryProperties", get_memory),
    FUNCTION("vkGetPhysicalDeviceQueueFamilyProperties", get_queue_families),
    FUNCTION("vkCreateDevice", create_device),
    FUNCTION("vkGetDeviceProcAddr", get_device_proc_addr),
    FUNCTION("vkDestroyDevice", destroy_device),
    FUNCTION("vkGetDeviceFaultInfoEXT", get_faults),
    FUNCTION("vkDeviceWaitIdle", wait_idle),
    FUNCTION("vkGetDeviceQueue", get_queue),
    FUNCTION("vkCreateSemaphore", create_semaphore),
    FUNCTION("vkDestroySemaphore", destroy_semaphore),
    FUNCTION("vkWaitForFences", wait_for_fences),
    FUNCTION("vkWaitSemaphores", wait_semaphores),
    FUNCTION("vkGetSemaphoreCounterValue", get_counter),
    FUNCTION("vkSignalSemaphore", signal_semaphore),
    FUNCTION("vkImportSemaphoreFdKHR", import_semaphore_fd),
    FUNCTION("vkGetSemaphoreFdKHR", get_semaphore_fd),
    FUNCTION("vkQueueSubmit", queue_submit),
    FUNCTION("vkQueueSubmit2", queue_submit2),
    FUNCTION("vkQueueBindSparse", queue_bind_sparse),
    FUNCTION("vkCreateBuffer", create_buffer),
    FUNCTION("vkDestroyBuffer", destroy_buffer),
    FUNCTION("vkCreateImage", create_image),
    FUNCTION("vkDestroyImage", destroy_image),
    FUNCTION("vkCreateSampler", create_sampler),
    FUNCTION("vkDestroySampler", destroy_sampler),
    FUNCTION("vkCreateComputePipelines", create_compute_pipelines),
    FUNCTION("vkDestroyPipeline", destroy_pipeline),
    FUNCTION("vkCreatePipelineBinariesKHR", create_binaries),
    FUNCTION("vkDestroyPipelineBinaryKHR", destroy_binary),
    FUNCTION("vkCreateQueryPool", create_query_pool),
    FUNCTION("vkDestroyQueryPool", destroy_query_pool),
    FUNCTION("vkCreateCommandPool", create_command_pool),
    FUNCTION("vkDestroyCommandPool", destroy_command_pool),
    FUNCTION("vkCreateDescriptorPool", create_descriptor_pool),
    FUNCTION("vkDestroyDescriptorPool", destroy_descriptor_pool),
    FUNCTION("vkCreateDescriptorSetLayout", create_set_layout),
    FUNCTION("vkDestroyDescriptorSetLayout", destroy_set_layout),
    FUNCTION("vkAllocateMemory", allocate_memory),
    FUNCTION("vkFreeMemory", free_memory),
    FUNCTION("vkGetMemoryHostPointerPropertiesEXT", host_pointer_properties),
    FUNCTION("vkAllocateDescriptorSets", allocate_sets),
    FUNCTION("vkFreeDescriptorSets", free_sets),
    FUNCTION("vkUpdateDescriptorSets", update_sets),
    FUNCTION("vkAllocateCommandBuffers", allocate_command_buffers),
    FUNCTION("vkFreeCommandBuffers", free_command_buffers),
    FUNCTION("vkGetQueryPoolResults", get_query_results),
    FUNCTION("vkGetBufferMemoryRequirements2", buffer_requirements),
    FUNCTION("vkGetImageMemoryRequirements", image_requirements),
    FUNCTION("vkGetBufferDeviceAddress", buffer_address),
    FUNCTION("vkSetDebugUtilsObjectNameEXT", set_name),
    FUNCTION("vkBeginCommandBuffer", begin_command_buffer),
    FUNCTION("vkEndCommandBuffer", end_command_buffer),
    FUNCTION("vkCmdDraw", draw),
    FUNCTION("vkCmdDrawMultiEXT", draw_multi),
    FUNCTION("vkCmdExecuteCommands", execute_commands),
    FUNCTION("vkCmdBindVertexBuffers", bind_vertex_buffers),
    FUNCTION("vkCmdDecodeVideoKHR", decode_video),
    FUNCTION("vkCmdEncodeVideoKHR", encode_video),
#undef FUNCTION
};

/* By hash: comparing text is what fuzzing engines look at, and this is asked for a lot. */
static uint64_t hash(const char *name)
{
    uint64_t value = 14695981039346656037u;
    for (; *name; name++)
        value = (value ^ (uint8_t)*name) * 1099511628211u;
    return value;
}

static int compare(const void *a, const void *b)
{
    const uint64_t left = ((const struct function *)a)->hash;
    const uint64_t right = ((const struct function *)b)->hash;
    return left < right ? -1 : left > right;
}

PFN_vkVoidFunction fake_get_instance_proc_addr(VkInstance instance, const char *name)
{
    (void)instance;
    static bool sorted;
    const size_t count = sizeof(functions) / sizeof(functions[0]);
    if (!sorted) {
        for (size_t i = 0; i < count; i++)
            functions[i].hash = hash(functions[i].name);
        qsort(functions, count, sizeof(functions[0]), compare);
        sorted = true;
    }
    const struct function key = {.hash = hash(name)};
    const struct function *found = bsearch(&key, functions, count, sizeof(key), compare);
    return found ? found->function : (PFN_vkVoidFunction)nothing;
}
