/* SPDX-License-Identifier: MIT
 *
 * Shows images in a Wayland window, through shared memory (wl_shm). Where the memory that the host
 * wrote has a descriptor, the compositor reads that; elsewhere, as in virtual machines, images are
 * copied to memory that has one.
 *
 * The compositor says when it is done with a buffer: some copy the image at once, others read the
 * last one until there is a newer one.
 */
#define _GNU_SOURCE 1
#include "wayland.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"
#include "icd/log.h"
#include "icd/shm_pool.h"
#include "options.h"

#define PIXEL_SIZE 4u
#define COPIES     4u /* what compositors hold at most, and one to write */

/* Compositors do not ask for images of windows that nobody sees. The application goes on all the same,
 * once in this time, so that it notices when it is meant to end. */
#define UNSEEN_NS VD_NS_PER_S

struct buffer {
    struct wl_proxy *proxy;          /* NULL: not made yet */
    const struct vdc_pixels *pixels; /* that it is made of, NULL: a copy */
    uint8_t *map;                    /* of a copy */
    bool read;                       /* by the compositor */
    bool *released;                  /* set when it is not any more */
};

struct wayland_presenter {
    struct vdc_presenter base;
    struct vdc_wayland w;
    struct wl_proxy *surface; /* a wrapper: its callbacks go to our queue */
    uint32_t shm_format;      /* of PIXEL_SIZE bytes */
    VkExtent2D extent;
    atomic_bool hurried;
    bool released; /* some buffer, since this was last looked at */
    bool copies;   /* not all images can be read where they lie */
    struct buffer copied[COPIES];
    uint32_t direct_count, direct_capacity;
    struct buffer direct[];
};

static const struct vdc_presenter_ops wayland_ops;

static struct wayland_presenter *wayland_presenter(struct vdc_presenter *presenter)
{
    assert(presenter->ops == &wayland_ops);
    return (struct wayland_presenter *)presenter;
}

static bool takes_pitch(const struct vdc_presenter *presenter, uint64_t pitch)
{
    const struct wayland_presenter *p = (const struct wayland_presenter *)presenter;
    return pitch % PIXEL_SIZE == 0 && pitch * p->extent.height <= INT32_MAX;
}

/* ---- Buffers */

static void on_release(void *data, struct wl_buffer *proxy)
{
    (void)proxy;
    struct buffer *buffer = data;
    buffer->read = false;
    *buffer->released = true;
}

static const struct wl_buffer_listener buffer_listener = {.release = on_release};

/* The memory behind the descriptor must not end before the image does. */
static bool buffer_init(struct wayland_presenter *p, struct buffer *buffer, int fd, uint64_t offset,
                        uint32_t pitch)
{
    const struct vdc_wl *wl = p->w.wl;
    const uint64_t end = offset + (uint64_t)pitch * p->extent.height;
    if (end > INT32_MAX)
        return false;
    struct wl_proxy *pool = wl->proxy_marshal_constructor(
        p->w.shm, WL_SHM_CREATE_POOL, wl->shm_pool_interface, NULL, fd, (int32_t)end);
    if (!pool)
        return false;
    buffer->released = &p->released;
    buffer->proxy = wl->proxy_marshal_constructor(
        pool, WL_SHM_POOL_CREATE_BUFFER, wl->buffer_interface, NULL, (int32_t)offset,
        (int32_t)p->extent.width, (int32_t)p->extent.height, (int32_t)pitch, p->shm_format);
    /* The buffer keeps the memory. */
    wl->proxy_marshal(pool, WL_SHM_POOL_DESTROY);
    wl->proxy_destroy(pool);
    if (buffer->proxy)
        wl->proxy_add_listener(buffer->proxy, (void (**)(void)) & buffer_listener, buffer);
    return buffer->proxy;
}

static uint32_t copy_pitch(const struct wayland_presenter *p)
{
    return p->extent.width * PIXEL_SIZE;
}

static size_t copy_size(const struct wayland_presenter *p)
{
    return (size_t)copy_pitch(p) * p->extent.height;
}

static bool copy_init(struct wayland_presenter *p, struct buffer *buffer)
{
    const size_t size = copy_size(p);
    const int fd = memfd_create("viaduct-image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return false;
    void *map = MAP_FAILED;
    /* Sealed, so that the compositor need not fear that it is cut short. */
    if (ftruncate(fd, (off_t)size) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) == 0)
        map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    const bool made = map != MAP_FAILED && buffer_init(p, buffer, fd, 0, copy_pitch(p));
    if (made)
        buffer->map = map;
    else if (map != MAP_FAILED)
        munmap(map, size);
    close(fd);
    return made;
}

static void buffer_finish(const struct wayland_presenter *p, struct buffer *buffer)
{
    if (!buffer->proxy)
        return;
    if (buffer->map)
        munmap(buffer->map, copy_size(p));
    p->w.wl->proxy_marshal(buffer->proxy, WL_BUFFER_DESTROY);
    p->w.wl->proxy_destroy(buffer->proxy);
}

/* The buffer that is the image itself, or NULL. */
static struct buffer *find_direct(struct wayland_presenter *p, const struct vdc_pixels *pixels)
{
    for (uint32_t i = 0; i < p->direct_count; i++)
        if (p->direct[i].pixels == pixels)
            return &p->direct[i];
    const struct vdc_shm_part *part = pixels->part;
    if (vdc_wsi_options() & VDC_WSI_NO_SHM || part->fd < 0 || p->direct_count == p->direct_capacity)
        return NULL;
    struct buffer *buffer = &p->direct[p->direct_count];
    if (!buffer_init(p, buffer, part->fd, part->offset + pixels->offset, pixels->pitch))
        return NULL;
    buffer->pixels = pixels;
    p->direct_count++;
    return buffer;
}

/* ---- Showing */

/* As vdc_wayland_wait(), but VK_NOT_READY only says that there is a hurry. */
static VkResult wait_for(struct wayland_presenter *p, const bool *done, uint64_t timeout_ns)
{
    for (;;) {
        if (atomic_load_explicit(&p->hurried, memory_order_relaxed))
            return VK_NOT_READY;
        const VkResult result = vdc_wayland_wait(&p->w, done, timeout_ns);
        if (result != VK_NOT_READY)
            return result;
        eventfd_t count;
        eventfd_read(p->w.wake_fd, &count);
    }
}

/* VK_NOT_READY: the compositor reads all of them, and there is a hurry. */
static VkResult find_copy(struct wayland_presenter *p, struct buffer **buffer)
{
    for (;;) {
        for (uint32_t i = 0; i < COPIES; i++) {
            *buffer = &p->copied[i];
            if (!(*buffer)->proxy && !copy_init(p, *buffer))
                return VK_ERROR_OUT_OF_HOST_MEMORY;
            if (!(*buffer)->read)
                return VK_SUCCESS;
        }
        p->released = false;
        const VkResult result = wait_for(p, &p->released, UINT64_MAX);
        if (result != VK_SUCCESS)
            return result;
    }
}

static VkResult copy(struct wayland_presenter *p, const struct vdc_pixels *pixels,
                     struct buffer **buffer)
{
    const VkResult result = find_copy(p, buffer);
    if (result != VK_SUCCESS)
        return result;
    const uint8_t *row = (const uint8_t *)pixels->part->map + pixels->offset;
    for (uint32_t y = 0; y < p->extent.height; y++, row += pixels->pitch)
        memcpy((*buffer)->map + (size_t)y * copy_pitch(p), row, copy_pitch(p));
    return VK_SUCCESS;
}

/* Sends the image, and waits until the compositor has taken it: so it is never sent more than it
 * takes. `paced`: until it is time for another one. */
static VkResult commit(struct wayland_presenter *p, struct buffer *buffer, bool paced)
{
    const struct vdc_wl *wl = p->w.wl;
    bool seen = false, taken = false;
    struct wl_proxy *frame = NULL, *sync = NULL;
    VkResult result = VK_TIMEOUT;
    wl->proxy_marshal(p->surface, WL_SURFACE_ATTACH, buffer->proxy, 0, 0);
    wl->proxy_marshal(p->surface, WL_SURFACE_DAMAGE, 0, 0, INT32_MAX, INT32_MAX);
    if (paced)
        frame = vdc_wayland_callback(&p->w, p->surface, WL_SURFACE_FRAME, &seen);
    wl->proxy_marshal(p->surface, WL_SURFACE_COMMIT);
    buffer->read = true;
    wl->display_flush(p->w.display);
    if (frame)
        result = wait_for(p, &seen, UNSEEN_NS);
    if (result == VK_TIMEOUT) {
        sync = vdc_wayland_callback(&p->w, p->w.wrapper, WL_DISPLAY_SYNC, &taken);
        result = sync ? wait_for(p, &taken, UINT64_MAX) : VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    if (frame)
        wl->proxy_destroy(frame);
    if (sync)
        wl->proxy_destroy(sync);
    return result;
}

static VkResult show(struct vdc_presenter *presenter, const struct vdc_pixels *pixels, bool paced)
{
    struct wayland_presenter *p = wayland_presenter(presenter);
    struct buffer *buffer = p->copies ? NULL : find_direct(p, pixels);
    VkResult result = VK_SUCCESS;
    if (!buffer) {
        if (!p->copies)
            vdc_log("images for the compositor are copied");
        p->copies = true;
        result = copy(p, pixels, &buffer);
    }
    if (result == VK_SUCCESS)
        result = commit(p, buffer, paced);
    return result == VK_NOT_READY ? VK_SUCCESS : result;
}

static bool reads(const struct vdc_presenter *presenter, const struct vdc_pixels *pixels)
{
    const struct wayland_presenter *p = (const struct wayland_presenter *)presenter;
    for (uint32_t i = 0; i < p->direct_count; i++)
        if (p->direct[i].pixels == pixels)
            return p->direct[i].read;
    return false;
}

static VkResult rest(struct vdc_presenter *presenter)
{
    struct wayland_presenter *p = wayland_presenter(presenter);
    p->released = false;
    const VkResult result = vdc_wayland_wait(&p->w, &p->released, UINT64_MAX);
    if (result != VK_NOT_READY)
        return result;
    eventfd_t count;
    eventfd_read(p->w.wake_fd, &count);
    return VK_SUCCESS;
}

static void wake(struct vdc_presenter *presenter, bool hurry)
{
    struct wayland_presenter *p = wayland_presenter(presenter);
    /* The descriptor orders this before what is seen by whoever it wakes. */
    if (hurry)
        atomic_store_explicit(&p->hurried, true, memory_order_relaxed);
    eventfd_write(p->w.wake_fd, 1);
}

static void destroy(struct vdc_presenter *presenter)
{
    struct wayland_presenter *p = wayland_presenter(presenter);
    for (uint32_t i = 0; i < p->direct_count; i++)
        buffer_finish(p, &p->direct[i]);
    for (uint32_t i = 0; i < COPIES; i++)
        buffer_finish(p, &p->copied[i]);
    if (p->surface)
        p->w.wl->proxy_wrapper_destroy(p->surface);
    p->w.wl->display_flush(p->w.display);
    const int wake_fd = p->w.wake_fd;
    vdc_wayland_finish(&p->w);
    if (wake_fd >= 0)
        close(wake_fd);
    free(p);
}

static const struct vdc_presenter_ops wayland_ops = {
    .own_files = true,
    .takes_pitch = takes_pitch,
    .show = show,
    .reads = reads,
    .rest = rest,
    .wake = wake,
    .destroy = destroy,
};

VkResult vdc_wayland_presenter_create(const struct vdc_wayland_images *images,
                                      struct vdc_presenter **presenter)
{
    const VkExtent2D extent = images->extent;
    /* What the protocol can say. */
    if (!extent.width || !extent.height ||
        (uint64_t)extent.width * PIXEL_SIZE > INT32_MAX / extent.height) {
        *presenter = &vdc_presenter_of_nothing;
        return VK_SUCCESS;
    }
    struct wayland_presenter *p =
        calloc(1, sizeof(*p) + images->image_count * sizeof(p->direct[0]));
    if (!p)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    p->base.ops = &wayland_ops;
    p->shm_format = images->shm_format;
    p->extent = extent;
    p->direct_capacity = images->image_count;
    const VkResult result = vdc_wayland_init(&p->w, images->display);
    if (result != VK_SUCCESS) {
        free(p);
        return result;
    }
    p->surface = p->w.wl->proxy_create_wrapper(images->surface);
    p->w.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!p->surface || p->w.wake_fd < 0) {
        destroy(&p->base);
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    p->w.wl->proxy_set_queue(p->surface, p->w.queue);
    *presenter = &p->base;
    return VK_SUCCESS;
}
