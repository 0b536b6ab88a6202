/* SPDX-License-Identifier: MIT
 *
 * What the files of a swapchain share. An image goes round: free, acquired by the application,
 * queued for the swapchain's thread, free again. The thread waits for the host to finish the image,
 * shows it, and returns it when the window system no longer reads it. So an image that can be
 * acquired is at rest, and the semaphore or fence of the acquisition can be signalled at once.
 */
#ifndef VIADUCT_ICD_WSI_SWAPCHAIN_STATE_H
#define VIADUCT_ICD_WSI_SWAPCHAIN_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "icd/connection/waiter.h"
#include "swapchain_image.h"

/* Which of the swapchains that replaced each other on a surface was the last to show an image: one
 * that was replaced must not paint over its successor. */
struct vd_succession {
    atomic_uint users;
    pthread_mutex_t lock; /* held while an image is shown */
    uint64_t shown;       /* generation */
};

#define VD_NO_IMAGE UINT32_MAX

/* A presented image, ready at this point. */
struct vd_presented {
    uint32_t image;
    bool overtakes; /* what is still queued before it, once it is ready */
    struct vdc_point point;
    uint64_t id; /* the application's, which only grows; 0: none */
};

struct vd_swapchain {
    struct vd_device *device;
    struct vd_swapchain_images images;
    struct vd_presenter *presenter;
    struct vd_succession *succession;
    uint64_t generation;
    pthread_t thread;
    pid_t process; /* that has the thread */

    pthread_mutex_t lock;   /* covers what follows */
    pthread_cond_t changed; /* an image is free, or there will be none */
    pthread_cond_t wanted;  /* the thread has something to do */
    bool retired;
    bool stopped;
    VkResult status;              /* of the last image; an error stays */
    VkPresentModeKHR mode;        /* of the next image, unless it brings another */
    uint64_t queued_id, shown_id; /* the last of each */
    uint32_t kept;                /* an image that the presenter still reads; the thread's own */
    /* Rings with room for every image. */
    uint32_t *free;
    uint32_t free_first, free_count;
    struct vd_presented *queued;
    uint32_t queued_first, queued_count;
};

static inline struct vd_swapchain *vd_swapchain_of(VkSwapchainKHR handle)
{
    return (struct vd_swapchain *)(uintptr_t)handle;
}

/* Under the lock. Whoever waits for an image must be told. */
void vd_swapchain_give_back(struct vd_swapchain *s, uint32_t image);

/* The thread that shows what is presented. */
VkResult vd_swapchain_start(struct vd_swapchain *s);
/* Returns when everything presented has been shown. */
void vd_swapchain_stop(struct vd_swapchain *s);

#endif
