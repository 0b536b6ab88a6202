/* SPDX-License-Identifier: MIT */
#include "fence.h"

#include <pthread.h>
#include <stdlib.h>

#include "entrypoints.h"

struct vd_fence {
    bool signaled;
    struct vd_queue *queue; /* NULL: nothing pending */
    uint64_t number;
};

/* Around the members of all fences, for a few instructions: a fence may be waited for while another
 * thread submits it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool is_signaled(VkFence handle)
{
    pthread_mutex_lock(&lock);
    const struct vd_fence fence = *(const struct vd_fence *)handle;
    pthread_mutex_unlock(&lock);
    return fence.signaled || (fence.queue && vd_queue_done(fence.queue, fence.number));
}

void vd_fence_attach(struct vd_instance *instance, VkFence handle, struct vd_queue *queue,
                     uint64_t number)
{
    struct vd_fence *fence = (struct vd_fence *)handle;
    if (!fence)
        return;
    pthread_mutex_lock(&lock);
    *fence = (struct vd_fence){.signaled = !queue, .queue = queue, .number = number};
    pthread_mutex_unlock(&lock);
    /* Somebody may wait for it already. */
    vd_connection_changed(instance->connection);
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

struct wait {
    const VkFence *fences;
    uint32_t count;
    bool all;
};

static bool is_over(const void *data)
{
    const struct wait *wait = data;
    for (uint32_t i = 0; i < wait->count; i++)
        if (is_signaled(wait->fences[i]) != wait->all)
            return !wait->all;
    return wait->all;
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkWaitForFences(VkDevice device, uint32_t fenceCount,
                                                  const VkFence *pFences, VkBool32 waitAll,
                                                  uint64_t timeout)
{
    const struct wait wait = {pFences, fenceCount, waitAll || fenceCount == 1};
    return vd_connection_wait_until(vd_instance_of(device)->connection, is_over, &wait, timeout);
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkGetFenceStatus(VkDevice device, VkFence fence)
{
    const VkResult result = vd_vkWaitForFences(device, 1, &fence, VK_TRUE, 0);
    return result == VK_TIMEOUT ? VK_NOT_READY : result;
}
