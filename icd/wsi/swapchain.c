/* SPDX-License-Identifier: MIT
 *
 * An image goes round: free, acquired by the application, queued for the swapchain's thread, free
 * again. The thread waits for the host to finish the image, shows it, and returns it when the
 * window system no longer reads it. So an image that can be acquired is at rest, and the semaphore
 * or fence of the acquisition can be signalled at once.
 */
#define _GNU_SOURCE 1
#include "swapchain.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "alloc.h"
#include "entrypoints.h"
#include "icd/fence.h"
#include "icd/log.h"
#include "surface.h"
#include "swapchain_image.h"

/* Which of the swapchains that replaced each other on a surface was the last to show a picture: one
 * that was replaced must not paint over its successor. */
struct succession {
    atomic_uint users;
    pthread_mutex_t lock; /* held while a picture is shown */
    uint64_t shown;       /* generation */
};

#define NO_IMAGE UINT32_MAX

/* A presented image, ready once this batch is done. */
struct presented {
    uint32_t image;
    struct vd_queue *queue;
    uint64_t batch;
};

struct swapchain {
    struct vd_device *device;
    struct vd_swapchain_images images;
    struct vd_presenter *presenter;
    bool newest_only; /* mailbox */
    struct succession *succession;
    uint64_t generation;
    pthread_t thread;
    pid_t process; /* that has the thread */

    pthread_mutex_t lock;   /* covers what follows */
    pthread_cond_t changed; /* an image is free, or there will be none */
    pthread_cond_t wanted;  /* the thread has something to do */
    bool retired;
    bool stopped;
    VkResult status; /* of the last picture; an error stays */
    uint32_t kept;   /* an image that the presenter still reads; the thread's own */
    /* Rings with room for every image. */
    uint32_t *free;
    uint32_t free_first, free_count;
    struct presented *queued;
    uint32_t queued_first, queued_count;
};

static struct swapchain *swapchain_of(VkSwapchainKHR handle)
{
    return (struct swapchain *)(uintptr_t)handle;
}

/* -- the rings, under the lock ---------------------------------------------------------------- */

static void give_back(struct swapchain *s, uint32_t image)
{
    s->free[(s->free_first + s->free_count++) % s->images.count] = image;
}

static uint32_t take_free(struct swapchain *s)
{
    const uint32_t image = s->free[s->free_first];
    s->free_first = (s->free_first + 1) % s->images.count;
    s->free_count--;
    return image;
}

static void enqueue(struct swapchain *s, const struct presented *presented)
{
    s->queued[(s->queued_first + s->queued_count++) % s->images.count] = *presented;
}

static struct presented dequeue(struct swapchain *s)
{
    const struct presented presented = s->queued[s->queued_first];
    s->queued_first = (s->queued_first + 1) % s->images.count;
    s->queued_count--;
    return presented;
}

/* -- showing ---------------------------------------------------------------------------------- */

static VkResult show(struct swapchain *s, uint32_t image)
{
    struct succession *succession = s->succession;
    VkResult result = VK_SUCCESS;
    pthread_mutex_lock(&succession->lock);
    if (succession->shown <= s->generation) {
        succession->shown = s->generation;
        result = s->presenter->ops->show(s->presenter, &s->images.images[image].pixels);
    }
    pthread_mutex_unlock(&succession->lock);
    return result;
}

/* With mailbox, pictures that have been overtaken by a finished one go back unseen. */
static struct presented newest(struct swapchain *s, struct presented presented)
{
    pthread_mutex_lock(&s->lock);
    while (s->queued_count) {
        const struct presented *next = &s->queued[s->queued_first];
        if (vd_queue_wait(next->queue, next->batch, 0) != VK_SUCCESS)
            break;
        give_back(s, presented.image);
        pthread_cond_broadcast(&s->changed);
        presented = dequeue(s);
    }
    pthread_mutex_unlock(&s->lock);
    return presented;
}

/* Of the image that was last handed to the presenter and the one that it has kept since, gives back
 * what it no longer reads. Under the lock. */
static void give_back_rested(struct swapchain *s, uint32_t image)
{
    if (s->kept != NO_IMAGE)
        give_back(s, s->kept);
    s->kept = s->presenter->keeps ? image : NO_IMAGE;
    if (s->kept == NO_IMAGE)
        give_back(s, image);
}

static void *present(void *data)
{
    struct swapchain *s = data;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (!s->queued_count && !s->stopped)
            pthread_cond_wait(&s->wanted, &s->lock);
        /* What was presented is shown even if the swapchain is destroyed at once. */
        if (!s->queued_count)
            break;
        struct presented presented = dequeue(s);
        VkResult status = s->status;
        pthread_mutex_unlock(&s->lock);

        /* Also after an error: an image that returns must be at rest. */
        const VkResult done = vd_queue_wait(presented.queue, presented.batch, UINT64_MAX);
        if (status >= 0)
            status = done;
        if (status >= 0) {
            if (s->newest_only)
                presented = newest(s, presented);
            status = show(s, presented.image);
        }

        pthread_mutex_lock(&s->lock);
        if (s->status >= 0) {
            if (status < 0)
                vd_log("the swapchain cannot go on: VkResult %d", status);
            s->status = status;
        }
        give_back_rested(s, presented.image);
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* Signals are the application's; none shall arrive in a thread that it does not know. */
static VkResult start_thread(struct swapchain *s)
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

/* -- creating and destroying ------------------------------------------------------------------ */

static struct succession *succession_join(struct swapchain *old)
{
    struct succession *succession;
    if (old) {
        succession = old->succession;
        atomic_fetch_add_explicit(&succession->users, 1, memory_order_relaxed);
        return succession;
    }
    succession = calloc(1, sizeof(*succession));
    if (succession) {
        atomic_init(&succession->users, 1);
        pthread_mutex_init(&succession->lock, NULL);
    }
    return succession;
}

static void succession_leave(struct succession *succession)
{
    /* Pairs with itself: whoever is last sees what the others did. */
    if (succession && atomic_fetch_sub_explicit(&succession->users, 1, memory_order_acq_rel) == 1) {
        pthread_mutex_destroy(&succession->lock);
        free(succession);
    }
}

static void locks_init(struct swapchain *s)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, &monotonic);
    pthread_cond_init(&s->wanted, NULL);
    pthread_condattr_destroy(&monotonic);
}

static void retire(struct swapchain *s)
{
    pthread_mutex_lock(&s->lock);
    s->retired = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* Everything but the thread. */
static void finish(struct swapchain *s)
{
    /* First: it may still read an image. */
    vd_presenter_destroy(s->presenter);
    if (s->images.device)
        vd_swapchain_images_finish(&s->images);
    succession_leave(s->succession);
    pthread_cond_destroy(&s->wanted);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s->queued);
    free(s->free);
}

static VkResult init(struct swapchain *s, struct vd_device *device,
                     const VkSwapchainCreateInfoKHR *info, struct swapchain *old)
{
    s->device = device;
    s->kept = NO_IMAGE;
    s->newest_only = info->presentMode == VK_PRESENT_MODE_MAILBOX_KHR;
    s->generation = old ? old->generation + 1 : 0;
    locks_init(s);
    s->succession = succession_join(old);
    if (!s->succession)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    VkResult result = vd_surface_ops(info->surface)
                          ->presenter(vd_surface_base(info->surface), info->imageFormat,
                                      info->imageExtent, info->minImageCount, &s->presenter);
    if (result != VK_SUCCESS)
        return result;
    result = vd_swapchain_images_init(&s->images, device, info, s->presenter);
    if (result != VK_SUCCESS) {
        s->images.device = NULL;
        return result;
    }
    s->free = calloc(s->images.count, sizeof(*s->free));
    s->queued = calloc(s->images.count, sizeof(*s->queued));
    if (!s->free || !s->queued)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    for (uint32_t i = 0; i < s->images.count; i++)
        give_back(s, i);
    return start_thread(s);
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkCreateSwapchainKHR(VkDevice device,
                                                       const VkSwapchainCreateInfoKHR *pCreateInfo,
                                                       const VkAllocationCallbacks *pAllocator,
                                                       VkSwapchainKHR *pSwapchain)
{
    struct swapchain *old = swapchain_of(pCreateInfo->oldSwapchain);
    /* Even if this fails. */
    if (old)
        retire(old);
    struct swapchain *s = vd_wsi_alloc(pAllocator, sizeof(*s));
    if (!s)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    const VkResult result = init(s, (struct vd_device *)device, pCreateInfo, old);
    if (result != VK_SUCCESS) {
        finish(s);
        vd_wsi_free(pAllocator, s);
        return result;
    }
    *pSwapchain = (VkSwapchainKHR)(uintptr_t)s;
    return VK_SUCCESS;
}

VKAPI_ATTR void VKAPI_CALL vd_vkDestroySwapchainKHR(VkDevice device, VkSwapchainKHR swapchain,
                                                    const VkAllocationCallbacks *pAllocator)
{
    (void)device;
    struct swapchain *s = swapchain_of(swapchain);
    /* A forked child has neither the thread nor the connections. */
    if (!s || s->process != getpid())
        return;
    pthread_mutex_lock(&s->lock);
    s->stopped = true;
    pthread_cond_signal(&s->wanted);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    finish(s);
    vd_wsi_free(pAllocator, s);
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkGetSwapchainImagesKHR(VkDevice device, VkSwapchainKHR swapchain,
                                                          uint32_t *pSwapchainImageCount,
                                                          VkImage *pSwapchainImages)
{
    (void)device;
    const struct vd_swapchain_images *images = &swapchain_of(swapchain)->images;
    if (!pSwapchainImages || *pSwapchainImageCount > images->count)
        *pSwapchainImageCount = images->count;
    for (uint32_t i = 0; pSwapchainImages && i < *pSwapchainImageCount; i++)
        pSwapchainImages[i] = images->images[i].image;
    return *pSwapchainImageCount < images->count ? VK_INCOMPLETE : VK_SUCCESS;
}

VkResult vd_swapchain_create_alias(struct vd_device *device, VkSwapchainKHR swapchain,
                                   VkImage *image)
{
    (void)device;
    return vd_swapchain_images_alias(&swapchain_of(swapchain)->images, image);
}

void vd_swapchain_image_memory(VkSwapchainKHR swapchain, uint32_t index, VkDeviceMemory *memory,
                               VkDeviceSize *offset)
{
    *memory = swapchain_of(swapchain)->images.images[index].memory;
    *offset = 0;
}

/* -- acquiring -------------------------------------------------------------------------------- */

static struct timespec deadline_after(uint64_t timeout_ns)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    const uint64_t nanoseconds = (uint64_t)t.tv_nsec + timeout_ns % 1000000000;
    /* Beyond any life span, and far from what time_t can hold. */
    const uint64_t seconds = timeout_ns / 1000000000 + nanoseconds / 1000000000;
    t.tv_sec += (time_t)(seconds < (1u << 30) ? seconds : 1u << 30);
    t.tv_nsec = (long)(nanoseconds % 1000000000);
    return t;
}

static VkResult take(struct swapchain *s, uint64_t timeout, uint32_t *image)
{
    const struct timespec deadline = deadline_after(timeout);
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
    result = s->status;
unlock:
    pthread_mutex_unlock(&s->lock);
    return result;
}

static VkResult acquire(struct vd_device *device, struct swapchain *s, uint64_t timeout,
                        VkSemaphore semaphore, VkFence fence, uint32_t *index)
{
    VkResult result = vd_device_status(device);
    if (result != VK_SUCCESS)
        return result;
    uint32_t image = 0;
    result = take(s, timeout, &image);
    if (result != VK_SUCCESS && result != VK_SUBOPTIMAL_KHR)
        return result;
    if (semaphore) {
        const VkResult submitted = vd_queue_submit_batch(&device->queues[0],
                                                         &(const VkSubmitInfo){
                                                             .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                                             .signalSemaphoreCount = 1,
                                                             .pSignalSemaphores = &semaphore,
                                                         },
                                                         NULL);
        if (submitted != VK_SUCCESS) {
            pthread_mutex_lock(&s->lock);
            give_back(s, image);
            pthread_mutex_unlock(&s->lock);
            return submitted;
        }
    }
    if (fence)
        vd_fence_attach(device->base.instance, fence, NULL, 0);
    *index = image;
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkAcquireNextImageKHR(VkDevice device, VkSwapchainKHR swapchain,
                                                        uint64_t timeout, VkSemaphore semaphore,
                                                        VkFence fence, uint32_t *pImageIndex)
{
    return acquire((struct vd_device *)device, swapchain_of(swapchain), timeout, semaphore, fence,
                   pImageIndex);
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkAcquireNextImage2KHR(
    VkDevice device, const VkAcquireNextImageInfoKHR *pAcquireInfo, uint32_t *pImageIndex)
{
    return acquire((struct vd_device *)device, swapchain_of(pAcquireInfo->swapchain),
                   pAcquireInfo->timeout, pAcquireInfo->semaphore, pAcquireInfo->fence,
                   pImageIndex);
}

/* -- presenting ------------------------------------------------------------------------------- */

/* Hands the image to the thread and says how the swapchain is. */
static VkResult hand_over(struct swapchain *s, const struct presented *presented)
{
    pthread_mutex_lock(&s->lock);
    enqueue(s, presented);
    pthread_cond_signal(&s->wanted);
    const VkResult status = s->status;
    pthread_mutex_unlock(&s->lock);
    return status;
}

/* For those who wait for an image that will not come. */
static void fail(struct swapchain *s, VkResult error)
{
    pthread_mutex_lock(&s->lock);
    if (s->status >= 0)
        s->status = error;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* Of several results, an error counts most, and success least. */
static VkResult worse(VkResult a, VkResult b)
{
    return a < 0 || (b >= 0 && a != VK_SUCCESS) ? a : b;
}

/* One batch that waits, and makes the pixels of all swapchains readable. */
static VkResult submit(struct vd_queue *queue, const VkPresentInfoKHR *info, uint64_t *batch)
{
    const uint32_t waits = info->waitSemaphoreCount;
    VkPipelineStageFlags *stages = calloc(waits ? waits : 1, sizeof(*stages));
    VkCommandBuffer *copies = calloc(info->swapchainCount, sizeof(*copies));
    VkResult result = stages && copies ? VK_SUCCESS : VK_ERROR_OUT_OF_HOST_MEMORY;
    uint32_t copy_count = 0;
    for (uint32_t i = 0; i < info->swapchainCount && result == VK_SUCCESS; i++) {
        result =
            vd_swapchain_image_copy(&swapchain_of(info->pSwapchains[i])->images,
                                    info->pImageIndices[i], queue->family, &copies[copy_count]);
        copy_count += copies[copy_count] != VK_NULL_HANDLE;
    }
    for (uint32_t i = 0; i < waits && result == VK_SUCCESS; i++)
        stages[i] = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
    /* Also without semaphores: the picture is ready when all that was submitted before is. */
    if (result == VK_SUCCESS)
        result = vd_queue_submit_batch(queue,
                                       &(const VkSubmitInfo){
                                           .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                           .waitSemaphoreCount = waits,
                                           .pWaitSemaphores = info->pWaitSemaphores,
                                           .pWaitDstStageMask = stages,
                                           .commandBufferCount = copy_count,
                                           .pCommandBuffers = copies,
                                       },
                                       batch);
    free(copies);
    free(stages);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkQueuePresentKHR(VkQueue handle,
                                                    const VkPresentInfoKHR *pPresentInfo)
{
    struct vd_queue *queue = (struct vd_queue *)handle;
    struct presented presented = {.queue = queue};
    const VkResult submitted = submit(queue, pPresentInfo, &presented.batch);
    VkResult result = submitted;
    for (uint32_t i = 0; i < pPresentInfo->swapchainCount; i++) {
        struct swapchain *s = swapchain_of(pPresentInfo->pSwapchains[i]);
        VkResult status = submitted;
        if (submitted == VK_SUCCESS) {
            presented.image = pPresentInfo->pImageIndices[i];
            status = hand_over(s, &presented);
        } else if (submitted == VK_ERROR_DEVICE_LOST) {
            fail(s, submitted);
        }
        if (pPresentInfo->pResults)
            pPresentInfo->pResults[i] = status;
        result = worse(result, status);
    }
    return result;
}
