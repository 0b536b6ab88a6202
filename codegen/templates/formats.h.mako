/* Generated from vk.xml. */
#ifndef VIADUCT_FORMATS_H
#define VIADUCT_FORMATS_H

#include <stdint.h>

#include <vulkan/vulkan_core.h>

struct vd_format_plane {
    uint8_t width_divisor, height_divisor;
    VkFormat format;
};

struct vd_format {
    uint8_t block_size; /* bytes of a texel block */
    uint8_t block_width, block_height, block_depth;
    uint8_t plane_count; /* 0: not multi-planar */
    struct vd_format_plane planes[3];
};

/* NULL for formats that are not known. */
const struct vd_format *vd_format_info(VkFormat format);

#endif
