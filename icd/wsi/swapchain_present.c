/* SPDX-License-Identifier: MIT
 *
 * What happens to a presented image: the swapchain's thread waits for it and shows it.
 */
#define _GNU_SOURCE 1
#include "swapchain_state.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "entrypoints.h"
#include "icd/chain.h"
#include "icd/log.h"
#include "icd/queue.h"

/* ---- The ring of queued images, under the lock */

static void enqueue(struct vdc_swapchain *s, const struct vdc_presented *presented)
{
    s->queued[(s->queued_first + s->queued_count++) % s->images.count] = *presented;
}

static struct vdc_presented dequeue(struct vdc_swapchain *s)
{
    const struct vdc_presented presented = s->queued[s->queued_first];
    s->queued_first = (s->queued_first + 1) % s->images.count;
    s->queued_count--;
    return presented;
}

static struct vdc_waiter *waiter_of(const struct vdc_swapchain *s)
{
    return s->device->base.instance->connection->waiter;
}

/* ---- The thread */

static VkResult show(struct vdc_swapchain *s, const struct vdc_presented *presented)
{
    const struct vdc_pixels *pixels = &s->images.images[presented->image].pixels;
    struct vdc_succession *succession = s->succession;
    VkResult result = VK_SUCCESS;
    pthread_mutex_lock(&succession->lock);
    if (succession->shown <= s->generation) {
        succession->shown = s->generation;
        result = s->presenter->ops->show(s->presenter, pixels, presented->paced);
    }
    pthread_mutex_unlock(&succession->lock);
    return result;
}

/* Pictures that have been overtaken by a finished one go back unseen. */
static struct vdc_presented newest(struct vdc_swapchain *s, struct vdc_presented presented)
{
    pthread_mutex_lock(&s->lock);
    while (s->queued_count) {
        const struct vdc_presented *next = &s->queued[s->queued_first];
        if (!next->overtakes || vdc_wait_point(waiter_of(s), next->point, 0) != VK_SUCCESS)
            break;
        vdc_swapchain_give_back(s, presented.image);
        pthread_cond_broadcast(&s->changed);
        const uint64_t overtaken = presented.id;
        presented = dequeue(s);
        if (!presented.id)
            presented.id = overtaken;
    }
    pthread_mutex_unlock(&s->lock);
    return presented;
}

/* Of the images that went through the presenter's hands, gives back what it no longer reads. Under the
 * lock. */
static void give_back_rested(struct vdc_swapchain *s)
{
    const struct vdc_presenter_ops *ops = s->presenter->ops;
    for (uint32_t i = 0; i < s->images.count; i++) {
        if (s->handed[i] &&
            !(ops->reads && ops->reads(s->presenter, &s->images.images[i].pixels))) {
            s->handed[i] = false;
            s->handed_count--;
            vdc_swapchain_give_back(s, i);
        }
    }
    pthread_cond_broadcast(&s->changed);
    vdc_waiter_changed(waiter_of(s));
}

/* Under the lock. */
static void set_status(struct vdc_swapchain *s, VkResult status)
{
    if (s->status < 0)
        return;
    if (status < 0)
        vdc_log("the swapchain cannot go on: VkResult %d", status);
    s->status = status;
}

/* Returns when something is queued, or nothing will be. Under the lock. */
static void await_work(struct vdc_swapchain *s)
{
    const struct vdc_presenter_ops *ops = s->presenter->ops;
    while (!s->queued_count && !s->stopped) {
        /* The next image to be acquired is one that the window system is done with. */
        s->resting = ops->rest && s->handed_count && !s->free_count && s->status >= 0;
        if (!s->resting) {
            pthread_cond_wait(&s->wanted, &s->lock);
            continue;
        }
        pthread_mutex_unlock(&s->lock);
        const VkResult rested = ops->rest(s->presenter);
        pthread_mutex_lock(&s->lock);
        s->resting = false;
        if (rested < 0)
            set_status(s, rested);
        give_back_rested(s);
    }
}

static void *present(void *data)
{
    struct vdc_swapchain *s = data;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        await_work(s);
        /* What was presented is shown even if the swapchain is destroyed at once. */
        if (!s->queued_count)
            break;
        struct vdc_presented presented = dequeue(s);
        VkResult status = s->status;
        pthread_mutex_unlock(&s->lock);

        /* Also after an error: an image that returns must be at rest. */
        const VkResult done = vdc_wait_point(waiter_of(s), presented.point, UINT64_MAX);
        if (status >= 0)
            status = done;
        if (status >= 0) {
            presented = newest(s, presented);
            status = show(s, &presented);
        }

        pthread_mutex_lock(&s->lock);
        set_status(s, status);
        if (status >= 0 && presented.id)
            s->shown_id = presented.id;
        s->handed[presented.image] = true;
        s->handed_count++;
        give_back_rested(s);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* Signals are the application's; none shall arrive in a thread that it does not know. */
VkResult vdc_swapchain_start(struct vdc_swapchain *s)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(&s->thread, NULL, present, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    pthread_setname_np(s->thread, "viaduct-present");
    s->process = getpid();
    return VK_SUCCESS;
}

void vdc_swapchain_stop(struct vdc_swapchain *s)
{
    pthread_mutex_lock(&s->lock);
    s->stopped = true;
    pthread_cond_signal(&s->wanted);
    pthread_mutex_unlock(&s->lock);
    vdc_presenter_wake(s->presenter, true);
    pthread_join(s->thread, NULL);
}

/* ---- Presenting */

/* Hands the image to the thread and says how the swapchain is. `mode`: NULL leaves it as it was. */
static VkResult hand_over(struct vdc_swapchain *s, struct vdc_presented presented,
                          const VkPresentModeKHR *mode)
{
    pthread_mutex_lock(&s->lock);
    if (mode)
        s->mode = *mode;
    presented.overtakes =
        s->mode == VK_PRESENT_MODE_MAILBOX_KHR || s->mode == VK_PRESENT_MODE_FIFO_LATEST_READY_EXT;
    presented.paced =
        s->mode != VK_PRESENT_MODE_MAILBOX_KHR && s->mode != VK_PRESENT_MODE_IMMEDIATE_KHR;
    if (presented.id)
        s->queued_id = presented.id;
    enqueue(s, &presented);
    pthread_cond_signal(&s->wanted);
    if (s->resting)
        vdc_presenter_wake(s->presenter, false);
    const VkResult status = s->status;
    pthread_mutex_unlock(&s->lock);
    return status;
}

/* For those who wait for an image that will not come. */
static void fail(struct vdc_swapchain *s, VkResult error)
{
    pthread_mutex_lock(&s->lock);
    if (s->status >= 0)
        s->status = error;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    vdc_waiter_changed(waiter_of(s));
}

/* Of several results, an error counts most, and success least. */
static VkResult worse(VkResult a, VkResult b)
{
    return a < 0 || (b >= 0 && a != VK_SUCCESS) ? a : b;
}

/* One batch that waits, and makes the pixels of all swapchains readable. When it is done, nothing of
 * the application's is needed any more, and so it signals the fences: destroying a swapchain waits
 * for its thread. */
static VkResult submit(struct vdc_queue *queue, const VkPresentInfoKHR *info,
                       struct vdc_point *point)
{
    const VkSwapchainPresentFenceInfoEXT *fences =
        vd_chain_find(info->pNext, VK_STRUCTURE_TYPE_SWAPCHAIN_PRESENT_FENCE_INFO_EXT);
    const uint32_t waits = info->waitSemaphoreCount;
    VkPipelineStageFlags *stages = calloc(waits ? waits : 1, sizeof(*stages));
    VkCommandBuffer *copies = calloc(info->swapchainCount, sizeof(*copies));
    VkResult result = stages && copies ? VK_SUCCESS : VK_ERROR_OUT_OF_HOST_MEMORY;
    uint32_t copy_count = 0;
    for (uint32_t i = 0; i < info->swapchainCount && result == VK_SUCCESS; i++) {
        result =
            vdc_swapchain_image_copy(&vdc_swapchain_of(info->pSwapchains[i])->images,
                                     info->pImageIndices[i], queue->family, &copies[copy_count]);
        copy_count += copies[copy_count] != VK_NULL_HANDLE;
    }
    for (uint32_t i = 0; i < waits && result == VK_SUCCESS; i++)
        stages[i] = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
    /* Also without semaphores: the image is ready when all that was submitted before is. */
    if (result == VK_SUCCESS)
        result = vdc_queue_submit_batch(queue,
                                        &(const VkSubmitInfo){
                                            .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                            .waitSemaphoreCount = waits,
                                            .pWaitSemaphores = info->pWaitSemaphores,
                                            .pWaitDstStageMask = stages,
                                            .commandBufferCount = copy_count,
                                            .pCommandBuffers = copies,
                                        },
                                        fences ? fences->swapchainCount : 0,
                                        fences ? fences->pFences : NULL, point);
    free(copies);
    free(stages);
    return result;
}

/* The application's own number of the presentation to swapchain i, 0: none. */
static uint64_t present_id(const void *chain, uint32_t i)
{
    const VkPresentIdKHR *ids = vd_chain_find(chain, VK_STRUCTURE_TYPE_PRESENT_ID_KHR);
    if (ids && ids->pPresentIds)
        return ids->pPresentIds[i];
#ifdef VK_KHR_present_id2
    const VkPresentId2KHR *ids2 = vd_chain_find(chain, VK_STRUCTURE_TYPE_PRESENT_ID_2_KHR);
    if (ids2 && ids2->pPresentIds)
        return ids2->pPresentIds[i];
#endif
    return 0;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkQueuePresentKHR(VkQueue handle,
                                                     const VkPresentInfoKHR *pPresentInfo)
{
    struct vdc_queue *queue = (struct vdc_queue *)handle;
    const void *chain = pPresentInfo->pNext;
    const VkSwapchainPresentModeInfoEXT *modes =
        vd_chain_find(chain, VK_STRUCTURE_TYPE_SWAPCHAIN_PRESENT_MODE_INFO_EXT);
    struct vdc_point point = {0};
    const VkResult submitted = submit(queue, pPresentInfo, &point);
    VkResult result = submitted;
    for (uint32_t i = 0; i < pPresentInfo->swapchainCount; i++) {
        struct vdc_swapchain *s = vdc_swapchain_of(pPresentInfo->pSwapchains[i]);
        VkResult status = submitted;
        if (submitted == VK_SUCCESS) {
            const struct vdc_presented presented = {
                .image = pPresentInfo->pImageIndices[i],
                .point = point,
                .id = present_id(chain, i),
            };
            status = hand_over(s, presented, modes ? &modes->pPresentModes[i] : NULL);
        } else if (submitted == VK_ERROR_DEVICE_LOST) {
            fail(s, submitted);
        }
        if (pPresentInfo->pResults)
            pPresentInfo->pResults[i] = status;
        result = worse(result, status);
    }
    return result;
}

/* Surfaces are sRGB, whose range no metadata changes. */
VKAPI_ATTR void VKAPI_CALL vdc_vkSetHdrMetadataEXT(VkDevice device, uint32_t swapchainCount,
                                                   const VkSwapchainKHR *pSwapchains,
                                                   const VkHdrMetadataEXT *pMetadata)
{
    (void)device;
    (void)swapchainCount;
    (void)pSwapchains;
    (void)pMetadata;
}

/* ---- Waiting for presents */

struct wait {
    struct vdc_swapchain *swapchain;
    uint64_t id;
    VkResult *result;
};

static bool is_over(const void *data)
{
    const struct wait *wait = data;
    struct vdc_swapchain *s = wait->swapchain;
    pthread_mutex_lock(&s->lock);
    const bool shown = s->shown_id >= wait->id;
    const bool never = s->status < 0 || (s->retired && s->queued_id < wait->id);
    if (shown)
        *wait->result = VK_SUCCESS;
    else if (never)
        *wait->result = s->status < 0 ? s->status : VK_ERROR_OUT_OF_DATE_KHR;
    pthread_mutex_unlock(&s->lock);
    return shown || never;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkWaitForPresentKHR(VkDevice device, VkSwapchainKHR swapchain,
                                                       uint64_t presentId, uint64_t timeout)
{
    VkResult result = VK_SUCCESS;
    const struct wait wait = {vdc_swapchain_of(swapchain), presentId, &result};
    const VkResult waited =
        vdc_wait_until(vdc_instance_of(device)->connection->waiter, is_over, &wait, timeout);
    return waited == VK_SUCCESS ? result : waited;
}

#ifdef VK_KHR_present_wait2
VKAPI_ATTR VkResult VKAPI_CALL vdc_vkWaitForPresent2KHR(
    VkDevice device, VkSwapchainKHR swapchain, const VkPresentWait2InfoKHR *pPresentWait2Info)
{
    return vdc_vkWaitForPresentKHR(device, swapchain, pPresentWait2Info->presentId,
                                   pPresentWait2Info->timeout);
}
#endif
