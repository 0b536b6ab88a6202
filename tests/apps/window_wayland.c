/* SPDX-License-Identifier: MIT
 *
 * Windows of Wayland. A client can neither see nor hide its own windows: grim and swaymsg do that, and
 * the compositor is sway, told to put windows into the top left corner.
 */
#define VK_USE_PLATFORM_WAYLAND_KHR

#include "window.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wayland-client.h>

#include "xdg-shell-client.h"

struct window {
    VkExtent2D extent;
    struct wl_display *display;
    struct wl_compositor *compositor;
    struct xdg_wm_base *shell;
    struct wl_surface *surface;
    struct xdg_surface *shell_surface;
    struct xdg_toplevel *toplevel;
    bool configured;
};

static void on_ping(void *data, struct xdg_wm_base *shell, uint32_t serial)
{
    (void)data;
    xdg_wm_base_pong(shell, serial);
}

static void on_configure(void *data, struct xdg_surface *surface, uint32_t serial)
{
    xdg_surface_ack_configure(surface, serial);
    ((struct window *)data)->configured = true;
}

static void on_toplevel_configure(void *data, struct xdg_toplevel *toplevel, int32_t width,
                                  int32_t height, struct wl_array *states)
{
    (void)data, (void)toplevel, (void)width, (void)height, (void)states;
}

static void on_close(void *data, struct xdg_toplevel *toplevel)
{
    (void)data, (void)toplevel;
}

static void on_global(void *data, struct wl_registry *registry, uint32_t name,
                      const char *interface, uint32_t version)
{
    (void)version;
    struct window *window = data;
    if (strcmp(interface, wl_compositor_interface.name) == 0)
        window->compositor = wl_registry_bind(registry, name, &wl_compositor_interface, 1);
    else if (strcmp(interface, xdg_wm_base_interface.name) == 0)
        window->shell = wl_registry_bind(registry, name, &xdg_wm_base_interface, 1);
}

static void on_global_remove(void *data, struct wl_registry *registry, uint32_t name)
{
    (void)data, (void)registry, (void)name;
}

static const struct wl_registry_listener registry_listener = {on_global, on_global_remove};
static const struct xdg_wm_base_listener shell_listener = {on_ping};
static const struct xdg_surface_listener surface_listener = {on_configure};
static const struct xdg_toplevel_listener toplevel_listener = {
    .configure = on_toplevel_configure,
    .close = on_close,
};

static struct window *window_open(VkExtent2D extent)
{
    struct window *window = calloc(1, sizeof(*window));
    expect(window, "no memory for a window");
    window->extent = extent;
    window->display = wl_display_connect(NULL);
    expect(window->display, "no compositor at WAYLAND_DISPLAY=%s",
           getenv("WAYLAND_DISPLAY") ? getenv("WAYLAND_DISPLAY") : "");
    struct wl_registry *registry = wl_display_get_registry(window->display);
    wl_registry_add_listener(registry, &registry_listener, window);
    expect(wl_display_roundtrip(window->display) >= 0, "the compositor does not answer");
    wl_registry_destroy(registry);
    expect(window->compositor && window->shell, "the compositor has no windows");
    xdg_wm_base_add_listener(window->shell, &shell_listener, window);
    window->surface = wl_compositor_create_surface(window->compositor);
    window->shell_surface = xdg_wm_base_get_xdg_surface(window->shell, window->surface);
    xdg_surface_add_listener(window->shell_surface, &surface_listener, window);
    window->toplevel = xdg_surface_get_toplevel(window->shell_surface);
    xdg_toplevel_add_listener(window->toplevel, &toplevel_listener, window);
    xdg_toplevel_set_app_id(window->toplevel, "viaduct-test");
    wl_surface_commit(window->surface);
    while (!window->configured)
        expect(wl_display_dispatch(window->display) >= 0, "the compositor is gone");
    return window;
}

static void window_close(struct window *window)
{
    xdg_toplevel_destroy(window->toplevel);
    xdg_surface_destroy(window->shell_surface);
    wl_surface_destroy(window->surface);
    xdg_wm_base_destroy(window->shell);
    wl_compositor_destroy(window->compositor);
    wl_display_disconnect(window->display);
    free(window);
}

static VkSurfaceKHR create_surface(struct window *window, VkInstance instance)
{
    VkSurfaceKHR surface;
    must(vkCreateWaylandSurfaceKHR(instance,
                                   &(VkWaylandSurfaceCreateInfoKHR){
                                       .sType = VK_STRUCTURE_TYPE_WAYLAND_SURFACE_CREATE_INFO_KHR,
                                       .display = window->display,
                                       .surface = window->surface,
                                   },
                                   NULL, &surface));
    return surface;
}

static bool can_present(struct window *window, const struct gpu *gpu)
{
    return vkGetPhysicalDeviceWaylandPresentationSupportKHR(gpu->physical, gpu->family,
                                                            window->display);
}

/* Answers what the compositor asks. */
static void handle_events(struct window *window)
{
    expect(wl_display_roundtrip(window->display) >= 0, "the compositor is gone");
}

static void resize(struct window *window, VkExtent2D extent)
{
    handle_events(window);
    window->extent = extent;
}

static void set_mapped(struct window *window, bool mapped)
{
    handle_events(window);
    const char *command = mapped ? "swaymsg -q workspace 1" : "swaymsg -q workspace 2";
    expect(system(command) == 0, "%s has failed", command);
}

static uint32_t read_number(FILE *file)
{
    unsigned number;
    expect(fscanf(file, "%u", &number) == 1, "grim wrote no picture");
    return number;
}

static void take_picture(struct window *window, struct picture *picture)
{
    handle_events(window);
    char command[64];
    snprintf(command, sizeof(command), "grim -t ppm -g '0,0 %ux%u' -", window->extent.width,
             window->extent.height);
    FILE *file = popen(command, "r");
    expect(file && fgetc(file) == 'P' && fgetc(file) == '6', "grim wrote no picture");
    const uint32_t width = read_number(file), height = read_number(file);
    expect(read_number(file) == 255 && fgetc(file) == '\n', "grim wrote another kind of picture");
    picture_init(picture, width, height);
    for (size_t i = 0; i < (size_t)width * height; i++) {
        uint8_t *pixel = picture->pixels + i * 4;
        expect(fread(pixel, 1, 3, file) == 3, "grim's picture is too short");
        pixel[3] = 255;
    }
    expect(pclose(file) == 0, "grim has failed");
}

const struct platform platform_wayland = {
    .name = "wayland",
    .surface_extension = VK_KHR_WAYLAND_SURFACE_EXTENSION_NAME,
    .has_window = true,
    .follows = true,
    .create = window_open,
    .destroy = window_close,
    .create_surface = create_surface,
    .can_present = can_present,
    .resize = resize,
    .set_mapped = set_mapped,
    .take_picture = take_picture,
};
