/* SPDX-License-Identifier: MIT
 *
 * The displays of this machine, which may be a virtual one: connectors of the cards that can be
 * opened here. Nothing of them is the host's business.
 */
#ifndef VIADUCT_ICD_WSI_DISPLAY_H
#define VIADUCT_ICD_WSI_DISPLAY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <xf86drmMode.h>

#include "icd/instance.h"
#include "protocol/vk.h"

struct vdc_card;
struct vdc_displays;
struct vdc_drm;

struct vdc_display_mode {
    struct vdc_display_mode *next;
    struct vdc_display *display;
    drmModeModeInfo info;
};

/* What a VkDisplayKHR points to; lives as long as the instance. */
struct vdc_display {
    struct vdc_display *next;
    struct vdc_card *card;
    uint32_t connector;
    uint32_t crtc; /* 0: none is left for it */
    bool connected;
    char name[32];
    uint32_t width_mm, height_mm;
    struct vdc_display_mode *modes; /* in the kernel's order, which begins with the preferred one */
    int acquired;                   /* the application's descriptor, to be used instead; -1 */

    /* Guarded by the displays' lock. */
    const void *owner;   /* of what is shown; NULL: somebody else's */
    drmModeCrtc *before; /* what was shown before there was an owner */
};

struct vdc_card {
    struct vdc_card *next;
    struct vdc_displays *displays;
    int fd;
    dev_t device;
    bool is_virtio;
    unsigned users; /* that want to be its master */
};

struct vdc_displays {
    const struct vdc_instance *instance;
    pthread_mutex_t lock;
    const struct vdc_drm *drm; /* NULL: there are no displays, or nobody has asked for them */
    struct vdc_card *cards;
    struct vdc_display *first; /* a display's place in this list is the number of its plane */
};

/* NULL without memory. Finds nothing before somebody asks. */
struct vdc_displays *vdc_displays_create(const struct vdc_instance *instance);
/* NULL is fine. */
void vdc_displays_destroy(struct vdc_displays *displays);

/* Looks for cards, displays and modes. Under the lock. */
void vdc_displays_search(struct vdc_displays *displays);

VkExtent2D vdc_display_mode_extent(const struct vdc_display_mode *mode);

/* The descriptor to draw with, as the card's master: false if somebody else is. */
bool vdc_display_take(struct vdc_display *display, int *fd);
void vdc_display_give(struct vdc_display *display);
/* A frame buffer of pixels in this DMA buffer, at `offset` and with rows `pitch` bytes apart: for
 * drmModeRmFB. 0: the display does not show such memory. */
uint32_t vdc_display_import(struct vdc_display *display, int dma_buf, VkExtent2D extent,
                            uint64_t offset, uint32_t pitch);
struct vdc_connection *vdc_display_connection(const struct vdc_display *display);
/* Shows a frame buffer, and returns when the one before is no longer shown. Returns 0 or an errno.
 * `owner` is whoever shows it. */
int vdc_display_show(struct vdc_display *display, const struct vdc_display_mode *mode,
                     const void *owner, uint32_t frame_buffer);
/* Shows what was shown before, if `owner` was the last to show something. */
void vdc_display_restore(struct vdc_display *display, const void *owner);

#endif
