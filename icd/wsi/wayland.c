/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "wayland.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "common/clock.h"
#include "icd/log.h"

/* ---- Waiting */

static VkResult lost(const struct vdc_wayland *w)
{
    vdc_log("the connection to the compositor has ended: %s",
            strerror(w->wl->display_get_error(w->display)));
    return VK_ERROR_SURFACE_LOST_KHR;
}

/* Milliseconds, rounded up, for poll(). */
static int left_until(uint64_t deadline)
{
    const uint64_t now = vd_clock_ns();
    if (deadline == UINT64_MAX)
        return -1;
    return now >= deadline ? 0 : (int)((deadline - now + 999999) / 1000000 % INT32_MAX);
}

/* Sleeps until there is something to read, between prepare_read and read_events or cancel_read. */
static VkResult sleep_for_events(const struct vdc_wayland *w, uint64_t deadline)
{
    for (;;) {
        /* Whatever is wrong otherwise, reading says so, behind what can still be read. */
        const bool full = w->wl->display_flush(w->display) < 0 && errno == EAGAIN;
        struct pollfd fds[2] = {
            {.fd = w->wl->display_get_fd(w->display), .events = POLLIN | (full ? POLLOUT : 0)},
            {.fd = w->wake_fd, .events = POLLIN},
        };
        const int ready = poll(fds, 2, left_until(deadline));
        if (ready < 0 && errno != EINTR)
            return lost(w);
        if (ready > 0 && fds[1].revents)
            return VK_NOT_READY;
        if (ready > 0 && fds[0].revents & ~POLLOUT)
            return VK_SUCCESS;
        if (ready == 0 && left_until(deadline) == 0)
            return VK_TIMEOUT;
    }
}

VkResult vdc_wayland_wait(struct vdc_wayland *w, const bool *done, uint64_t timeout_ns)
{
    const struct vdc_wl *wl = w->wl;
    const uint64_t now = vd_clock_ns();
    const uint64_t deadline = timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
    for (;;) {
        while (wl->display_prepare_read_queue(w->display, w->queue) < 0)
            if (wl->display_dispatch_queue_pending(w->display, w->queue) < 0)
                return lost(w);
        if (*done) {
            wl->display_cancel_read(w->display);
            return VK_SUCCESS;
        }
        const VkResult result = sleep_for_events(w, deadline);
        if (result != VK_SUCCESS) {
            wl->display_cancel_read(w->display);
            return result;
        }
        if (wl->display_read_events(w->display) < 0 ||
            wl->display_dispatch_queue_pending(w->display, w->queue) < 0)
            return lost(w);
    }
}

static void on_done(void *data, struct wl_callback *callback, uint32_t number)
{
    (void)callback;
    (void)number;
    *(bool *)data = true;
}

static const struct wl_callback_listener done_listener = {.done = on_done};

struct wl_proxy *vdc_wayland_callback(const struct vdc_wayland *w, struct wl_proxy *factory,
                                      uint32_t opcode, bool *done)
{
    *done = false;
    struct wl_proxy *callback =
        w->wl->proxy_marshal_constructor(factory, opcode, w->wl->callback_interface, NULL);
    if (callback)
        w->wl->proxy_add_listener(callback, (void (**)(void)) & done_listener, done);
    return callback;
}

VkResult vdc_wayland_sync(struct vdc_wayland *w, uint64_t timeout_ns)
{
    bool done;
    struct wl_proxy *callback = vdc_wayland_callback(w, w->wrapper, WL_DISPLAY_SYNC, &done);
    if (!callback)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    const VkResult result = vdc_wayland_wait(w, &done, timeout_ns);
    w->wl->proxy_destroy(callback);
    return result;
}

/* ---- What there is */

static void on_format(void *data, struct wl_shm *shm, uint32_t format)
{
    (void)shm;
    struct vdc_wayland *w = data;
    if (w->format_count < VDC_WAYLAND_FORMATS_MAX)
        w->formats[w->format_count++] = format;
}

static const struct wl_shm_listener shm_listener = {.format = on_format};

static void on_global(void *data, struct wl_registry *registry, uint32_t name,
                      const char *interface, uint32_t version)
{
    (void)version;
    struct vdc_wayland *w = data;
    const struct wl_interface *shm = w->wl->shm_interface;
    if (w->shm || strcmp(interface, shm->name) != 0)
        return;
    w->shm = w->wl->proxy_marshal_constructor_versioned(
        (struct wl_proxy *)registry, WL_REGISTRY_BIND, shm, 1, name, shm->name, 1, NULL);
    if (w->shm)
        w->wl->proxy_add_listener(w->shm, (void (**)(void)) & shm_listener, w);
}

static void on_global_remove(void *data, struct wl_registry *registry, uint32_t name)
{
    (void)data;
    (void)registry;
    (void)name;
}

static const struct wl_registry_listener registry_listener = {
    .global = on_global,
    .global_remove = on_global_remove,
};

VkResult vdc_wayland_init(struct vdc_wayland *w, struct wl_display *display)
{
    *w = (struct vdc_wayland){.wl = vdc_wl(), .display = display, .wake_fd = -1};
    if (!w->wl || w->wl->display_get_error(display))
        return VK_ERROR_SURFACE_LOST_KHR;
    VkResult result = VK_ERROR_OUT_OF_HOST_MEMORY;
    w->queue = w->wl->display_create_queue(display);
    w->wrapper = w->queue ? w->wl->proxy_create_wrapper(display) : NULL;
    if (!w->wrapper)
        goto finish;
    w->wl->proxy_set_queue(w->wrapper, w->queue);
    struct wl_proxy *registry = w->wl->proxy_marshal_constructor(
        w->wrapper, WL_DISPLAY_GET_REGISTRY, w->wl->registry_interface, NULL);
    if (!registry)
        goto finish;
    w->wl->proxy_add_listener(registry, (void (**)(void)) & registry_listener, w);
    result = vdc_wayland_sync(w, UINT64_MAX);
    if (result == VK_SUCCESS)
        result = w->shm ? vdc_wayland_sync(w, UINT64_MAX) : VK_ERROR_SURFACE_LOST_KHR;
    w->wl->proxy_destroy(registry);
finish:
    if (result != VK_SUCCESS)
        vdc_wayland_finish(w);
    return result;
}

void vdc_wayland_finish(struct vdc_wayland *w)
{
    if (w->shm)
        w->wl->proxy_destroy(w->shm);
    if (w->wrapper)
        w->wl->proxy_wrapper_destroy(w->wrapper);
    if (w->queue)
        w->wl->event_queue_destroy(w->queue);
}
