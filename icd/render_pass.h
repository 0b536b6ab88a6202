/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_ICD_RENDER_PASS_H
#define VIADUCT_ICD_RENDER_PASS_H

#include "device.h"

enum vd_subpass_use {
    VD_SUBPASS_COLOR = 1 << 0,         /* it has a colour attachment */
    VD_SUBPASS_DEPTH_STENCIL = 1 << 1, /* it has a depth/stencil attachment */
};

/* enum vd_subpass_use of a subpass; everything, where it is not known. */
uint32_t vd_subpass_uses(struct vd_instance *instance, VkRenderPass render_pass, uint32_t subpass);

#endif
