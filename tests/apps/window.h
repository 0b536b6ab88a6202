/* SPDX-License-Identifier: MIT
 *
 * A window of one of the window systems, or the lack of one (headless), or a whole display.
 */
#ifndef TESTS_WINDOW_H
#define TESTS_WINDOW_H

#include "common.h"
#include "picture.h"

struct window;

struct platform {
    const char *name;
    const char *surface_extension;
    const char *second_extension; /* NULL: needs no more */
    bool has_window; /* else there is nothing to resize, to unmap, or to take a picture of */
    bool follows;    /* the window has the size of what it shows, which the surface cannot tell */

    struct window *(*create)(VkExtent2D extent);
    void (*destroy)(struct window *window);
    VkSurfaceKHR (*create_surface)(struct window *window, VkInstance instance);
    /* Where the surface decides its size itself. NULL elsewhere. */
    VkExtent2D (*extent)(const struct window *window);
    bool (*can_present)(struct window *window, const struct gpu *gpu);
    void (*resize)(struct window *window, VkExtent2D extent);
    void (*set_mapped)(struct window *window, bool mapped);
    /* The surface is gone; nothing but `destroy` may follow. NULL: cannot be. */
    void (*lose)(struct window *window);
    void (*take_picture)(struct window *window, struct picture *picture);
};

extern const struct platform platform_wayland;

const struct platform *platform_find(const char *name);

#endif
