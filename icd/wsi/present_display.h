/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_ICD_WSI_PRESENT_DISPLAY_H
#define VIADUCT_ICD_WSI_PRESENT_DISPLAY_H

#include "display.h"
#include "presenter.h"

VkResult vd_display_presenter_create(const struct vd_display_mode *mode, VkExtent2D extent,
                                     uint32_t image_count, struct vd_presenter **presenter);

#endif
