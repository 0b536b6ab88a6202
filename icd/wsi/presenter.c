/* SPDX-License-Identifier: MIT */
#include "presenter.h"

static VkResult show(struct vdc_presenter *presenter, const struct vdc_pixels *pixels, bool paced)
{
    (void)presenter;
    (void)pixels;
    (void)paced;
    return VK_ERROR_OUT_OF_DATE_KHR;
}

static void destroy(struct vdc_presenter *presenter)
{
    (void)presenter;
}

/* It has no state, so that one is enough for all. */
struct vdc_presenter vdc_presenter_of_nothing = {
    .ops =
        &(const struct vdc_presenter_ops){
            .show = show,
            .destroy = destroy,
        },
};
