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
struct vdc_succession {
    atomic_uint users;
    pthread_mutex_t lock; /* held while an image is shown */
    uint64_t shown;       /* generation */
};

/* A presented image, ready at this point. */
struct vdc_presented {
    uint32_t image;
    bool overtakes; /* what is still queued before it, once it is ready */
    bool paced;     /* is seen before the next one */
    struct vdc_point point;
    uint64_t id; /* the application's, which only grows; 0: none */
};

struct vdc_swapchain {
    struct vdc_local_object base;
    struct vdc_device *device;
    struct vdc_swapchain_images images;
    struct vdc_presenter *presenter;
    struct vdc_succession *succession;
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
    bool resting;                 /* the thread is, or goes, in the presenter's `rest` */
    bool *handed;                 /* of each image: was shown, and may still be read */
    uint32_t handed_count;
    /* Rings with room for every image. */
    uint32_t *free;
    uint32_t free_first, free_count;
    struct vdc_presented *queued;
    uint32_t queued_first, queued_count;
};

static inline struct vdc_swapchain *vdc_swapchain_of(VkSwapchainKHR handle)
{
    return (struct vdc_swapchain *)(uintptr_t)handle;
}

/* Under the lock. Whoever waits for an image must be told. */
void vdc_swapchain_give_back(struct vdc_swapchain *s, uint32_t image);

/* The thread that shows what is presented. */
VkResult vdc_swapchain_start(struct vdc_swapchain *s);
/* Returns when everything presented has been shown. */
void vdc_swapchain_stop(struct vdc_swapchain *s);

#endif
