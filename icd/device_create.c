/* SPDX-License-Identifier: MIT */
#include "device.h"

#include <stdlib.h>
#include <string.h>

#include "common/chain.h"
#include "common/masked_features.h"

#include "calls.h"
#include "entrypoints.h"
#include "extensions.h"
#include "opcodes.h"
#include "queue.h"

static void device_destroy(struct vdc_device *device)
{
    struct vdc_instance *instance = device->base.instance;
    for (uint32_t i = 0; i < device->queue_count; i++)
        vdc_queue_finish(&device->queues[i]);
    vdc_id_free(instance, device->base.id);
    vdc_memo_finish(&device->buffers);
    vdc_memo_finish(&device->images);
    vdc_descriptor_cache_finish(&device->descriptors);
    vdc_recordings_finish(&device->recordings);
    free(device->queues);
    free(device->extensions);
    free(device);
}

static bool enables_sparse(const VkDeviceCreateInfo *info)
{
    const VkPhysicalDeviceFeatures2 *features =
        vd_chain_find(info->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2);
    return (features && features->features.sparseBinding) ||
           (info->pEnabledFeatures && info->pEnabledFeatures->sparseBinding);
}

/* Marks what is enabled and leaves in `names` what the host must enable. */
static VkResult choose_extensions(struct vdc_device *device, const VkDeviceCreateInfo *info,
                                  const char **names, uint32_t *count)
{
    *count = 0;
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++) {
        const int index = vd_extension_find(info->ppEnabledExtensionNames[i]);
        if (index < 0 || !device->physical_device->extensions[index])
            return VK_ERROR_EXTENSION_NOT_PRESENT;
        device->extensions[index] = true;
        if (vd_extensions[index].way == VD_EXTENSION_FORWARDED)
            names[(*count)++] = info->ppEnabledExtensionNames[i];
    }
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkCreateDevice(VkPhysicalDevice handle,
                                                  const VkDeviceCreateInfo *pCreateInfo,
                                                  const VkAllocationCallbacks *pAllocator,
                                                  VkDevice *pDevice)
{
    struct vdc_physical_device *pd =
        vdc_physical_device_living((struct vdc_physical_device *)handle);
    struct vdc_instance *instance = pd->base.instance;
    *pDevice = VK_NULL_HANDLE;
    if (vdc_connection_lost(instance->connection)) /* nobody serves, or has this device */
        return VK_ERROR_DEVICE_LOST;
    /* The host may have it, and the server ends whoever enables it. */
    if (vd_masked_feature_enabled(pCreateInfo->pNext))
        return VK_ERROR_FEATURE_NOT_PRESENT;
    uint32_t queue_count = 0;
    for (uint32_t i = 0; i < pCreateInfo->queueCreateInfoCount; i++)
        queue_count += pCreateInfo->pQueueCreateInfos[i].queueCount;

    struct vdc_device *device = calloc(1, sizeof(*device));
    if (!device)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    const uint64_t id = vdc_id_new(instance, VD_TYPE_VkDevice, 0);
    vdc_dispatchable_init(&device->base, id, instance, device);
    vdc_memo_init(&device->buffers);
    vdc_memo_init(&device->images);
    vdc_descriptor_cache_init(&device->descriptors);
    vdc_recordings_init(&device->recordings);
    device->physical_device = pd;
    device->is_sparse = enables_sparse(pCreateInfo);
    device->api_version = pd->properties.apiVersion < instance->api_version
                              ? pd->properties.apiVersion
                              : instance->api_version;
    device->extensions = calloc(VD_EXT_COUNT, sizeof(*device->extensions));
    device->queues = calloc(queue_count ? queue_count : 1, sizeof(*device->queues));
    const char **names = calloc(pCreateInfo->enabledExtensionCount + 1, sizeof(*names));
    VkResult result = VK_ERROR_OUT_OF_HOST_MEMORY;
    bool created = false;
    if (!id || !device->extensions || !device->queues || !names)
        goto fail;
    VkDeviceCreateInfo info = *pCreateInfo;
    result = choose_extensions(device, pCreateInfo, names, &info.enabledExtensionCount);
    if (result != VK_SUCCESS)
        goto fail;
    info.ppEnabledExtensionNames = names;
    VkDevice out = (VkDevice)device;
    result = vdc_call_vkCreateDevice((VkPhysicalDevice)pd, &info, pAllocator, &out);
    if (result != VK_SUCCESS)
        goto fail;
    created = true;
    for (uint32_t i = 0; i < pCreateInfo->queueCreateInfoCount; i++) {
        const VkDeviceQueueCreateInfo *queues = &pCreateInfo->pQueueCreateInfos[i];
        for (uint32_t j = 0; j < queues->queueCount; j++) {
            result = vdc_queue_init(&device->queues[device->queue_count], device, queues, j);
            if (result != VK_SUCCESS)
                goto fail;
            device->queue_count++;
        }
    }
    free(names);
    *pDevice = (VkDevice)device;
    return VK_SUCCESS;
fail:
    if (created)
        vdc_call_vkDestroyDevice((VkDevice)device, NULL);
    free(names);
    device_destroy(device);
    return result;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkDestroyDevice(VkDevice handle,
                                               const VkAllocationCallbacks *pAllocator)
{
    if (!handle)
        return;
    vdc_call_vkDestroyDevice(handle, pAllocator);
    device_destroy((struct vdc_device *)handle);
}

VKAPI_ATTR void VKAPI_CALL vdc_vkGetDeviceQueue2(VkDevice handle, const VkDeviceQueueInfo2 *info,
                                                 VkQueue *pQueue)
{
    const struct vdc_device *device = (const struct vdc_device *)handle;
    *pQueue = VK_NULL_HANDLE;
    for (uint32_t i = 0; i < device->queue_count; i++) {
        struct vdc_queue *queue = &device->queues[i];
        if (queue->family == info->queueFamilyIndex && queue->index == info->queueIndex &&
            queue->flags == info->flags)
            *pQueue = (VkQueue)queue;
    }
}

VKAPI_ATTR void VKAPI_CALL vdc_vkGetDeviceQueue(VkDevice device, uint32_t queueFamilyIndex,
                                                uint32_t queueIndex, VkQueue *pQueue)
{
    const VkDeviceQueueInfo2 info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_INFO_2,
        .queueFamilyIndex = queueFamilyIndex,
        .queueIndex = queueIndex,
    };
    vdc_vkGetDeviceQueue2(device, &info, pQueue);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkDeviceWaitIdle(VkDevice handle)
{
    struct vdc_device *device = (struct vdc_device *)handle;
    VkResult result = vdc_device_status(device);
    for (uint32_t i = 0; i < device->queue_count && result == VK_SUCCESS; i++)
        result = vdc_vkQueueWaitIdle((VkQueue)&device->queues[i]);
    return result;
}
