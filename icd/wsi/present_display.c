/* SPDX-License-Identifier: MIT
 *
 * Puts pictures on a display: each is copied to the one of two frame buffers of the card (dumb
 * buffers) that is not shown, which is then shown.
 */
#include "present_display.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <drm_fourcc.h>
#include <xf86drm.h>

#include "icd/log.h"
#include "icd/shm_pool.h"

#define PIXEL_SIZE 4u

struct frame_buffer {
    uint32_t handle; /* of its memory, 0: none */
    uint32_t id;
    uint32_t pitch;
    uint64_t size;
    uint8_t *map;
};

struct display_presenter {
    struct vd_presenter base;
    const struct vd_display_mode *mode;
    VkExtent2D extent;
    int fd;
    unsigned next;
    struct frame_buffer buffers[2];
};

static const struct vd_presenter_ops display_ops;

static struct display_presenter *display_presenter(struct vd_presenter *presenter)
{
    assert(presenter->ops == &display_ops);
    return (struct display_presenter *)presenter;
}

static bool takes_pitch(const struct vd_presenter *presenter, uint64_t pitch)
{
    (void)presenter;
    (void)pitch;
    return true;
}

static void frame_buffer_finish(int fd, struct frame_buffer *buffer)
{
    if (buffer->map)
        munmap(buffer->map, buffer->size);
    if (buffer->id)
        drmModeRmFB(fd, buffer->id);
    if (buffer->handle)
        drmModeDestroyDumbBuffer(fd, buffer->handle);
}

static bool frame_buffer_init(int fd, VkExtent2D extent, struct frame_buffer *buffer)
{
    uint64_t offset;
    if (drmModeCreateDumbBuffer(fd, extent.width, extent.height, 8 * PIXEL_SIZE, 0, &buffer->handle,
                                &buffer->pitch, &buffer->size) < 0 ||
        drmModeAddFB2(fd, extent.width, extent.height, DRM_FORMAT_XRGB8888,
                      (const uint32_t[4]){buffer->handle}, (const uint32_t[4]){buffer->pitch},
                      (const uint32_t[4]){0}, &buffer->id, 0) < 0 ||
        drmModeMapDumbBuffer(fd, buffer->handle, &offset) < 0)
        return false;
    void *map = mmap(NULL, buffer->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
    if (map == MAP_FAILED)
        return false;
    buffer->map = map;
    return true;
}

static VkResult show(struct vd_presenter *presenter, const struct vd_pixels *pixels)
{
    struct display_presenter *p = display_presenter(presenter);
    const struct frame_buffer *buffer = &p->buffers[p->next];
    const uint8_t *row = (const uint8_t *)pixels->part->map + pixels->offset;
    for (uint32_t y = 0; y < p->extent.height; y++, row += pixels->pitch)
        memcpy(buffer->map + (size_t)y * buffer->pitch, row, (size_t)p->extent.width * PIXEL_SIZE);

    const int error = vd_display_show(p->mode->display, p->mode, p, buffer->id);
    if (error == EACCES) {
        /* Somebody else is the card's master now, as when terminals are switched: nobody sees this
         * picture, which takes its time all the same. */
        nanosleep(&(const struct timespec){.tv_nsec = 16000000}, NULL);
        return VK_SUCCESS;
    }
    if (error) {
        vd_log("%s shows nothing more: %s", p->mode->display->name, strerror(error));
        return VK_ERROR_SURFACE_LOST_KHR;
    }
    p->next ^= 1;
    return VK_SUCCESS;
}

static void destroy(struct vd_presenter *presenter)
{
    struct display_presenter *p = display_presenter(presenter);
    vd_display_restore(p->mode->display, p);
    for (size_t i = 0; i < 2; i++)
        frame_buffer_finish(p->fd, &p->buffers[i]);
    vd_display_give(p->mode->display);
    free(p);
}

static const struct vd_presenter_ops display_ops = {
    .takes_pitch = takes_pitch,
    .show = show,
    .destroy = destroy,
};

VkResult vd_display_presenter_create(const struct vd_display_mode *mode, VkExtent2D extent,
                                     struct vd_presenter **presenter)
{
    const VkExtent2D whole = vd_display_mode_extent(mode);
    if (extent.width != whole.width || extent.height != whole.height)
        return VK_ERROR_INITIALIZATION_FAILED;
    struct display_presenter *p = calloc(1, sizeof(*p));
    if (!p)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    *p = (struct display_presenter){.base.ops = &display_ops, .mode = mode, .extent = extent};
    if (!vd_display_take(mode->display, &p->fd)) {
        free(p);
        return VK_ERROR_INITIALIZATION_FAILED;
    }
    for (size_t i = 0; i < 2; i++) {
        if (!frame_buffer_init(p->fd, extent, &p->buffers[i])) {
            vd_log("no frame buffer for %s: %s", mode->display->name, strerror(errno));
            destroy(&p->base);
            return VK_ERROR_OUT_OF_DEVICE_MEMORY;
        }
    }
    *presenter = &p->base;
    return VK_SUCCESS;
}
