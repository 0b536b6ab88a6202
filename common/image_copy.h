/* SPDX-License-Identifier: MIT
 *
 * How many bytes a copy between an image and plain memory takes: the client says so for the host's
 * memory, and the server must not believe it.
 */
#ifndef VIADUCT_COMMON_IMAGE_COPY_H
#define VIADUCT_COMMON_IMAGE_COPY_H

#include <stdint.h>

#include "formats.h"

/* Of the memory's side: rows and images of so many texels, 0: as the extent has them. */
struct vd_image_copy {
    VkFormat format;
    VkImageAspectFlags aspect;
    uint32_t row_length, image_height;
    VkExtent3D extent;
    uint32_t layers;
};

/* The number of a multi-planar format's plane, 0 for all other aspects. */
uint32_t vd_aspect_plane(VkImageAspectFlags aspect);

/* The format of one aspect, and how it divides the image. 16 bytes a texel where nothing is known. */
struct vd_format vd_aspect_format(VkFormat format, VkImageAspectFlags aspect);

/* Bytes from the first one to the last one that the copy touches; UINT64_MAX: more than can be. */
uint64_t vd_image_copy_size(const struct vd_image_copy *copy);

#endif
