/* SPDX-License-Identifier: MIT
 *
 * The displays of this machine, which may be a virtual one: connectors of the cards that can be
 * opened here. Nothing of them is the host's business.
 */
#ifndef VIADUCT_ICD_WSI_DISPLAY_H
#define VIADUCT_ICD_WSI_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include <xf86drmMode.h>

#include "icd/instance.h"
#include "protocol/vk.h"

struct vd_card;
struct vd_displays;

struct vd_display_mode {
    struct vd_display_mode *next;
    struct vd_display *display;
    drmModeModeInfo info;
};

/* What a VkDisplayKHR points to; lives as long as the instance. */
struct vd_display {
    struct vd_display *next;
    struct vd_card *card;
    uint32_t connector;
    uint32_t crtc; /* 0: none is left for it */
    bool connected;
    char name[32];
    uint32_t width_mm, height_mm;
    struct vd_display_mode *modes; /* in the kernel's order, which begins with the preferred one */
    int acquired;                  /* the application's descriptor, to be used instead; -1 */

    /* Guarded by the displays' lock. */
    const void *owner;   /* of what is shown; NULL: somebody else's */
    drmModeCrtc *before; /* what was shown before there was an owner */
};

/* NULL without memory. Finds nothing before somebody asks. */
struct vd_displays *vd_displays_create(const struct vd_instance *instance);
/* NULL is fine. */
void vd_displays_destroy(struct vd_displays *displays);

VkExtent2D vd_display_mode_extent(const struct vd_display_mode *mode);

/* The descriptor to draw with, as the card's master: false if somebody else is. */
bool vd_display_take(struct vd_display *display, int *fd);
void vd_display_give(struct vd_display *display);
/* A frame buffer of pixels in this DMA buffer, at `offset` and with rows `pitch` bytes apart: for
 * drmModeRmFB. 0: the display does not show such memory. */
uint32_t vd_display_import(struct vd_display *display, int dma_buf, VkExtent2D extent,
                           uint64_t offset, uint32_t pitch);
struct vd_connection *vd_display_connection(const struct vd_display *display);
/* Shows a frame buffer, and returns when the one before is no longer shown. Returns 0 or an errno.
 * `owner` is whoever shows it. */
int vd_display_show(struct vd_display *display, const struct vd_display_mode *mode,
                    const void *owner, uint32_t frame_buffer);
/* Shows what was shown before, if `owner` was the last to show something. */
void vd_display_restore(struct vd_display *display, const void *owner);

#endif
