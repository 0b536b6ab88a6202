/* SPDX-License-Identifier: MIT
 *
 * Puts images into a window. Where the X server can be handed descriptors, it reads them from
 * the very memory that the host wrote (MIT-SHM 1.2); elsewhere, as on a remote display, they travel
 * through the connection.
 */
#define _GNU_SOURCE 1
#include "x11.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "icd/log.h"
#include "icd/shm_pool.h"
#include "options.h"

/* Shared memory that the server has mapped. */
struct segment {
    int fd; /* of the part; several parts may lie in the same memory */
    xcb_shm_seg_t id;
};

struct x11_presenter {
    struct vdc_presenter base;
    struct vdc_x11_window window;
    VkExtent2D extent;
    xcb_gcontext_t gc;
    const struct vdc_xcb_shm *shm;
    bool shares; /* images are read from shared memory, until the server refuses */
    uint32_t segment_count;
    uint32_t segment_capacity;
    uint32_t row_size;    /* bytes of a row as the X protocol wants it */
    uint32_t stripe_rows; /* that fit into one request */
    uint8_t *stripe;      /* rows brought together, allocated when first needed */
    struct segment segments[];
};

static const struct vdc_presenter_ops x11_ops;

static struct x11_presenter *x11_presenter(struct vdc_presenter *presenter)
{
    assert(presenter->ops == &x11_ops);
    return (struct x11_presenter *)presenter;
}

/* The server names the distance between rows in pixels, and rounds it up to 4 bytes. */
static bool takes_pitch(const struct vdc_presenter *presenter, uint64_t pitch)
{
    const struct x11_presenter *p = (const struct x11_presenter *)presenter;
    return pitch % 4 == 0 && pitch >= p->row_size && pitch / p->window.pixel_size <= UINT16_MAX;
}

/* Descriptors only pass through local sockets; elsewhere the server would wait for them. */
static bool is_local(const struct vdc_x11_window *window)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    const int fd = window->xcb->get_file_descriptor(window->connection);
    return getsockname(fd, (struct sockaddr *)&address, &size) == 0 && address.ss_family == AF_UNIX;
}

static bool has_shm(const struct vdc_x11_window *window, const struct vdc_xcb_shm *shm)
{
    xcb_connection_t *connection = window->connection;
    if (vdc_wsi_options() & VDC_WSI_NO_SHM || !shm || !is_local(window))
        return false;
    const xcb_query_extension_reply_t *extension =
        window->xcb->get_extension_data(connection, shm->id);
    if (!extension || !extension->present)
        return false;
    xcb_shm_query_version_reply_t *version =
        shm->query_version_reply(connection, shm->query_version(connection), NULL);
    const bool passes_descriptors =
        version && (version->major_version > 1 ||
                    (version->major_version == 1 && version->minor_version >= 2));
    free(version);
    return passes_descriptors;
}

/* Drops whatever the server answers. */
static void forget(const struct vdc_x11_window *window, xcb_void_cookie_t cookie)
{
    window->xcb->discard_reply(window->connection, cookie.sequence);
}

static bool succeeded(const struct vdc_x11_window *window, xcb_void_cookie_t cookie)
{
    xcb_generic_error_t *error = window->xcb->request_check(window->connection, cookie);
    const bool success = !error && !window->xcb->connection_has_error(window->connection);
    free(error);
    return success;
}

/* The server's name for the memory that the image is in; 0 where it cannot reach it. */
static xcb_shm_seg_t find_segment(struct x11_presenter *p, const struct vdc_pixels *pixels)
{
    const struct vdc_shm_part *part = pixels->part;
    if (part->offset + pixels->offset > UINT32_MAX)
        return 0;
    for (uint32_t i = 0; i < p->segment_count; i++)
        if (p->segments[i].fd == part->fd)
            return p->segments[i].id;
    if (p->segment_count == p->segment_capacity || part->fd < 0)
        return 0;
    /* xcb closes what it has sent. */
    const int fd = fcntl(part->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    xcb_connection_t *connection = p->window.connection;
    const xcb_shm_seg_t id = p->window.xcb->generate_id(connection);
    const uint8_t read_only = 1;
    if (!succeeded(&p->window, p->shm->attach_fd_checked(connection, id, fd, read_only)))
        return 0;
    p->segments[p->segment_count++] = (struct segment){.fd = part->fd, .id = id};
    return id;
}

static xcb_void_cookie_t put_shared(struct x11_presenter *p, xcb_shm_seg_t segment,
                                    const struct vdc_pixels *pixels)
{
    return p->shm->put_image_checked(
        p->window.connection, p->window.id, p->gc, (uint16_t)(pixels->pitch / p->window.pixel_size),
        (uint16_t)p->extent.height, 0, 0, (uint16_t)p->extent.width, (uint16_t)p->extent.height, 0,
        0, p->window.depth, XCB_IMAGE_FORMAT_Z_PIXMAP, /* send_event */ 0, segment,
        (uint32_t)(pixels->part->offset + pixels->offset));
}

/* Stripes of the image under the longest request. The cookie is that of the last one: what is
 * wrong with one of them is wrong with all. */
static VkResult put_copied(struct x11_presenter *p, const struct vdc_pixels *pixels,
                           xcb_void_cookie_t *cookie)
{
    const uint8_t *row = (const uint8_t *)pixels->part->map + pixels->offset;
    const bool packed = pixels->pitch == p->row_size;
    if (!packed && !p->stripe) {
        p->stripe = malloc((size_t)p->row_size * p->stripe_rows);
        if (!p->stripe)
            return VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    for (uint32_t y = 0, rows; y < p->extent.height; y += rows) {
        rows = p->extent.height - y < p->stripe_rows ? p->extent.height - y : p->stripe_rows;
        const uint8_t *data = packed ? row : p->stripe;
        for (uint32_t i = 0; !packed && i < rows; i++)
            memcpy(p->stripe + (size_t)i * p->row_size, row + (size_t)i * pixels->pitch,
                   p->row_size);
        if (y)
            forget(&p->window, *cookie);
        *cookie = p->window.xcb->put_image_checked(p->window.connection, XCB_IMAGE_FORMAT_Z_PIXMAP,
                                                   p->window.id, p->gc, (uint16_t)p->extent.width,
                                                   (uint16_t)rows, 0, (int16_t)y, 0,
                                                   p->window.depth, rows * p->row_size, data);
        row += (size_t)rows * pixels->pitch;
    }
    return VK_SUCCESS;
}

static VkResult show(struct vdc_presenter *presenter, const struct vdc_pixels *pixels, bool paced)
{
    (void)paced;
    struct x11_presenter *p = x11_presenter(presenter);
    const struct vdc_xcb *xcb = p->window.xcb;
    xcb_connection_t *connection = p->window.connection;
    for (;;) {
        const xcb_shm_seg_t segment = p->shares ? find_segment(p, pixels) : 0;
        if (p->shares && !segment) {
            vdc_log("the X server does not take shared memory; images are sent instead");
            p->shares = false;
        }
        xcb_void_cookie_t put;
        if (segment) {
            put = put_shared(p, segment, pixels);
        } else {
            const VkResult result = put_copied(p, pixels, &put);
            if (result != VK_SUCCESS)
                return result;
        }
        /* The server handles requests in order: with this answer it has read the pixels, too. */
        xcb_get_geometry_reply_t *geometry =
            xcb->get_geometry_reply(connection, xcb->get_geometry(connection, p->window.id), NULL);
        const bool shown = succeeded(&p->window, put);
        const bool fits =
            geometry && geometry->width == p->extent.width && geometry->height == p->extent.height;
        const bool lost = !geometry;
        free(geometry);
        if (lost)
            return VK_ERROR_SURFACE_LOST_KHR;
        if (shown)
            return fits ? VK_SUCCESS : VK_SUBOPTIMAL_KHR;
        if (!segment)
            return VK_ERROR_SURFACE_LOST_KHR;
        vdc_log("the X server does not read shared memory; images are sent instead");
        p->shares = false;
    }
}

static void destroy(struct vdc_presenter *presenter)
{
    struct x11_presenter *p = x11_presenter(presenter);
    const struct vdc_xcb *xcb = p->window.xcb;
    xcb_connection_t *connection = p->window.connection;
    for (uint32_t i = 0; i < p->segment_count; i++)
        forget(&p->window, p->shm->detach_checked(connection, p->segments[i].id));
    forget(&p->window, xcb->free_gc_checked(connection, p->gc));
    xcb->flush(connection);
    free(p->stripe);
    free(p);
}

static const struct vdc_presenter_ops x11_ops = {
    .takes_pitch = takes_pitch,
    .show = show,
    .destroy = destroy,
};

VkResult vdc_x11_presenter_create(const struct vdc_x11_window *window, VkExtent2D extent,
                                  uint32_t image_count, struct vdc_presenter **presenter)
{
    const struct vdc_xcb *xcb = window->xcb;
    const struct vdc_xcb_shm *shm = vdc_xcb_shm();
    xcb_connection_t *connection = window->connection;
    const uint64_t row_size = vdc_row_size(extent.width, window->pixel_size);
    /* In 4-byte units, the request's own fields included. */
    const uint64_t longest = (uint64_t)xcb->get_maximum_request_length(connection) * 4;
    const uint64_t fields = sizeof(xcb_put_image_request_t) + sizeof(uint32_t);
    /* Without an area, or larger than the protocol can say. */
    if (!extent.width || !extent.height || extent.width > INT16_MAX || extent.height > INT16_MAX ||
        longest < fields + row_size) {
        *presenter = &vdc_presenter_of_nothing;
        return VK_SUCCESS;
    }

    struct x11_presenter *p = calloc(1, sizeof(*p) + image_count * sizeof(p->segments[0]));
    if (!p)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    *p = (struct x11_presenter){
        .base.ops = &x11_ops,
        .window = *window,
        .extent = extent,
        .gc = xcb->generate_id(connection),
        .shm = shm,
        .shares = has_shm(window, shm),
        .segment_capacity = image_count,
        .row_size = (uint32_t)row_size,
        .stripe_rows = (uint32_t)((longest - fields) / row_size),
    };
    if (p->stripe_rows > extent.height)
        p->stripe_rows = extent.height;
    const uint32_t graphics_exposures = 0; /* events that the application did not ask for */
    if (!succeeded(window,
                   xcb->create_gc_checked(connection, p->gc, window->id, XCB_GC_GRAPHICS_EXPOSURES,
                                          &graphics_exposures))) {
        free(p);
        return VK_ERROR_SURFACE_LOST_KHR;
    }
    *presenter = &p->base;
    return VK_SUCCESS;
}
