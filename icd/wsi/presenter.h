/* SPDX-License-Identifier: MIT
 *
 * What shows the images of one swapchain. Each kind of surface has its own.
 */
#ifndef VIADUCT_ICD_WSI_PRESENTER_H
#define VIADUCT_ICD_WSI_PRESENTER_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

struct vdc_shm_part;
struct vdc_presenter;

/* A finished image in shared memory. */
struct vdc_pixels {
    const struct vdc_shm_part *part;
    uint64_t offset; /* of the first pixel, from the start of the part */
    uint32_t pitch;  /* bytes from row to row */
};

/* Bytes of a row whose pixels lie together, rounded up to 4. */
static inline uint64_t vdc_row_size(uint32_t width, uint32_t pixel_size)
{
    return ((uint64_t)width * pixel_size + 3) & ~UINT64_C(3);
}

struct vdc_presenter_ops {
    /* Whether an image whose rows are so far apart can be shown. NULL: nobody looks at pixels, and
     * `show` gets none. */
    bool (*takes_pitch)(const struct vdc_presenter *presenter, uint64_t pitch);
    /* Shows an image and returns once nobody reads its pixels any more. VK_SUCCESS,
     * VK_SUBOPTIMAL_KHR, or an error, after which `show` is not called again. One thread at a
     * time. */
    VkResult (*show)(struct vdc_presenter *presenter, const struct vdc_pixels *pixels);
    void (*destroy)(struct vdc_presenter *presenter);
};

struct vdc_presenter {
    const struct vdc_presenter_ops *ops;
    /* The pixels of the last image are read until `show` returns for the next one, or until the
     * presenter is destroyed. May change with each `show`. */
    bool keeps;
};

static inline void vdc_presenter_destroy(struct vdc_presenter *presenter)
{
    if (presenter)
        presenter->ops->destroy(presenter);
}

#endif
