/* SPDX-License-Identifier: MIT
 *
 * Images on their way between the application and the swapchain's ring of free ones.
 */
#define _GNU_SOURCE 1
#include "swapchain_state.h"

#include <errno.h>

#include "common/clock.h"
#include "entrypoints.h"
#include "icd/fence.h"
#include "icd/queue.h"

void vdc_swapchain_give_back(struct vdc_swapchain *s, uint32_t image)
{
    s->free[(s->free_first + s->free_count++) % s->images.count] = image;
}

static uint32_t take_free(struct vdc_swapchain *s)
{
    const uint32_t image = s->free[s->free_first];
    s->free_first = (s->free_first + 1) % s->images.count;
    s->free_count--;
    return image;
}

static VkResult take(struct vdc_swapchain *s, uint64_t timeout, uint32_t *image)
{
    const struct timespec deadline = vd_clock_after(timeout);
    VkResult result = VK_SUCCESS;
    bool expired = false;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        if (s->retired)
            result = VK_ERROR_OUT_OF_DATE_KHR;
        else if (s->status < 0)
            result = s->status;
        else if (s->free_count)
            break;
        else if (timeout == 0)
            result = VK_NOT_READY;
        else if (expired)
            result = VK_TIMEOUT;
        if (result != VK_SUCCESS)
            goto unlock;
        expired = pthread_cond_timedwait(&s->changed, &s->lock, &deadline) == ETIMEDOUT;
    }
    *image = take_free(s);
    /* The thread now has to look for the next one. */
    if (!s->free_count)
        pthread_cond_signal(&s->wanted);
    result = s->status;
unlock:
    pthread_mutex_unlock(&s->lock);
    return result;
}

static VkResult acquire(struct vdc_device *device, struct vdc_swapchain *s, uint64_t timeout,
                        VkSemaphore semaphore, VkFence fence, uint32_t *index)
{
    VkResult result = vdc_device_status(device);
    if (result != VK_SUCCESS)
        return result;
    uint32_t image = 0;
    result = take(s, timeout, &image);
    if (result != VK_SUCCESS && result != VK_SUBOPTIMAL_KHR)
        return result;
    if (semaphore) {
        const VkResult signalled = vdc_queue_signal(&device->queues[0], semaphore);
        if (signalled != VK_SUCCESS) {
            pthread_mutex_lock(&s->lock);
            vdc_swapchain_give_back(s, image);
            pthread_mutex_unlock(&s->lock);
            return signalled;
        }
    }
    if (fence)
        vdc_fence_attach(device->base.instance, fence, (struct vdc_point){0});
    *index = image;
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkAcquireNextImageKHR(VkDevice device, VkSwapchainKHR swapchain,
                                                         uint64_t timeout, VkSemaphore semaphore,
                                                         VkFence fence, uint32_t *pImageIndex)
{
    return acquire((struct vdc_device *)device, vdc_swapchain_of(swapchain), timeout, semaphore,
                   fence, pImageIndex);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkAcquireNextImage2KHR(
    VkDevice device, const VkAcquireNextImageInfoKHR *pAcquireInfo, uint32_t *pImageIndex)
{
    return acquire((struct vdc_device *)device, vdc_swapchain_of(pAcquireInfo->swapchain),
                   pAcquireInfo->timeout, pAcquireInfo->semaphore, pAcquireInfo->fence,
                   pImageIndex);
}

/* Nobody reads an image that is acquired: it is free at once. */
VKAPI_ATTR VkResult VKAPI_CALL vdc_vkReleaseSwapchainImagesEXT(
    VkDevice device, const VkReleaseSwapchainImagesInfoEXT *pReleaseInfo)
{
    (void)device;
    struct vdc_swapchain *s = vdc_swapchain_of(pReleaseInfo->swapchain);
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < pReleaseInfo->imageIndexCount; i++)
        vdc_swapchain_give_back(s, pReleaseInfo->pImageIndices[i]);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return VK_SUCCESS;
}
