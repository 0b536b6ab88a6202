/* SPDX-License-Identifier: MIT
 *
 * Images that the host copies to and from (VK_EXT_host_image_copy), without mipmaps.
 */
#ifndef TESTS_COPIED_H
#define TESTS_COPIED_H

#include "gpu.h"

struct copied {
    VkImage image;
    VkDeviceMemory memory;
    VkExtent3D extent;
    uint32_t layers;
};

struct copied_options {
    VkFormat format;
    VkImageTiling tiling;
    VkExtent3D extent;
    uint32_t layers;
    VkMemoryPropertyFlags required, preferred; /* as in allocate() */
};

/* In the layout GENERAL. */
void copied_init(const struct gpu *gpu, struct copied *copied,
                 const struct copied_options *options);
void copied_finish(const struct gpu *gpu, const struct copied *copied);
/* All of it. Row length and image height in texels, 0: tightly packed. */
void copy_in(const struct gpu *gpu, const struct copied *copied, VkHostImageCopyFlagsEXT flags,
             const void *from, uint32_t row_length, uint32_t image_height);
void copy_out(const struct gpu *gpu, const struct copied *copied, VkHostImageCopyFlagsEXT flags,
              void *to, uint32_t row_length, uint32_t image_height);

#endif
