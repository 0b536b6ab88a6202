/* SPDX-License-Identifier: MIT
 *
 * Who watches a queue's timeline semaphore and writes the completion page. As long as the ring's
 * thread has nothing else to do, it looks at the semaphore itself: what finishes soon needs no other
 * thread to wake up. Before it does something else, or sleeps, it leaves the watch to a thread that
 * each queue has for this, which sleeps in the driver.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "common/clock.h"

#include "context.h"
#include "context_private.h"
#include "device.h"
#include "device_fault.h"
#include "fence.h"
#include "flight.h"
#include "futex.h"
#include "log.h"
#include "names.h"
#include "queue.h"

/* How long the end of a queue waits for what was submitted. Shorter than a worker's own deadline. */
#define STOP_NS VD_NS_PER_S

/* How long a wait lasts in the driver before it is asked whether the device is lost, and how long that
 * may take. NVIDIA 580 leaves a wait for a timeline asleep when it has ended the work that would signal
 * it, and a wait for a fence that was not submitted, too. */
#define LOOK_NS  VD_NS_PER_S
#define PROBE_NS (VD_NS_PER_S / 20)

/* ---- The thread */

static void publish(struct vds_queue *queue, uint64_t done)
{
    struct vd_completion *page = queue->context->completion;
    /* release: what the GPU wrote. */
    atomic_store_explicit(&page->queues[queue->slot].done, done, memory_order_release);
    if (vd_completion_changed(page))
        vds_wake(&page->event);
}

/* Waits for a fence behind everything that was submitted. VK_SUCCESS: all of it has finished. */
static VkResult probe(struct vds_queue *queue)
{
    const struct vds_device_dispatch *vk = &queue->device->dispatch;
    const VkDevice device = queue->device->handle;
    if (!queue->probing) {
        pthread_mutex_lock(&queue->host);
        const VkResult result = vk->vkQueueSubmit(queue->handle, 0, NULL, queue->probe);
        pthread_mutex_unlock(&queue->host);
        if (result != VK_SUCCESS)
            return result;
        queue->probing = true;
    }
    VkResult result = vk->vkWaitForFences(device, 1, &queue->probe, VK_TRUE, PROBE_NS);
    if (result == VK_SUCCESS) {
        queue->probing = false;
        result = vk->vkResetFences(device, 1, &queue->probe);
    }
    return result;
}

/* Waits for what comes next, for some time. VK_SUCCESS: *done was reached; VK_TIMEOUT: not yet. */
static VkResult wait_for(struct vds_queue *queue, uint64_t number, uint64_t *done)
{
    const struct vds_device_dispatch *vk = &queue->device->dispatch;
    const VkDevice device = queue->device->handle;
    const VkSemaphoreWaitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
        .semaphoreCount = 1,
        .pSemaphores = &queue->timeline,
        .pValues = &number,
    };
    VkResult result = vk->vkWaitSemaphores(device, &info, LOOK_NS);
    if (result == VK_TIMEOUT)
        result = probe(queue);
    if (result != VK_SUCCESS)
        return result;
    return vk->vkGetSemaphoreCounterValue(device, queue->timeline, done);
}

/* Under the lock. */
static void advance(struct vds_queue *queue, uint64_t done)
{
    if (done > queue->done) {
        vds_flight_finish(queue->context->flight, queue->slot, done);
        vds_meter_finished(&queue->context->meter, done - queue->done);
        queue->done = done;
        /* Who sees a batch done sees its fence signalled. */
        vds_pending_fences_advance(queue->context->fences, queue, done);
        publish(queue, done);
    }
}

static void *completion_main(void *data)
{
    struct vds_queue *queue = data;
    pthread_mutex_lock(&queue->lock);
    for (;;) {
        while (queue->done >= queue->target && !queue->stop)
            pthread_cond_wait(&queue->wanted, &queue->lock);
        if (queue->done >= queue->target)
            break;
        const uint64_t next = queue->done + 1;
        pthread_mutex_unlock(&queue->lock);
        uint64_t done = next;
        const VkResult result = wait_for(queue, next, &done);
        pthread_mutex_lock(&queue->lock);
        if (queue->abandoned)
            break;
        if (result < 0) {
            if (vds_context_lose_device(queue->context, "waiting for queue %u: %s", queue->slot,
                                        vd_result_name(result))) {
                pthread_mutex_unlock(&queue->lock);
                vds_device_fault_report(queue->device);
                pthread_mutex_lock(&queue->lock);
            }
            break;
        }
        if (result == VK_SUCCESS)
            advance(queue, done);
    }
    queue->ended = true;
    pthread_cond_signal(&queue->stopped);
    pthread_mutex_unlock(&queue->lock);
    return NULL;
}

/* ---- The ring's thread */

void vds_queue_expect(struct vds_queue *queue, uint64_t number)
{
    queue->expected = number;
    if (!queue->watched) {
        queue->watched = true;
        queue->next_watched = queue->context->watched;
        queue->context->watched = queue;
    }
}

/* True: there is nothing more to look for, or nothing to be found in this way. */
static bool look(struct vds_queue *queue)
{
    const struct vds_device_dispatch *vk = &queue->device->dispatch;
    uint64_t done = 0;
    if (vk->vkGetSemaphoreCounterValue(queue->device->handle, queue->timeline, &done) != VK_SUCCESS)
        return false; /* the queue's thread will meet and tell it */
    if (done > queue->seen) {
        queue->seen = done;
        pthread_mutex_lock(&queue->lock);
        advance(queue, done);
        pthread_mutex_unlock(&queue->lock);
    }
    return done >= queue->expected;
}

void vds_context_look(struct vds_context *context)
{
    for (struct vds_queue **link = &context->watched; *link;) {
        struct vds_queue *queue = *link;
        if (look(queue)) {
            queue->watched = false;
            *link = queue->next_watched;
        } else {
            link = &queue->next_watched;
        }
    }
}

void vds_context_leave(struct vds_context *context)
{
    while (context->watched) {
        struct vds_queue *queue = context->watched;
        context->watched = queue->next_watched;
        queue->watched = false;
        pthread_mutex_lock(&queue->lock);
        /* A system call only if the thread sleeps here, and not in the driver. */
        if (queue->done >= queue->target)
            pthread_cond_signal(&queue->wanted);
        queue->target = queue->expected;
        pthread_mutex_unlock(&queue->lock);
    }
}

/* ---- Beginning and end */

static VkResult create_probe(struct vds_device *device, VkFence *fence)
{
    const VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    return device->dispatch.vkCreateFence(device->handle, &info, NULL, fence);
}

static VkResult create_timeline(struct vds_device *device, VkSemaphore *semaphore)
{
    const VkSemaphoreTypeCreateInfo type = {
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
        .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE,
    };
    const VkSemaphoreCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
        .pNext = &type,
    };
    return device->dispatch.vkCreateSemaphore(device->handle, &info, NULL, semaphore);
}

struct vds_queue *vds_queue_create(struct vds_context *context, struct vds_device *device,
                                   VkQueue handle, uint32_t slot)
{
    struct vds_queue *queue = calloc(1, sizeof(*queue));
    if (!queue) {
        vds_log(VDS_LOG_ERROR, "out of memory for a queue");
        return NULL;
    }
    queue->handle = handle;
    queue->context = context;
    queue->device = device;
    queue->slot = slot;
    queue->ended = true;
    atomic_store(&context->completion->queues[slot].done, 0);
    pthread_mutex_init(&queue->host, NULL);
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->wanted, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->stopped, &monotonic);
    pthread_condattr_destroy(&monotonic);
    context->queue_slots[slot] = true;
    vds_flight_queue(context->flight, slot);
    return queue;
}

bool vds_queue_start(struct vds_queue *queue)
{
    if (queue->timeline)
        return true;
    struct vds_device *device = queue->device;
    VkSemaphore timeline = VK_NULL_HANDLE;
    queue->probe = VK_NULL_HANDLE;
    VkResult result = create_timeline(device, &timeline);
    if (result == VK_SUCCESS)
        result = create_probe(device, &queue->probe);
    if (result != VK_SUCCESS) {
        vds_log(VDS_LOG_ERROR, "no semaphore or fence for a queue: %s", vd_result_name(result));
        goto fail;
    }
    queue->timeline = timeline;
    queue->ended = false;
    if (pthread_create(&queue->thread, NULL, completion_main, queue) == 0) {
        device->submitted = true;
        return true;
    }
    vds_log(VDS_LOG_ERROR, "no thread for a queue");
    queue->timeline = VK_NULL_HANDLE;
    queue->ended = true;
fail:
    device->dispatch.vkDestroyFence(device->handle, queue->probe, NULL);
    device->dispatch.vkDestroySemaphore(device->handle, timeline, NULL);
    return false;
}

bool vds_queue_stop(struct vds_queue *queue)
{
    vds_context_leave(queue->context);
    const struct timespec until = vd_clock_after(STOP_NS);
    pthread_mutex_lock(&queue->lock);
    queue->stop = true;
    pthread_cond_signal(&queue->wanted);
    int error = 0;
    while (!queue->ended && error == 0)
        error = pthread_cond_timedwait(&queue->stopped, &queue->lock, &until);
    const bool ended = queue->ended;
    queue->abandoned = !ended;
    pthread_mutex_unlock(&queue->lock);
    if (queue->timeline && ended)
        pthread_join(queue->thread, NULL);
    else if (queue->timeline)
        pthread_detach(queue->thread);
    vds_pending_fences_advance(queue->context->fences, queue, UINT64_MAX);
    return ended;
}

void vds_queue_destroy(struct vds_queue *queue)
{
    struct vds_device *device = queue->device;
    vds_meter_finished(&queue->context->meter, queue->number - queue->done);
    /* Nothing is before it any more. */
    if (queue->probing)
        device->dispatch.vkWaitForFences(device->handle, 1, &queue->probe, VK_TRUE, STOP_NS);
    if (queue->timeline) {
        device->dispatch.vkDestroyFence(device->handle, queue->probe, NULL);
        device->dispatch.vkDestroySemaphore(device->handle, queue->timeline, NULL);
    }
    pthread_cond_destroy(&queue->stopped);
    pthread_cond_destroy(&queue->wanted);
    pthread_mutex_destroy(&queue->lock);
    pthread_mutex_destroy(&queue->host);
    free(queue->scratch);
    free(queue);
}
