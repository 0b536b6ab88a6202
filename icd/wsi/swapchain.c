/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "swapchain.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "alloc.h"
#include "entrypoints.h"
#include "opcodes.h"
#include "surface.h"
#include "swapchain_state.h"

static struct vdc_succession *succession_join(struct vdc_swapchain *old)
{
    struct vdc_succession *succession;
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

static void succession_leave(struct vdc_succession *succession)
{
    /* Pairs with itself: whoever is last sees what the others did. */
    if (succession && atomic_fetch_sub_explicit(&succession->users, 1, memory_order_acq_rel) == 1) {
        pthread_mutex_destroy(&succession->lock);
        free(succession);
    }
}

static void locks_init(struct vdc_swapchain *s)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, &monotonic);
    pthread_cond_init(&s->wanted, NULL);
    pthread_condattr_destroy(&monotonic);
}

static void retire(struct vdc_swapchain *s)
{
    pthread_mutex_lock(&s->lock);
    s->retired = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    /* What it still shows, its successor waits for. */
    vdc_presenter_wake(s->presenter, true);
    vdc_waiter_changed(s->device->base.instance->connection->waiter);
}

/* Everything but the thread. */
static void finish(struct vdc_swapchain *s)
{
    if (!s->device)
        return;
    /* First: it may still read an image. */
    vdc_presenter_destroy(s->presenter);
    if (s->images.device)
        vdc_swapchain_images_finish(&s->images);
    succession_leave(s->succession);
    pthread_cond_destroy(&s->wanted);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s->handed);
    free(s->queued);
    free(s->free);
}

static VkResult init(struct vdc_swapchain *s, struct vdc_device *device,
                     const VkSwapchainCreateInfoKHR *info, struct vdc_swapchain *old)
{
    if (!s->base.id)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    s->device = device;
    s->mode = info->presentMode;
    s->generation = old ? old->generation + 1 : 0;
    locks_init(s);
    s->succession = succession_join(old);
    if (!s->succession)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    VkResult result = vdc_surface_ops(info->surface)->presenter(info, &s->presenter);
    if (result != VK_SUCCESS)
        return result;
    result = vdc_swapchain_images_init(&s->images, device, info, s->presenter);
    if (result != VK_SUCCESS) {
        s->images.device = NULL;
        return result;
    }
    s->free = calloc(s->images.count, sizeof(*s->free));
    s->queued = calloc(s->images.count, sizeof(*s->queued));
    s->handed = calloc(s->images.count, sizeof(*s->handed));
    if (!s->free || !s->queued || !s->handed)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    for (uint32_t i = 0; i < s->images.count; i++)
        vdc_swapchain_give_back(s, i);
    return vdc_swapchain_start(s);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkCreateSwapchainKHR(VkDevice device,
                                                        const VkSwapchainCreateInfoKHR *pCreateInfo,
                                                        const VkAllocationCallbacks *pAllocator,
                                                        VkSwapchainKHR *pSwapchain)
{
    struct vdc_swapchain *old = vdc_swapchain_of(pCreateInfo->oldSwapchain);
    /* Even if this fails. */
    if (old)
        retire(old);
    struct vdc_swapchain *s = vdc_wsi_alloc(pAllocator, sizeof(*s));
    if (!s)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    struct vdc_instance *instance = vdc_instance_of(device);
    s->base.id = vdc_id_new(instance, VD_TYPE_VkSwapchainKHR, 0);
    const VkResult result = init(s, (struct vdc_device *)device, pCreateInfo, old);
    if (result != VK_SUCCESS) {
        finish(s);
        vdc_id_free(instance, s->base.id);
        vdc_wsi_free(pAllocator, s);
        return result;
    }
    *pSwapchain = (VkSwapchainKHR)(uintptr_t)s;
    return VK_SUCCESS;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkDestroySwapchainKHR(VkDevice device, VkSwapchainKHR swapchain,
                                                     const VkAllocationCallbacks *pAllocator)
{
    struct vdc_swapchain *s = vdc_swapchain_of(swapchain);
    /* A forked child has neither the thread nor the connections. */
    if (!s || s->process != getpid())
        return;
    vdc_swapchain_stop(s);
    finish(s);
    vdc_id_free(vdc_instance_of(device), s->base.id);
    vdc_wsi_free(pAllocator, s);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetSwapchainImagesKHR(VkDevice device,
                                                           VkSwapchainKHR swapchain,
                                                           uint32_t *pSwapchainImageCount,
                                                           VkImage *pSwapchainImages)
{
    (void)device;
    const struct vdc_swapchain_images *images = &vdc_swapchain_of(swapchain)->images;
    if (!pSwapchainImages || *pSwapchainImageCount > images->count)
        *pSwapchainImageCount = images->count;
    for (uint32_t i = 0; pSwapchainImages && i < *pSwapchainImageCount; i++)
        pSwapchainImages[i] = images->images[i].image;
    return *pSwapchainImageCount < images->count ? VK_INCOMPLETE : VK_SUCCESS;
}

VkResult vdc_swapchain_create_alias(struct vdc_device *device, VkSwapchainKHR swapchain,
                                    VkImage *image)
{
    (void)device;
    return vdc_swapchain_images_alias(&vdc_swapchain_of(swapchain)->images, image);
}

void vdc_swapchain_image_memory(VkSwapchainKHR swapchain, uint32_t index, VkDeviceMemory *memory,
                                VkDeviceSize *offset)
{
    *memory = vdc_swapchain_of(swapchain)->images.images[index].memory;
    *offset = 0;
}
