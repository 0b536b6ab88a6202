/* SPDX-License-Identifier: MIT
 *
 * X11 windows, reached through xcb: an Xlib display is an xcb connection underneath.
 *
 * The connection and its event queue belong to the application. So nothing here leaves an error
 * behind that would turn up there: every request is checked or has a reply.
 */
#ifndef VIADUCT_ICD_WSI_X11_H
#define VIADUCT_ICD_WSI_X11_H

#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

#include "presenter.h"
#include "x11_library.h"

/* How a window stores pixels of a format. */
struct vdc_x11_window {
    const struct vdc_xcb *xcb;
    xcb_connection_t *connection;
    xcb_window_t id;
    uint8_t depth;
    uint8_t pixel_size; /* bytes */
};

/* Shows images of this size in the window. At most `image_count` different ones. */
VkResult vdc_x11_presenter_create(const struct vdc_x11_window *window, VkExtent2D extent,
                                  uint32_t image_count, struct vdc_presenter **presenter);

#endif
