/* SPDX-License-Identifier: MIT */
#include "call.h"
#include "calls.h"
#include "chain.h"
#include "device.h"
#include "entrypoints.h"
#include "fence.h"
#include "opcodes.h"
#include "semaphore.h"

VkResult vd_device_status(const struct vd_device *device)
{
    return vd_connection_lost(device->base.instance->connection) ? VK_ERROR_DEVICE_LOST
                                                                 : VK_SUCCESS;
}

VkResult vd_queue_wait(struct vd_queue *queue, uint64_t number, uint64_t timeout_ns)
{
    return vdc_wait_batch(queue->base.instance->connection->waiter, queue->slot, number,
                          timeout_ns);
}

bool vd_queue_done(const struct vd_queue *queue, uint64_t number)
{
    return vdc_batch_done(queue->base.instance->connection->waiter, queue->slot, number);
}

/* Batches are numbered alike on both sides; a call without any takes one number, so that its fence
 * has something to wait for. */
static uint64_t last_number(const struct vd_queue *queue, uint32_t count)
{
    return queue->number + (count ? count : 1);
}

static void begin_batches(struct vd_queue *queue, uint32_t count, VkFence fence)
{
    vd_fence_expect(fence, queue, last_number(queue, count));
}

/* Returns when the host's driver has what was submitted. Drivers may want to know of a signal before
 * somebody waits for it, and whoever waits by way of a shared semaphore, in another process or
 * instance, uses a ring of its own. */
static VkResult deliver(struct vd_queue *queue)
{
    struct vd_call call;
    VkResult result = vd_call_begin(&call, queue, VD_OP_SYNC, 0, VD_CALL_SYNC);
    if (result != VK_SUCCESS)
        return result;
    result = vd_call_wait(&call);
    vd_call_end(&call);
    return result == VK_SUCCESS ? vd_device_status(queue->base.device) : result;
}

static void end_fence(struct vd_queue *queue, VkFence fence, VkResult result)
{
    if (result == VK_SUCCESS)
        vd_fence_attach(queue->base.instance, fence, queue, queue->number);
    else if (vd_fence_withdraw(fence, queue))
        deliver(queue); /* it may be destroyed now, but not before the server has read its name */
}

static void end_batches(struct vd_queue *queue, uint32_t count, VkFence fence, VkResult result)
{
    if (result == VK_SUCCESS)
        queue->number = last_number(queue, count);
    end_fence(queue, fence, result);
}

static bool any_shared(const struct vd_queue *queue, uint32_t count, const VkSemaphore *semaphores)
{
    bool shared = false;
    for (uint32_t i = 0; i < count; i++)
        shared |= vd_semaphore_is_shared(queue->base.instance, semaphores[i]);
    return shared;
}

/* What a batch of the older kind signals, timeline values too. True: some of it is shared. */
static bool expect_signals(struct vd_queue *queue, const void *chain, uint32_t count,
                           const VkSemaphore *semaphores, uint64_t number)
{
    const VkTimelineSemaphoreSubmitInfo *values =
        vd_chain_find(chain, VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO);
    if (values && values->pSignalSemaphoreValues)
        for (uint32_t i = 0; i < count && i < values->signalSemaphoreValueCount; i++)
            vd_semaphore_expect(queue->base.instance, semaphores[i],
                                values->pSignalSemaphoreValues[i], queue, number);
    return any_shared(queue, count, semaphores);
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkQueueSubmit(VkQueue handle, uint32_t submitCount,
                                                const VkSubmitInfo *pSubmits, VkFence fence)
{
    struct vd_queue *queue = (struct vd_queue *)handle;
    if (!submitCount && !fence)
        return vd_device_status(queue->base.device);
    bool shared = false;
    pthread_mutex_lock(&queue->lock);
    begin_batches(queue, submitCount, fence);
    const VkResult result = vd_call_vkQueueSubmit(handle, submitCount, pSubmits, VK_NULL_HANDLE);
    for (uint32_t i = 0; i < submitCount && result == VK_SUCCESS; i++)
        shared |= expect_signals(queue, pSubmits[i].pNext, pSubmits[i].signalSemaphoreCount,
                                 pSubmits[i].pSignalSemaphores, queue->number + 1 + i);
    end_batches(queue, submitCount, fence, result);
    pthread_mutex_unlock(&queue->lock);
    return shared ? deliver(queue) : result;
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkQueueSubmit2(VkQueue handle, uint32_t submitCount,
                                                 const VkSubmitInfo2 *pSubmits, VkFence fence)
{
    struct vd_queue *queue = (struct vd_queue *)handle;
    if (!submitCount && !fence)
        return vd_device_status(queue->base.device);
    bool shared = false;
    pthread_mutex_lock(&queue->lock);
    begin_batches(queue, submitCount, fence);
    const VkResult result = vd_call_vkQueueSubmit2(handle, submitCount, pSubmits, VK_NULL_HANDLE);
    for (uint32_t i = 0; i < submitCount && result == VK_SUCCESS; i++) {
        for (uint32_t j = 0; j < pSubmits[i].signalSemaphoreInfoCount; j++) {
            const VkSemaphoreSubmitInfo *signal = &pSubmits[i].pSignalSemaphoreInfos[j];
            vd_semaphore_expect(queue->base.instance, signal->semaphore, signal->value, queue,
                                queue->number + 1 + i);
            shared |= any_shared(queue, 1, &signal->semaphore);
        }
    }
    end_batches(queue, submitCount, fence, result);
    pthread_mutex_unlock(&queue->lock);
    return shared ? deliver(queue) : result;
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkQueueBindSparse(VkQueue handle, uint32_t bindInfoCount,
                                                    const VkBindSparseInfo *pBindInfo,
                                                    VkFence fence)
{
    struct vd_queue *queue = (struct vd_queue *)handle;
    if (!bindInfoCount && !fence)
        return vd_device_status(queue->base.device);
    bool shared = false;
    pthread_mutex_lock(&queue->lock);
    begin_batches(queue, bindInfoCount, fence);
    const VkResult result =
        vd_call_vkQueueBindSparse(handle, bindInfoCount, pBindInfo, VK_NULL_HANDLE);
    for (uint32_t i = 0; i < bindInfoCount && result == VK_SUCCESS; i++)
        shared |= expect_signals(queue, pBindInfo[i].pNext, pBindInfo[i].signalSemaphoreCount,
                                 pBindInfo[i].pSignalSemaphores, queue->number + 1 + i);
    end_batches(queue, bindInfoCount, fence, result);
    pthread_mutex_unlock(&queue->lock);
    return shared ? deliver(queue) : result;
}

VkResult vd_queue_submit_batch(struct vd_queue *queue, const VkSubmitInfo *info,
                               uint32_t fence_count, const VkFence *fences, uint64_t *number)
{
    pthread_mutex_lock(&queue->lock);
    for (uint32_t i = 0; i < fence_count; i++)
        begin_batches(queue, 1, fences[i]);
    const VkResult result = vd_call_vkQueueSubmit((VkQueue)queue, 1, info, VK_NULL_HANDLE);
    if (result == VK_SUCCESS)
        queue->number++;
    for (uint32_t i = 0; i < fence_count; i++)
        end_fence(queue, fences[i], result);
    if (number)
        *number = queue->number;
    pthread_mutex_unlock(&queue->lock);
    return result == VK_SUCCESS &&
                   any_shared(queue, info->signalSemaphoreCount, info->pSignalSemaphores)
               ? deliver(queue)
               : result;
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkQueueWaitIdle(VkQueue handle)
{
    struct vd_queue *queue = (struct vd_queue *)handle;
    pthread_mutex_lock(&queue->lock);
    const uint64_t number = queue->number;
    pthread_mutex_unlock(&queue->lock);
    const VkResult result = vd_queue_wait(queue, number, UINT64_MAX);
    return result == VK_SUCCESS ? vd_device_status(queue->base.device) : result;
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkDeviceWaitIdle(VkDevice handle)
{
    struct vd_device *device = (struct vd_device *)handle;
    VkResult result = vd_device_status(device);
    for (uint32_t i = 0; i < device->queue_count && result == VK_SUCCESS; i++)
        result = vd_vkQueueWaitIdle((VkQueue)&device->queues[i]);
    return result;
}
