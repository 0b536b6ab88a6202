/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_ICD_WSI_PRESENT_DISPLAY_H
#define VIADUCT_ICD_WSI_PRESENT_DISPLAY_H

#include "display.h"
#include "presenter.h"

VkResult vdc_display_presenter_create(const struct vdc_display_mode *mode, VkExtent2D extent,
                                      uint32_t image_count, struct vdc_presenter **presenter);

#endif
