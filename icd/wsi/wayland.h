/* SPDX-License-Identifier: MIT
 *
 * What of a Wayland connection is ours. The connection belongs to the application; events of what is
 * made here go to a queue of their own, so that neither side ever sees the other's. Nobody must send
 * what the compositor could answer with a protocol error: that ends the connection.
 *
 * One thread at a time, but for what says otherwise.
 */
#ifndef VIADUCT_ICD_WSI_WAYLAND_H
#define VIADUCT_ICD_WSI_WAYLAND_H

#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

#include "presenter.h"
#include "wayland_library.h"

#define VDC_WAYLAND_FORMATS_MAX 128 /* there may be more; those that matter come first */

struct vdc_wayland {
    const struct vdc_wl *wl;
    struct wl_display *display;
    struct wl_event_queue *queue;
    struct wl_proxy *wrapper; /* of the display: what it makes belongs to the queue */
    struct wl_proxy *shm;
    uint32_t format_count;
    uint32_t formats[VDC_WAYLAND_FORMATS_MAX]; /* enum wl_shm_format */
    int wake_fd;                               /* an eventfd that ends waits, or -1 */
};

/* Asks the compositor what there is, in two round trips. On failure there is nothing to finish:
 * VK_ERROR_SURFACE_LOST_KHR if nobody answers or there is no shared memory. */
VkResult vdc_wayland_init(struct vdc_wayland *w, struct wl_display *display);
/* What was made on the queue must be destroyed. */
void vdc_wayland_finish(struct vdc_wayland *w);

/* Handles events until *done. VK_TIMEOUT: it took longer than this (nanoseconds, UINT64_MAX: no limit).
 * VK_NOT_READY: wake_fd is readable. VK_ERROR_SURFACE_LOST_KHR: the connection has ended. */
VkResult vdc_wayland_wait(struct vdc_wayland *w, const bool *done, uint64_t timeout_ns);

/* Returns as vdc_wayland_wait() does, once everything sent before has been handled. */
VkResult vdc_wayland_sync(struct vdc_wayland *w, uint64_t timeout_ns);

/* A callback that sets *done; to be destroyed. NULL: no memory. */
struct wl_proxy *vdc_wayland_callback(const struct vdc_wayland *w, struct wl_proxy *factory,
                                      uint32_t opcode, bool *done);

/* How a swapchain's images get to the compositor. */
struct vdc_wayland_images {
    struct wl_display *display;
    struct wl_surface *surface;
    uint32_t shm_format; /* enum wl_shm_format, of 32 bits */
    VkExtent2D extent;
    uint32_t image_count; /* at most so many different ones */
};

VkResult vdc_wayland_presenter_create(const struct vdc_wayland_images *images,
                                      struct vdc_presenter **presenter);

#endif
