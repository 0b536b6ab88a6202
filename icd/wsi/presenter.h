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
    /* The window system may read pixels for longer than the presenter lives. So each image gets a file
     * with nothing else in it, which lives as long as anybody has it. */
    bool own_files;
    /* Whether an image whose rows are so far apart can be shown. NULL: nobody looks at pixels, and
     * `show` gets none. */
    bool (*takes_pitch)(const struct vdc_presenter *presenter, uint64_t pitch);
    /* Shows an image: VK_SUCCESS, VK_SUBOPTIMAL_KHR, or an error, after which `show` is not called
     * again. Where that makes a difference: `paced` returns not before the next one may follow. One
     * thread at a time, also in the next two. */
    VkResult (*show)(struct vdc_presenter *presenter, const struct vdc_pixels *pixels, bool paced);
    /* Whether the pixels of an image that has been shown are still read; if not, they are not until
     * it is shown again. NULL: `show` returns when nobody reads them any more. */
    bool (*reads)(const struct vdc_presenter *presenter, const struct vdc_pixels *pixels);
    /* Sleeps until `reads` may have changed, or `wake` has been called. VK_SUCCESS, or an error as
     * from `show`. NULL: nothing changes but by `show`. */
    VkResult (*rest)(struct vdc_presenter *presenter);
    /* Ends `rest`, also the next one. `hurry`: also what `show` waits for, now and from now on; what it
     * shows need not be seen. Thread-safe. NULL: nothing waits. */
    void (*wake)(struct vdc_presenter *presenter, bool hurry);
    /* Unless `own_files`, returns when nobody reads pixels any more. */
    void (*destroy)(struct vdc_presenter *presenter);
};

struct vdc_presenter {
    const struct vdc_presenter_ops *ops;
};

/* Of images that no window can show, for example without an area. Toolkits ask for those while a window
 * is minimised, and make another swapchain when it comes back. Says that they are out of date. */
extern struct vdc_presenter vdc_presenter_of_nothing;

static inline void vdc_presenter_wake(struct vdc_presenter *presenter, bool hurry)
{
    if (presenter->ops->wake)
        presenter->ops->wake(presenter, hurry);
}

static inline void vdc_presenter_destroy(struct vdc_presenter *presenter)
{
    if (presenter)
        presenter->ops->destroy(presenter);
}

#endif
