/* SPDX-License-Identifier: MIT */
#define VK_USE_PLATFORM_XCB_KHR
#define VK_USE_PLATFORM_XLIB_KHR

#include "window.h"

#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xcb/xcb.h>

struct window {
    VkExtent2D extent;
    xcb_connection_t *connection;
    xcb_window_t xcb;
    uint32_t visual;
    Display *display;
    Window xlib;
};

static struct window *window_alloc(VkExtent2D extent)
{
    struct window *window = calloc(1, sizeof(*window));
    expect(window, "no memory for a window");
    window->extent = extent;
    return window;
}

/* Pixels of X are blue, green, red and something; the picture says opaque. */
static void picture_from_x(struct picture *picture, const uint8_t *pixels, size_t stride)
{
    for (uint32_t y = 0; y < picture->height; y++) {
        const uint8_t *from = pixels + y * stride;
        uint8_t *to = picture->pixels + (size_t)y * picture->width * 4;
        for (uint32_t x = 0; x < picture->width; x++, from += 4, to += 4) {
            to[0] = from[2];
            to[1] = from[1];
            to[2] = from[0];
            to[3] = 255;
        }
    }
}

static struct window *xcb_window_open(VkExtent2D extent)
{
    struct window *window = window_alloc(extent);
    window->connection = xcb_connect(NULL, NULL);
    expect(!xcb_connection_has_error(window->connection), "no X server at DISPLAY=%s",
           getenv("DISPLAY") ? getenv("DISPLAY") : "");
    const xcb_screen_t *screen = xcb_setup_roots_iterator(xcb_get_setup(window->connection)).data;
    window->visual = screen->root_visual;
    window->xcb = xcb_generate_id(window->connection);
    /* No window manager shall move or decorate it: the pictures are compared. */
    const uint32_t values[] = {screen->black_pixel, 1, XCB_EVENT_MASK_STRUCTURE_NOTIFY};
    xcb_create_window(window->connection, XCB_COPY_FROM_PARENT, window->xcb, screen->root, 0, 0,
                      (uint16_t)extent.width, (uint16_t)extent.height, 0,
                      XCB_WINDOW_CLASS_INPUT_OUTPUT, screen->root_visual,
                      XCB_CW_BACK_PIXEL | XCB_CW_OVERRIDE_REDIRECT | XCB_CW_EVENT_MASK, values);
    xcb_map_window(window->connection, window->xcb);
    xcb_flush(window->connection);
    return window;
}

static void xcb_window_close(struct window *window)
{
    xcb_destroy_window(window->connection, window->xcb);
    xcb_disconnect(window->connection);
    free(window);
}

static VkSurfaceKHR xcb_create_surface(struct window *window, VkInstance instance)
{
    VkSurfaceKHR surface;
    must(vkCreateXcbSurfaceKHR(instance,
                               &(VkXcbSurfaceCreateInfoKHR){
                                   .sType = VK_STRUCTURE_TYPE_XCB_SURFACE_CREATE_INFO_KHR,
                                   .connection = window->connection,
                                   .window = window->xcb,
                               },
                               NULL, &surface));
    return surface;
}

static bool xcb_can_present(struct window *window, const struct gpu *gpu)
{
    return vkGetPhysicalDeviceXcbPresentationSupportKHR(gpu->physical, gpu->family,
                                                        window->connection, window->visual);
}

static void xcb_drop_events(struct window *window)
{
    for (xcb_generic_event_t *event; (event = xcb_poll_for_event(window->connection));)
        free(event);
}

static void xcb_resize(struct window *window, VkExtent2D extent)
{
    window->extent = extent;
    xcb_configure_window(window->connection, window->xcb,
                         XCB_CONFIG_WINDOW_WIDTH | XCB_CONFIG_WINDOW_HEIGHT,
                         (const uint32_t[]){extent.width, extent.height});
    xcb_flush(window->connection);
    xcb_drop_events(window);
}

static void xcb_set_mapped(struct window *window, bool mapped)
{
    if (mapped)
        xcb_map_window(window->connection, window->xcb);
    else
        xcb_unmap_window(window->connection, window->xcb);
    xcb_flush(window->connection);
    xcb_drop_events(window);
}

static void xcb_lose(struct window *window)
{
    xcb_destroy_window(window->connection, window->xcb);
    xcb_flush(window->connection);
}

static void xcb_take_picture(struct window *window, struct picture *picture)
{
    xcb_generic_error_t *error = NULL;
    xcb_get_image_reply_t *reply = xcb_get_image_reply(
        window->connection,
        xcb_get_image(window->connection, XCB_IMAGE_FORMAT_Z_PIXMAP, window->xcb, 0, 0,
                      (uint16_t)window->extent.width, (uint16_t)window->extent.height, ~0u),
        &error);
    expect(reply, "xcb_get_image: error %d", error ? error->error_code : 0);
    picture_init(picture, window->extent.width, window->extent.height);
    const size_t stride = (size_t)picture->width * 4;
    expect((size_t)xcb_get_image_data_length(reply) >= stride * picture->height,
           "the X server's pixels do not have 32 bits");
    picture_from_x(picture, xcb_get_image_data(reply), stride);
    free(reply);
}

static struct window *xlib_window_open(VkExtent2D extent)
{
    struct window *window = window_alloc(extent);
    /* Vulkan may use the display from a thread of its own. */
    XInitThreads();
    window->display = XOpenDisplay(NULL);
    expect(window->display, "no X server at DISPLAY=%s",
           getenv("DISPLAY") ? getenv("DISPLAY") : "");
    const int screen = DefaultScreen(window->display);
    window->visual = (uint32_t)XVisualIDFromVisual(DefaultVisual(window->display, screen));
    window->xlib = XCreateWindow(window->display, RootWindow(window->display, screen), 0, 0,
                                 extent.width, extent.height, 0, CopyFromParent, InputOutput,
                                 CopyFromParent, CWBackPixel | CWOverrideRedirect,
                                 &(XSetWindowAttributes){
                                     .background_pixel = BlackPixel(window->display, screen),
                                     .override_redirect = True,
                                 });
    XMapWindow(window->display, window->xlib);
    XSync(window->display, False);
    return window;
}

static void xlib_window_close(struct window *window)
{
    XDestroyWindow(window->display, window->xlib);
    XCloseDisplay(window->display);
    free(window);
}

static VkSurfaceKHR xlib_create_surface(struct window *window, VkInstance instance)
{
    VkSurfaceKHR surface;
    must(vkCreateXlibSurfaceKHR(instance,
                                &(VkXlibSurfaceCreateInfoKHR){
                                    .sType = VK_STRUCTURE_TYPE_XLIB_SURFACE_CREATE_INFO_KHR,
                                    .dpy = window->display,
                                    .window = window->xlib,
                                },
                                NULL, &surface));
    return surface;
}

static bool xlib_can_present(struct window *window, const struct gpu *gpu)
{
    return vkGetPhysicalDeviceXlibPresentationSupportKHR(gpu->physical, gpu->family,
                                                         window->display, window->visual);
}

static void xlib_resize(struct window *window, VkExtent2D extent)
{
    window->extent = extent;
    XResizeWindow(window->display, window->xlib, extent.width, extent.height);
    XSync(window->display, False);
}

static void xlib_set_mapped(struct window *window, bool mapped)
{
    if (mapped)
        XMapWindow(window->display, window->xlib);
    else
        XUnmapWindow(window->display, window->xlib);
    XSync(window->display, False);
}

static void xlib_take_picture(struct window *window, struct picture *picture)
{
    XImage *image = XGetImage(window->display, window->xlib, 0, 0, window->extent.width,
                              window->extent.height, AllPlanes, ZPixmap);
    expect(image && image->bits_per_pixel == 32, "XGetImage gave nothing with 32 bits");
    picture_init(picture, window->extent.width, window->extent.height);
    picture_from_x(picture, (const uint8_t *)image->data, (size_t)image->bytes_per_line);
    XDestroyImage(image);
}

static void headless_window_close(struct window *window)
{
    free(window);
}

static VkSurfaceKHR headless_create_surface(struct window *window, VkInstance instance)
{
    (void)window;
    const PFN_vkCreateHeadlessSurfaceEXT create_headless_surface =
        (PFN_vkCreateHeadlessSurfaceEXT)vkGetInstanceProcAddr(instance,
                                                              "vkCreateHeadlessSurfaceEXT");
    expect(create_headless_surface, "vkCreateHeadlessSurfaceEXT is not there");
    VkSurfaceKHR surface;
    must(create_headless_surface(instance,
                                 &(VkHeadlessSurfaceCreateInfoEXT){
                                     .sType = VK_STRUCTURE_TYPE_HEADLESS_SURFACE_CREATE_INFO_EXT,
                                 },
                                 NULL, &surface));
    return surface;
}

static bool headless_can_present(struct window *window, const struct gpu *gpu)
{
    (void)window;
    (void)gpu;
    return true;
}

#define INSTANCE_FUNCTION(instance, name) ((PFN_##name)vkGetInstanceProcAddr(instance, #name))

/* The first display in its first mode. */
static VkSurfaceKHR display_create_surface(struct window *window, VkInstance instance)
{
    VkPhysicalDevice physical;
    uint32_t one = 1;
    const VkResult result = vkEnumeratePhysicalDevices(instance, &one, &physical);
    expect(result == VK_SUCCESS || result == VK_INCOMPLETE, "no device: %s", result_name(result));

    VkDisplayPropertiesKHR display;
    uint32_t count = 0;
    must(INSTANCE_FUNCTION(instance, vkGetPhysicalDeviceDisplayPropertiesKHR)(physical, &count,
                                                                              NULL));
    expect(count > 0, "there is no display");
    count = 1;
    INSTANCE_FUNCTION(instance, vkGetPhysicalDeviceDisplayPropertiesKHR)
    (physical, &count, &display);
    expect(count == 1, "asked for one display, got %u", count);
    VkDisplayProperties2KHR display2 = {.sType = VK_STRUCTURE_TYPE_DISPLAY_PROPERTIES_2_KHR};
    INSTANCE_FUNCTION(instance, vkGetPhysicalDeviceDisplayProperties2KHR)
    (physical, &count, &display2);
    expect(display2.displayProperties.display == display.display &&
               strcmp(display2.displayProperties.displayName, display.displayName) == 0,
           "the two queries of displays differ");

    VkDisplayModePropertiesKHR mode;
    count = 1;
    INSTANCE_FUNCTION(instance, vkGetDisplayModePropertiesKHR)
    (physical, display.display, &count, &mode);
    expect(count == 1, "%s has no mode", display.displayName);
    VkDisplayModeKHR same;
    must(INSTANCE_FUNCTION(instance, vkCreateDisplayModeKHR)(
        physical, display.display,
        &(VkDisplayModeCreateInfoKHR){
            .sType = VK_STRUCTURE_TYPE_DISPLAY_MODE_CREATE_INFO_KHR,
            .parameters = mode.parameters,
        },
        NULL, &same));
    window->extent = mode.parameters.visibleRegion;
    expect(window->extent.width == display.physicalResolution.width &&
               window->extent.height == display.physicalResolution.height,
           "the first mode is not the display's resolution");

    VkDisplayPlanePropertiesKHR planes[16];
    uint32_t plane_count = ARRAY_SIZE(planes), plane = UINT32_MAX;
    must(INSTANCE_FUNCTION(instance, vkGetPhysicalDeviceDisplayPlanePropertiesKHR)(
        physical, &plane_count, planes));
    for (uint32_t i = 0; i < plane_count && plane == UINT32_MAX; i++) {
        VkDisplayKHR supported;
        count = 1;
        INSTANCE_FUNCTION(instance, vkGetDisplayPlaneSupportedDisplaysKHR)
        (physical, i, &count, &supported);
        if (count == 1 && supported == display.display)
            plane = i;
    }
    expect(plane != UINT32_MAX, "%s has no plane", display.displayName);
    VkDisplayPlaneCapabilitiesKHR capabilities;
    must(INSTANCE_FUNCTION(instance, vkGetDisplayPlaneCapabilitiesKHR)(physical, mode.displayMode,
                                                                       plane, &capabilities));
    expect(capabilities.supportedAlpha & VK_DISPLAY_PLANE_ALPHA_OPAQUE_BIT_KHR,
           "the plane shows nothing opaque");

    VkSurfaceKHR surface;
    must(INSTANCE_FUNCTION(instance, vkCreateDisplayPlaneSurfaceKHR)(
        instance,
        &(VkDisplaySurfaceCreateInfoKHR){
            .sType = VK_STRUCTURE_TYPE_DISPLAY_SURFACE_CREATE_INFO_KHR,
            .displayMode = mode.displayMode,
            .planeIndex = plane,
            .planeStackIndex = planes[plane].currentStackIndex,
            .transform = VK_SURFACE_TRANSFORM_IDENTITY_BIT_KHR,
            .globalAlpha = 1.0f,
            .alphaMode = VK_DISPLAY_PLANE_ALPHA_OPAQUE_BIT_KHR,
            .imageExtent = window->extent,
        },
        NULL, &surface));
    printf("present: %s, %ux%u\n", display.displayName, window->extent.width,
           window->extent.height);
    return surface;
}

static VkExtent2D display_extent(const struct window *window)
{
    return window->extent;
}

static const struct platform platforms[] = {
    {
        .name = "xcb",
        .surface_extension = VK_KHR_XCB_SURFACE_EXTENSION_NAME,
        .has_window = true,
        .create = xcb_window_open,
        .destroy = xcb_window_close,
        .create_surface = xcb_create_surface,
        .can_present = xcb_can_present,
        .resize = xcb_resize,
        .set_mapped = xcb_set_mapped,
        .lose = xcb_lose,
        .take_picture = xcb_take_picture,
    },
    {
        .name = "xlib",
        .surface_extension = VK_KHR_XLIB_SURFACE_EXTENSION_NAME,
        .has_window = true,
        .create = xlib_window_open,
        .destroy = xlib_window_close,
        .create_surface = xlib_create_surface,
        .can_present = xlib_can_present,
        .resize = xlib_resize,
        .set_mapped = xlib_set_mapped,
        .take_picture = xlib_take_picture,
    },
    {
        .name = "headless",
        .surface_extension = VK_EXT_HEADLESS_SURFACE_EXTENSION_NAME,
        .create = window_alloc,
        .destroy = headless_window_close,
        .create_surface = headless_create_surface,
        .can_present = headless_can_present,
    },
    {
        .name = "display",
        .surface_extension = VK_KHR_DISPLAY_EXTENSION_NAME,
        .second_extension = VK_KHR_GET_DISPLAY_PROPERTIES_2_EXTENSION_NAME,
        .create = window_alloc,
        .destroy = headless_window_close,
        .create_surface = display_create_surface,
        .extent = display_extent,
        .can_present = headless_can_present,
    },
};

const struct platform *platform_find(const char *name)
{
    if (strcmp(platform_wayland.name, name) == 0)
        return &platform_wayland;
    for (size_t i = 0; i < ARRAY_SIZE(platforms); i++)
        if (strcmp(platforms[i].name, name) == 0)
            return &platforms[i];
    return NULL;
}
