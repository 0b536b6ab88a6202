/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_ICD_IMAGE_H
#define VIADUCT_ICD_IMAGE_H

#include "device.h"
#include "memory_types.h"

/* What the client must remember of an image. */
struct vdc_image {
    VkFormat format;
    VkExtent3D extent;
    uint32_t layers;
    bool open; /* applications know where its texels lie, and may look at them in mapped memory */
    enum vdc_backing backing;
    struct vdc_memo_entry *memo; /* of its requirements, NULL: not kept */
};

#endif
