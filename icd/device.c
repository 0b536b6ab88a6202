/* SPDX-License-Identifier: MIT */
#include "device.h"

#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "calls.h"
#include "entrypoints.h"
#include "extensions.h"
#include "opcodes.h"
#include "private_data.h"

/* A free place on the completion page, or -1. */
static int slot_take(struct vd_instance *instance)
{
    int slot = -1;
    pthread_mutex_lock(&instance->lock);
    for (int i = 0; i < VD_QUEUE_MAX && slot < 0; i++) {
        if (!(instance->queue_slots & (UINT64_C(1) << i))) {
            instance->queue_slots |= UINT64_C(1) << i;
            slot = i;
        }
    }
    pthread_mutex_unlock(&instance->lock);
    return slot;
}

static void slot_give(struct vd_instance *instance, uint32_t slot)
{
    pthread_mutex_lock(&instance->lock);
    instance->queue_slots &= ~(UINT64_C(1) << slot);
    pthread_mutex_unlock(&instance->lock);
}

static VkResult queue_init(struct vd_queue *queue, struct vd_device *device,
                           const VkDeviceQueueCreateInfo *info, uint32_t index)
{
    struct vd_instance *instance = device->base.instance;
    const int slot = slot_take(instance);
    if (slot < 0)
        return VK_ERROR_TOO_MANY_OBJECTS;
    queue->slot = (uint32_t)slot;
    queue->flags = info->flags;
    queue->family = info->queueFamilyIndex;
    queue->index = index;
    pthread_mutex_init(&queue->lock, NULL);
    device->queue_count++; /* from here on device_destroy cleans up */
    const uint64_t id = vd_id_new(instance, VD_TYPE_VkQueue, 0);
    vd_dispatchable_init(&queue->base, id, instance, device);
    if (!id)
        return VK_ERROR_OUT_OF_HOST_MEMORY;

    /* The slot may have served another device before. */
    struct vd_completion *page = instance->connection->link.completion;
    atomic_store(&page->queues[slot].done, 0);

    struct vd_call call;
    VkResult result =
        vd_call_begin(&call, device, VD_OP_GET_QUEUE, sizeof(struct vd_get_queue), VD_CALL_PROMPT);
    if (result != VK_SUCCESS)
        return result;
    const struct vd_get_queue args = {
        .device = device->base.id,
        .queue = id,
        .flags = info->flags,
        .family = info->queueFamilyIndex,
        .index = index,
        .slot = (uint32_t)slot,
    };
    memcpy(call.encoder.base + call.encoder.at, &args, sizeof(args));
    result = vd_call_send(&call);
    vd_call_end(&call);
    return result;
}

static void device_destroy(struct vd_device *device)
{
    struct vd_instance *instance = device->base.instance;
    for (uint32_t i = 0; i < device->queue_count; i++) {
        vd_id_free(instance, device->queues[i].base.id);
        slot_give(instance, device->queues[i].slot);
        pthread_mutex_destroy(&device->queues[i].lock);
    }
    vd_id_free(instance, device->base.id);
    vd_private_data_destroy(device->private_data);
    vd_memo_finish(&device->buffers);
    vd_memo_finish(&device->images);
    vd_recordings_finish(&device->recordings);
    free(device->queues);
    free(device->extensions);
    free(device);
}

/* Marks what is enabled and leaves in `names` what the host must enable. */
static VkResult choose_extensions(struct vd_device *device, const VkDeviceCreateInfo *info,
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

VKAPI_ATTR VkResult VKAPI_CALL vd_vkCreateDevice(VkPhysicalDevice handle,
                                                 const VkDeviceCreateInfo *pCreateInfo,
                                                 const VkAllocationCallbacks *pAllocator,
                                                 VkDevice *pDevice)
{
    struct vd_physical_device *pd = (struct vd_physical_device *)handle;
    struct vd_instance *instance = pd->base.instance;
    uint32_t queue_count = 0;
    for (uint32_t i = 0; i < pCreateInfo->queueCreateInfoCount; i++)
        queue_count += pCreateInfo->pQueueCreateInfos[i].queueCount;
    *pDevice = VK_NULL_HANDLE;

    struct vd_device *device = calloc(1, sizeof(*device));
    if (!device)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    const uint64_t id = vd_id_new(instance, VD_TYPE_VkDevice, 0);
    vd_dispatchable_init(&device->base, id, instance, device);
    vd_memo_init(&device->buffers);
    vd_memo_init(&device->images);
    vd_recordings_init(&device->recordings);
    device->physical_device = pd;
    device->api_version = pd->properties.apiVersion < instance->api_version
                              ? pd->properties.apiVersion
                              : instance->api_version;
    device->extensions = calloc(VD_EXT_COUNT, sizeof(*device->extensions));
    device->queues = calloc(queue_count ? queue_count : 1, sizeof(*device->queues));
    device->private_data = vd_private_data_create();
    const char **names = calloc(pCreateInfo->enabledExtensionCount + 1, sizeof(*names));
    VkResult result = VK_ERROR_OUT_OF_HOST_MEMORY;
    bool created = false;
    if (!id || !device->extensions || !device->queues || !device->private_data || !names)
        goto fail;
    VkDeviceCreateInfo info = *pCreateInfo;
    result = choose_extensions(device, pCreateInfo, names, &info.enabledExtensionCount);
    if (result != VK_SUCCESS)
        goto fail;
    info.ppEnabledExtensionNames = names;
    VkDevice out = (VkDevice)device;
    result = vd_call_vkCreateDevice(handle, &info, pAllocator, &out);
    if (result != VK_SUCCESS)
        goto fail;
    created = true;
    for (uint32_t i = 0; i < pCreateInfo->queueCreateInfoCount; i++) {
        const VkDeviceQueueCreateInfo *queues = &pCreateInfo->pQueueCreateInfos[i];
        for (uint32_t j = 0; j < queues->queueCount; j++) {
            result = queue_init(&device->queues[device->queue_count], device, queues, j);
            if (result != VK_SUCCESS)
                goto fail;
        }
    }
    free(names);
    *pDevice = (VkDevice)device;
    return VK_SUCCESS;
fail:
    if (created)
        vd_call_vkDestroyDevice((VkDevice)device, NULL);
    free(names);
    device_destroy(device);
    return result;
}

VKAPI_ATTR void VKAPI_CALL vd_vkDestroyDevice(VkDevice handle,
                                              const VkAllocationCallbacks *pAllocator)
{
    if (!handle)
        return;
    vd_call_vkDestroyDevice(handle, pAllocator);
    device_destroy((struct vd_device *)handle);
}

VKAPI_ATTR void VKAPI_CALL vd_vkGetDeviceQueue2(VkDevice handle, const VkDeviceQueueInfo2 *info,
                                                VkQueue *pQueue)
{
    const struct vd_device *device = (const struct vd_device *)handle;
    *pQueue = VK_NULL_HANDLE;
    for (uint32_t i = 0; i < device->queue_count; i++) {
        struct vd_queue *queue = &device->queues[i];
        if (queue->family == info->queueFamilyIndex && queue->index == info->queueIndex &&
            queue->flags == info->flags)
            *pQueue = (VkQueue)queue;
    }
}

VKAPI_ATTR void VKAPI_CALL vd_vkGetDeviceQueue(VkDevice device, uint32_t queueFamilyIndex,
                                               uint32_t queueIndex, VkQueue *pQueue)
{
    const VkDeviceQueueInfo2 info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_INFO_2,
        .queueFamilyIndex = queueFamilyIndex,
        .queueIndex = queueIndex,
    };
    vd_vkGetDeviceQueue2(device, &info, pQueue);
}
