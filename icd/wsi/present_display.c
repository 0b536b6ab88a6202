/* SPDX-License-Identifier: MIT
 *
 * Puts images on a display. On the display of the virtual GPU that carries this driver, whose
 * device looks at the same memory, they are shown where they lie. Elsewhere each is copied to the one
 * of two frame buffers of the card (dumb buffers) that is not shown, which is then shown.
 */
#include "present_display.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <drm_fourcc.h>

#include "drm_library.h"
#include "icd/log.h"
#include "icd/shm_pool.h"
#include "options.h"

#define PIXEL_SIZE 4u

struct frame_buffer {
    uint32_t handle; /* of its memory, 0: none */
    uint32_t id;
    uint32_t pitch;
    uint64_t size;
    uint8_t *map;
};

/* A frame buffer where an image lies. */
struct place {
    uint32_t shm;
    uint32_t id;
    uint64_t offset;
};

struct display_presenter {
    struct vdc_presenter base;
    const struct vdc_drm *drm;
    const struct vdc_display_mode *mode;
    VkExtent2D extent;
    int fd;
    unsigned next;
    struct frame_buffer buffers[2]; /* made when the first image has to be copied */
    bool copies;
    const struct vdc_pixels *shown; /* where they lie; compared only */
    uint32_t place_count, place_capacity;
    struct place places[];
};

static const struct vdc_presenter_ops display_ops;

static struct display_presenter *display_presenter(struct vdc_presenter *presenter)
{
    assert(presenter->ops == &display_ops);
    return (struct display_presenter *)presenter;
}

static bool takes_pitch(const struct vdc_presenter *presenter, uint64_t pitch)
{
    (void)presenter;
    (void)pitch;
    return true;
}

static void frame_buffer_finish(const struct vdc_drm *drm, int fd, struct frame_buffer *buffer)
{
    if (buffer->map)
        munmap(buffer->map, buffer->size);
    if (buffer->id)
        drm->ModeRmFB(fd, buffer->id);
    if (buffer->handle)
        drm->ModeDestroyDumbBuffer(fd, buffer->handle);
}

static bool frame_buffer_init(const struct vdc_drm *drm, int fd, VkExtent2D extent,
                              struct frame_buffer *buffer)
{
    uint64_t offset;
    if (drm->ModeCreateDumbBuffer(fd, extent.width, extent.height, 8 * PIXEL_SIZE, 0,
                                  &buffer->handle, &buffer->pitch, &buffer->size) < 0 ||
        drm->ModeAddFB2(fd, extent.width, extent.height, DRM_FORMAT_XRGB8888,
                        (const uint32_t[4]){buffer->handle}, (const uint32_t[4]){buffer->pitch},
                        (const uint32_t[4]){0}, &buffer->id, 0) < 0 ||
        drm->ModeMapDumbBuffer(fd, buffer->handle, &offset) < 0)
        return false;
    void *map = mmap(NULL, buffer->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
    if (map == MAP_FAILED)
        return false;
    buffer->map = map;
    return true;
}

/* A frame buffer of the image itself, or 0. */
static uint32_t find_place(struct display_presenter *p, const struct vdc_pixels *pixels,
                           uint64_t offset)
{
    for (uint32_t i = 0; i < p->place_count; i++)
        if (p->places[i].shm == pixels->part->shm && p->places[i].offset == offset)
            return p->places[i].id;
    if (p->place_count == p->place_capacity)
        return 0;
    struct vdc_display *display = p->mode->display;
    const int dma_buf =
        vdc_link_shm_export(&vdc_display_connection(display)->link, pixels->part->shm);
    if (dma_buf < 0)
        return 0;
    const uint32_t id = vdc_display_import(display, dma_buf, p->extent, offset, pixels->pitch);
    close(dma_buf);
    if (id)
        p->places[p->place_count++] = (struct place){pixels->part->shm, id, offset};
    return id;
}

/* False: it has to be copied. Otherwise *error is an errno or 0. */
static bool show_in_place(struct display_presenter *p, const struct vdc_pixels *pixels, int *error)
{
    const uint64_t offset = pixels->part->offset + pixels->offset;
    struct vdc_connection *connection = vdc_display_connection(p->mode->display);
    const uint32_t shm = pixels->part->shm, id = find_place(p, pixels, offset);
    if (!id || !vdc_link_shm_set_layout(&connection->link, shm, offset, pixels->pitch, p->extent))
        return false;
    *error = vdc_display_show(p->mode->display, p->mode, p, id);
    /* Once more, behind the exchange: when this is answered, that has happened. */
    return vdc_link_shm_set_layout(&connection->link, shm, offset, pixels->pitch, p->extent);
}

static VkResult copy(struct display_presenter *p, const struct vdc_pixels *pixels, int *error)
{
    for (size_t i = 0; i < 2 && !p->buffers[i].map; i++) {
        if (!frame_buffer_init(p->drm, p->fd, p->extent, &p->buffers[i])) {
            vdc_log("no frame buffer for %s: %s", p->mode->display->name, strerror(errno));
            return VK_ERROR_OUT_OF_DEVICE_MEMORY;
        }
    }
    const struct frame_buffer *buffer = &p->buffers[p->next];
    const uint8_t *row = (const uint8_t *)pixels->part->map + pixels->offset;
    for (uint32_t y = 0; y < p->extent.height; y++, row += pixels->pitch)
        memcpy(buffer->map + (size_t)y * buffer->pitch, row, (size_t)p->extent.width * PIXEL_SIZE);

    *error = vdc_display_show(p->mode->display, p->mode, p, buffer->id);
    if (!*error)
        p->next ^= 1;
    return VK_SUCCESS;
}

static VkResult show(struct vdc_presenter *presenter, const struct vdc_pixels *pixels, bool paced)
{
    (void)paced;
    struct display_presenter *p = display_presenter(presenter);
    int error = 0;
    if (!p->copies && !show_in_place(p, pixels, &error)) {
        vdc_log("images for %s are copied", p->mode->display->name);
        p->copies = true;
    }
    p->shown = p->copies ? NULL : pixels;
    if (p->copies) {
        const VkResult result = copy(p, pixels, &error);
        if (result != VK_SUCCESS)
            return result;
    }
    if (error == EACCES) {
        /* Somebody else is the card's master now, as when terminals are switched: nobody sees this
         * image, which takes its time all the same. */
        nanosleep(&(const struct timespec){.tv_nsec = 16000000}, NULL);
        return VK_SUCCESS;
    }
    if (error) {
        vdc_log("%s shows nothing more: %s", p->mode->display->name, strerror(error));
        return VK_ERROR_SURFACE_LOST_KHR;
    }
    return VK_SUCCESS;
}

static bool reads(const struct vdc_presenter *presenter, const struct vdc_pixels *pixels)
{
    return ((const struct display_presenter *)presenter)->shown == pixels;
}

static void destroy(struct vdc_presenter *presenter)
{
    struct display_presenter *p = display_presenter(presenter);
    vdc_display_restore(p->mode->display, p);
    for (size_t i = 0; i < 2; i++)
        frame_buffer_finish(p->drm, p->fd, &p->buffers[i]);
    for (uint32_t i = 0; i < p->place_count; i++)
        p->drm->ModeRmFB(p->fd, p->places[i].id);
    vdc_display_give(p->mode->display);
    free(p);
}

static const struct vdc_presenter_ops display_ops = {
    .takes_pitch = takes_pitch,
    .show = show,
    .reads = reads,
    .destroy = destroy,
};

VkResult vdc_display_presenter_create(const struct vdc_display_mode *mode, VkExtent2D extent,
                                      uint32_t image_count, struct vdc_presenter **presenter)
{
    const VkExtent2D whole = vdc_display_mode_extent(mode);
    if (extent.width != whole.width || extent.height != whole.height)
        return VK_ERROR_INITIALIZATION_FAILED;
    struct display_presenter *p = calloc(1, sizeof(*p) + image_count * sizeof(p->places[0]));
    if (!p)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    *p = (struct display_presenter){
        .base.ops = &display_ops,
        .drm = vdc_drm(),
        .mode = mode,
        .extent = extent,
        .copies = vdc_wsi_options() & VDC_WSI_NO_SHM,
        .place_capacity = image_count,
    };
    if (!vdc_display_take(mode->display, &p->fd)) {
        free(p);
        return VK_ERROR_INITIALIZATION_FAILED;
    }
    *presenter = &p->base;
    return VK_SUCCESS;
}
