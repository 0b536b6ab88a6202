/* SPDX-License-Identifier: MIT */
#include "queue.h"

#include "call.h"
#include "calls.h"
#include "chain.h"
#include "entrypoints.h"
#include "fence.h"
#include "instance.h"
#include "opcodes.h"
#include "semaphore.h"

/* ---- Creation */

/* A free place on the completion page, or -1. */
static int slot_take(struct vdc_instance *instance)
{
    int slot = -1;
    pthread_mutex_lock(&instance->lock);
    for (int i = 0; i < VD_QUEUE_MAX && slot < 0; i++) {
        uint64_t *slots = &instance->queue_slots[i / 64];
        if (!(*slots & (UINT64_C(1) << i % 64))) {
            *slots |= UINT64_C(1) << i % 64;
            slot = i;
        }
    }
    pthread_mutex_unlock(&instance->lock);
    return slot;
}

static void slot_give(struct vdc_instance *instance, uint32_t slot)
{
    pthread_mutex_lock(&instance->lock);
    instance->queue_slots[slot / 64] &= ~(UINT64_C(1) << slot % 64);
    pthread_mutex_unlock(&instance->lock);
}

VkResult vdc_queue_init(struct vdc_queue *queue, struct vdc_device *device,
                        const VkDeviceQueueCreateInfo *info, uint32_t index)
{
    struct vdc_instance *instance = vdc_instance_of(device);
    const int slot = slot_take(instance);
    if (slot < 0)
        return VK_ERROR_TOO_MANY_OBJECTS;
    queue->slot = (uint32_t)slot;
    queue->flags = info->flags;
    queue->family = info->queueFamilyIndex;
    queue->index = index;
    pthread_mutex_init(&queue->lock, NULL);
    const uint64_t id = vdc_id_new(instance, VD_TYPE_VkQueue, 0);
    vdc_dispatchable_init(&queue->base, id, instance, device);
    VkResult result = id ? VK_SUCCESS : VK_ERROR_OUT_OF_HOST_MEMORY;
    if (result != VK_SUCCESS)
        goto fail;

    /* The slot may have served another device before. */
    struct vd_completion *page = instance->connection->link.completion;
    atomic_store(&page->queues[slot].done, 0);

    struct vdc_call call;
    result = vdc_call_begin(&call, device, VD_OP_GET_QUEUE, sizeof(struct vd_get_queue),
                            VDC_CALL_PROMPT);
    if (result != VK_SUCCESS)
        goto fail;
    const struct vd_get_queue args = {
        .device = vdc_id_of(device),
        .queue = id,
        .flags = info->flags,
        .family = info->queueFamilyIndex,
        .index = index,
        .slot = (uint32_t)slot,
    };
    memcpy(call.encoder.base + call.encoder.at, &args, sizeof(args));
    result = vdc_call_send(&call);
    vdc_call_end(&call);
    if (result == VK_SUCCESS)
        return VK_SUCCESS;
fail:
    vdc_queue_finish(queue);
    return result;
}

void vdc_queue_finish(struct vdc_queue *queue)
{
    vdc_id_free(queue->base.instance, queue->base.id);
    slot_give(queue->base.instance, queue->slot);
    pthread_mutex_destroy(&queue->lock);
}

/* ---- Batches */

static VkResult status(const struct vdc_queue *queue)
{
    return vdc_connection_lost(queue->base.instance->connection) ? VK_ERROR_DEVICE_LOST
                                                                 : VK_SUCCESS;
}

static struct vdc_point point_of(const struct vdc_queue *queue, uint64_t number)
{
    return (struct vdc_point){queue->slot, number};
}

/* Batches are numbered alike on both sides; a call without any takes one number, so that its fence
 * has something to wait for. */
static uint64_t last_number(const struct vdc_queue *queue, uint32_t count)
{
    return queue->number + (count ? count : 1);
}

static void begin_batches(struct vdc_queue *queue, uint32_t count, VkFence fence)
{
    vdc_fence_expect(fence, queue->base.id, last_number(queue, count));
}

/* Returns when the host's driver has what was submitted. Drivers may want to know of a signal before
 * somebody waits for it, and whoever waits by way of a shared semaphore, in another process or
 * instance, uses a ring of its own. */
static VkResult deliver(struct vdc_queue *queue)
{
    const VkResult result = vdc_call_catch_up(queue);
    return result == VK_SUCCESS ? status(queue) : result;
}

static void end_fence(struct vdc_queue *queue, VkFence fence, VkResult result)
{
    if (result == VK_SUCCESS)
        vdc_fence_attach(queue->base.instance, fence, point_of(queue, queue->number));
    else if (vdc_fence_withdraw(fence, queue->base.id))
        deliver(queue); /* it may be destroyed now, but not before the server has read its name */
}

static void end_batches(struct vdc_queue *queue, uint32_t count, VkFence fence, VkResult result)
{
    if (result == VK_SUCCESS)
        queue->number = last_number(queue, count);
    end_fence(queue, fence, result);
}

/* What waits for nothing, does nothing and signals nothing is not sent. Its fence is signaled by what was
 * submitted before it; but one that is shared is the server's to signal. */
static bool is_nothing(uint32_t count, const VkSubmitInfo *infos, VkFence fence)
{
    for (uint32_t i = 0; i < count; i++)
        if (infos[i].pNext || infos[i].waitSemaphoreCount || infos[i].commandBufferCount ||
            infos[i].signalSemaphoreCount)
            return false;
    return !vdc_fence_is_shared(fence);
}

static bool is_nothing2(uint32_t count, const VkSubmitInfo2 *infos, VkFence fence)
{
    for (uint32_t i = 0; i < count; i++)
        if (infos[i].pNext || infos[i].flags || infos[i].waitSemaphoreInfoCount ||
            infos[i].commandBufferInfoCount || infos[i].signalSemaphoreInfoCount)
            return false;
    return !vdc_fence_is_shared(fence);
}

static VkResult submit_nothing(struct vdc_queue *queue, VkFence fence)
{
    const VkResult result = status(queue);
    if (result == VK_SUCCESS && fence) {
        pthread_mutex_lock(&queue->lock);
        end_fence(queue, fence, result);
        pthread_mutex_unlock(&queue->lock);
    }
    return result;
}

static bool any_shared(const struct vdc_queue *queue, uint32_t count, const VkSemaphore *semaphores)
{
    bool shared = false;
    for (uint32_t i = 0; i < count; i++)
        shared |= vdc_semaphore_is_shared(queue->base.instance, semaphores[i]);
    return shared;
}

/* What a batch of the older kind signals, timeline values too. True: some of it is shared. */
static bool expect_signals(struct vdc_queue *queue, const void *chain, uint32_t count,
                           const VkSemaphore *semaphores, uint64_t number)
{
    const VkTimelineSemaphoreSubmitInfo *values =
        vd_chain_find(chain, VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO);
    if (values && values->pSignalSemaphoreValues)
        for (uint32_t i = 0; i < count && i < values->signalSemaphoreValueCount; i++)
            vdc_semaphore_expect(queue->base.instance, semaphores[i],
                                 values->pSignalSemaphoreValues[i], point_of(queue, number));
    return any_shared(queue, count, semaphores);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkQueueSubmit(VkQueue handle, uint32_t submitCount,
                                                 const VkSubmitInfo *pSubmits, VkFence fence)
{
    struct vdc_queue *queue = (struct vdc_queue *)handle;
    if (is_nothing(submitCount, pSubmits, fence))
        return submit_nothing(queue, fence);
    bool shared = false;
    pthread_mutex_lock(&queue->lock);
    begin_batches(queue, submitCount, fence);
    const VkResult result = vdc_call_vkQueueSubmit(handle, submitCount, pSubmits, VK_NULL_HANDLE);
    for (uint32_t i = 0; i < submitCount && result == VK_SUCCESS; i++)
        shared |= expect_signals(queue, pSubmits[i].pNext, pSubmits[i].signalSemaphoreCount,
                                 pSubmits[i].pSignalSemaphores, queue->number + 1 + i);
    end_batches(queue, submitCount, fence, result);
    pthread_mutex_unlock(&queue->lock);
    return shared ? deliver(queue) : result;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkQueueSubmit2(VkQueue handle, uint32_t submitCount,
                                                  const VkSubmitInfo2 *pSubmits, VkFence fence)
{
    struct vdc_queue *queue = (struct vdc_queue *)handle;
    if (is_nothing2(submitCount, pSubmits, fence))
        return submit_nothing(queue, fence);
    bool shared = false;
    pthread_mutex_lock(&queue->lock);
    begin_batches(queue, submitCount, fence);
    const VkResult result = vdc_call_vkQueueSubmit2(handle, submitCount, pSubmits, VK_NULL_HANDLE);
    for (uint32_t i = 0; i < submitCount && result == VK_SUCCESS; i++) {
        for (uint32_t j = 0; j < pSubmits[i].signalSemaphoreInfoCount; j++) {
            const VkSemaphoreSubmitInfo *signal = &pSubmits[i].pSignalSemaphoreInfos[j];
            vdc_semaphore_expect(queue->base.instance, signal->semaphore, signal->value,
                                 point_of(queue, queue->number + 1 + i));
            shared |= any_shared(queue, 1, &signal->semaphore);
        }
    }
    end_batches(queue, submitCount, fence, result);
    pthread_mutex_unlock(&queue->lock);
    return shared ? deliver(queue) : result;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkQueueBindSparse(VkQueue handle, uint32_t bindInfoCount,
                                                     const VkBindSparseInfo *pBindInfo,
                                                     VkFence fence)
{
    struct vdc_queue *queue = (struct vdc_queue *)handle;
    if (!bindInfoCount && !fence)
        return status(queue);
    bool shared = false;
    pthread_mutex_lock(&queue->lock);
    begin_batches(queue, bindInfoCount, fence);
    const VkResult result =
        vdc_call_vkQueueBindSparse(handle, bindInfoCount, pBindInfo, VK_NULL_HANDLE);
    for (uint32_t i = 0; i < bindInfoCount && result == VK_SUCCESS; i++)
        shared |= expect_signals(queue, pBindInfo[i].pNext, pBindInfo[i].signalSemaphoreCount,
                                 pBindInfo[i].pSignalSemaphores, queue->number + 1 + i);
    end_batches(queue, bindInfoCount, fence, result);
    pthread_mutex_unlock(&queue->lock);
    return shared ? deliver(queue) : result;
}

VkResult vdc_queue_submit_batch(struct vdc_queue *queue, const VkSubmitInfo *info,
                                uint32_t fence_count, const VkFence *fences,
                                struct vdc_point *point)
{
    pthread_mutex_lock(&queue->lock);
    for (uint32_t i = 0; i < fence_count; i++)
        begin_batches(queue, 1, fences[i]);
    const VkResult result = vdc_call_vkQueueSubmit((VkQueue)queue, 1, info, VK_NULL_HANDLE);
    if (result == VK_SUCCESS)
        queue->number++;
    for (uint32_t i = 0; i < fence_count; i++)
        end_fence(queue, fences[i], result);
    if (point)
        *point = point_of(queue, queue->number);
    pthread_mutex_unlock(&queue->lock);
    return result == VK_SUCCESS &&
                   any_shared(queue, info->signalSemaphoreCount, info->pSignalSemaphores)
               ? deliver(queue)
               : result;
}

/* If possible not by the queue, which would do so behind all that was submitted to it, even behind what waits for
 * those who wait for the semaphore. But others can only see what the host's driver was told. */
VkResult vdc_queue_signal(struct vdc_queue *queue, VkSemaphore semaphore)
{
    if (vdc_semaphore_is_shared(queue->base.instance, semaphore))
        return vdc_queue_submit_batch(queue,
                                      &(const VkSubmitInfo){
                                          .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                          .signalSemaphoreCount = 1,
                                          .pSignalSemaphores = &semaphore,
                                      },
                                      0, NULL, NULL);
    const struct {
        struct vd_record record;
        struct vd_signal_semaphore args;
    } command = {
        .record = {.size = sizeof(command), .opcode = VD_OP_SIGNAL_SEMAPHORE},
        .args = {.semaphore = (uint64_t)semaphore},
    };
    return vdc_ring_post(queue->base.instance->connection->ring, &command.record);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkQueueWaitIdle(VkQueue handle)
{
    struct vdc_queue *queue = (struct vdc_queue *)handle;
    pthread_mutex_lock(&queue->lock);
    const struct vdc_point point = point_of(queue, queue->number);
    pthread_mutex_unlock(&queue->lock);
    const VkResult result =
        vdc_wait_point(queue->base.instance->connection->waiter, point, UINT64_MAX);
    return result == VK_SUCCESS ? status(queue) : result;
}
