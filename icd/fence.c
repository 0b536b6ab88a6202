/* SPDX-License-Identifier: MIT */
#include "fence.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "entrypoints.h"

/* The lock covers the three members: a fence may be waited for while another thread submits it. */
struct vd_fence {
    bool signaled;
    struct vd_queue *queue; /* NULL: nothing pending */
    uint64_t number;
};

/* One lock and one condition for all fences: they are held for a few instructions, and only
 * threads that wait for a fence that nobody has submitted yet sleep here. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t attached;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&attached, &attributes);
    pthread_condattr_destroy(&attributes);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t deadline_of(uint64_t timeout)
{
    const uint64_t now = now_ns();
    return timeout > UINT64_MAX - now ? UINT64_MAX : now + timeout;
}

static uint64_t remaining(uint64_t deadline)
{
    if (deadline == UINT64_MAX)
        return UINT64_MAX;
    const uint64_t now = now_ns();
    return deadline > now ? deadline - now : 0;
}

static struct vd_fence fence_read(VkFence handle)
{
    pthread_mutex_lock(&lock);
    const struct vd_fence fence = *(struct vd_fence *)handle;
    pthread_mutex_unlock(&lock);
    return fence;
}

void vd_fence_attach(struct vd_instance *instance, VkFence handle, struct vd_queue *queue,
                     uint64_t number)
{
    (void)instance;
    struct vd_fence *fence = (struct vd_fence *)handle;
    if (!fence)
        return;
    pthread_once(&once, init);
    pthread_mutex_lock(&lock);
    fence->signaled = !queue;
    fence->queue = queue;
    fence->number = number;
    pthread_cond_broadcast(&attached);
    pthread_mutex_unlock(&lock);
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkCreateFence(VkDevice device,
                                                const VkFenceCreateInfo *pCreateInfo,
                                                const VkAllocationCallbacks *pAllocator,
                                                VkFence *pFence)
{
    (void)device;
    (void)pAllocator;
    struct vd_fence *fence = calloc(1, sizeof(*fence));
    if (!fence)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    fence->signaled = pCreateInfo->flags & VK_FENCE_CREATE_SIGNALED_BIT;
    *pFence = (VkFence)fence;
    return VK_SUCCESS;
}

VKAPI_ATTR void VKAPI_CALL vd_vkDestroyFence(VkDevice device, VkFence fence,
                                             const VkAllocationCallbacks *pAllocator)
{
    (void)device;
    (void)pAllocator;
    free((struct vd_fence *)fence);
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkResetFences(VkDevice device, uint32_t fenceCount,
                                                const VkFence *pFences)
{
    (void)device;
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < fenceCount; i++)
        *(struct vd_fence *)pFences[i] = (struct vd_fence){0};
    pthread_mutex_unlock(&lock);
    return VK_SUCCESS;
}

/* VK_SUCCESS, VK_TIMEOUT or VK_ERROR_DEVICE_LOST. */
static VkResult look(struct vd_device *device, const struct vd_fence *fence)
{
    if (fence->signaled)
        return VK_SUCCESS;
    if (!fence->queue)
        return vd_device_status(device) == VK_SUCCESS ? VK_TIMEOUT : VK_ERROR_DEVICE_LOST;
    return vd_queue_wait(fence->queue, fence->number, 0);
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkGetFenceStatus(VkDevice device, VkFence handle)
{
    const struct vd_fence fence = fence_read(handle);
    const VkResult result = look((struct vd_device *)device, &fence);
    return result == VK_TIMEOUT ? VK_NOT_READY : result;
}

/* Waits until somebody submits the fence. */
static VkResult wait_attached(struct vd_device *device, VkFence handle, uint64_t deadline)
{
    /* Nobody submits to a lost device any more, so such a wait ends now and then to look. */
    const uint64_t slice = 100000000;
    const struct vd_fence *fence = (const struct vd_fence *)handle;
    pthread_once(&once, init);
    pthread_mutex_lock(&lock);
    VkResult result = VK_SUCCESS;
    while (!fence->signaled && !fence->queue) {
        const uint64_t now = now_ns();
        result = vd_device_status(device);
        if (result == VK_SUCCESS && now >= deadline)
            result = VK_TIMEOUT;
        if (result != VK_SUCCESS)
            break;
        const uint64_t until = deadline - now < slice ? deadline : now + slice;
        const struct timespec t = {.tv_sec = (time_t)(until / 1000000000u),
                                   .tv_nsec = (long)(until % 1000000000u)};
        pthread_cond_timedwait(&attached, &lock, &t);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

static VkResult wait_one(struct vd_device *device, VkFence handle, uint64_t deadline)
{
    struct vd_fence fence = fence_read(handle);
    if (fence.signaled)
        return VK_SUCCESS;
    if (!fence.queue) {
        const VkResult result = wait_attached(device, handle, deadline);
        if (result != VK_SUCCESS)
            return result;
        fence = fence_read(handle);
        if (fence.signaled)
            return VK_SUCCESS;
    }
    return vd_queue_wait(fence.queue, fence.number, remaining(deadline));
}

/* The first of several: on one queue the smallest number is the first to be done. Several queues
 * have no common word to sleep on, so each is given a short while in turn. */
static VkResult wait_any(struct vd_device *device, uint32_t count, const VkFence *fences,
                         uint64_t deadline)
{
    const uint64_t slice = 500000;
    for (;;) {
        struct vd_fence first = {0};
        bool single = true;
        for (uint32_t i = 0; i < count; i++) {
            const struct vd_fence fence = fence_read(fences[i]);
            const VkResult result = look(device, &fence);
            if (result != VK_TIMEOUT)
                return result;
            if (!fence.queue || (first.queue && fence.queue != first.queue))
                single = false;
            if (fence.queue && (!first.queue || fence.number < first.number))
                first = fence;
        }
        const uint64_t left = remaining(deadline);
        if (!left)
            return VK_TIMEOUT;
        const uint64_t wait = single || left < slice ? left : slice;
        if (first.queue) {
            vd_queue_wait(first.queue, first.number, wait);
        } else {
            const VkResult result = wait_attached(device, fences[0], deadline_of(wait));
            if (result == VK_ERROR_DEVICE_LOST)
                return result;
        }
    }
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkWaitForFences(VkDevice device, uint32_t fenceCount,
                                                  const VkFence *pFences, VkBool32 waitAll,
                                                  uint64_t timeout)
{
    struct vd_device *dev = (struct vd_device *)device;
    const uint64_t deadline = deadline_of(timeout);
    if (!waitAll && fenceCount > 1)
        return wait_any(dev, fenceCount, pFences, deadline);
    for (uint32_t i = 0; i < fenceCount; i++) {
        const VkResult result = wait_one(dev, pFences[i], deadline);
        if (result != VK_SUCCESS)
            return result;
    }
    return VK_SUCCESS;
}
