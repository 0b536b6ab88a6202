/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_ICD_RENDER_PASS_H
#define VIADUCT_ICD_RENDER_PASS_H

#include "device.h"

enum vdc_subpass_use {
    VDC_SUBPASS_COLOR = 1 << 0,         /* it has a colour attachment */
    VDC_SUBPASS_DEPTH_STENCIL = 1 << 1, /* it has a depth/stencil attachment */
};

/* enum vdc_subpass_use of a subpass; everything, where it is not known. */
uint32_t vdc_subpass_uses(struct vdc_instance *instance, VkRenderPass render_pass,
                          uint32_t subpass);

#endif
