/* SPDX-License-Identifier: MIT */
#include "image_copy.h"

uint32_t vd_aspect_plane(VkImageAspectFlags aspect)
{
    if (aspect & VK_IMAGE_ASPECT_PLANE_2_BIT)
        return 2;
    return aspect & VK_IMAGE_ASPECT_PLANE_1_BIT ? 1 : 0;
}

struct vd_format vd_aspect_format(VkFormat format, VkImageAspectFlags aspect)
{
    static const struct vd_format unknown = {.block_size = 16, 1, 1, 1, 0, {{0}}};
    const struct vd_format *info = vd_format_info(format);
    if (!info)
        return unknown;
    struct vd_format out = *info;
    if (aspect & VK_IMAGE_ASPECT_STENCIL_BIT) {
        out.block_size = 1;
    } else if (aspect & VK_IMAGE_ASPECT_DEPTH_BIT) {
        out.block_size =
            format == VK_FORMAT_D16_UNORM || format == VK_FORMAT_D16_UNORM_S8_UINT ? 2 : 4;
    } else if (info->plane_count) {
        const struct vd_format *of_plane =
            vd_format_info(info->planes[vd_aspect_plane(aspect)].format);
        if (of_plane)
            out = *of_plane;
    }
    return out;
}

static uint64_t blocks(uint64_t texels, uint8_t block)
{
    return (texels + block - 1) / block;
}

/* a * b + c, or UINT64_MAX. */
static uint64_t multiply_add(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t out;
    return __builtin_mul_overflow(a, b, &out) || __builtin_add_overflow(out, c, &out) ? UINT64_MAX
                                                                                      : out;
}

uint64_t vd_image_copy_size(const struct vd_image_copy *copy)
{
    const struct vd_format format = vd_aspect_format(copy->format, copy->aspect);
    const VkExtent3D *extent = &copy->extent;
    const uint64_t columns =
        blocks(copy->row_length ? copy->row_length : extent->width, format.block_width);
    const uint64_t rows =
        blocks(copy->image_height ? copy->image_height : extent->height, format.block_height);
    const uint64_t slices = blocks(extent->depth, format.block_depth) * copy->layers;
    const uint64_t last_columns = blocks(extent->width, format.block_width);
    const uint64_t last_rows = blocks(extent->height, format.block_height);
    if (!slices || !last_rows)
        return 0;
    /* The last row need not be complete: the application's memory may end with it. */
    const uint64_t whole_rows = multiply_add(slices - 1, rows, last_rows - 1);
    return multiply_add(multiply_add(whole_rows, columns, last_columns), format.block_size, 0);
}
