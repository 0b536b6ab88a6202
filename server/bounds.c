/* SPDX-License-Identifier: MIT */
#include "bounds.h"

#include "common/chain.h"
#include "common/image_copy.h"

const struct vds_limits vds_no_limits = {
    .core =
        {
            .maxPushConstantsSize = UINT32_MAX,
            .maxBoundDescriptorSets = UINT32_MAX,
            .maxVertexInputBindings = UINT32_MAX,
            .maxVertexInputAttributes = UINT32_MAX,
            .maxViewports = UINT32_MAX,
            .maxColorAttachments = UINT32_MAX,
        },
};

bool vds_array_within(uint64_t offset, uint64_t count, uint64_t stride, uint64_t element,
                      uint64_t limit)
{
    uint64_t size;
    return count == 0 || (!__builtin_mul_overflow(count - 1, stride, &size) &&
                          !__builtin_add_overflow(size, element, &size) && offset <= limit &&
                          size <= limit - offset);
}

bool vds_results_fit(uint64_t offset, uint32_t count, uint64_t stride, VkQueryResultFlags flags,
                     uint32_t values, uint64_t limit)
{
    const bool status =
        flags & (VK_QUERY_RESULT_WITH_AVAILABILITY_BIT | VK_QUERY_RESULT_WITH_STATUS_BIT_KHR);
    const uint64_t known = values == UINT32_MAX ? 1 : values;
    return vds_array_within(offset, count, stride,
                            (known + status) * (flags & VK_QUERY_RESULT_64_BIT ? 8 : 4), limit);
}

/* ---- Images */

static uint32_t layer_count(const struct vds_image_facts *image,
                            const VkImageSubresourceLayers *part)
{
    if (part->layerCount != VK_REMAINING_ARRAY_LAYERS)
        return part->layerCount;
    return part->baseArrayLayer < image->layers ? image->layers - part->baseArrayLayer : 0;
}

bool vds_image_fits(const struct vds_image_facts *image, const void *chain, uint64_t offset,
                    uint64_t memory)
{
    const VkBindImagePlaneMemoryInfo *plane =
        vd_chain_find(chain, VK_STRUCTURE_TYPE_BIND_IMAGE_PLANE_MEMORY_INFO);
    const uint64_t size =
        image ? image->sizes[plane ? vd_aspect_plane((VkImageAspectFlags)plane->planeAspect) : 0]
              : 0;
    return size == 0 || vds_bind_fits(offset, size, memory);
}

/* `texels` of one side of a level, rounded up to whole blocks. */
static uint64_t side_of(uint32_t texels, uint32_t level, uint32_t divisor, uint32_t block)
{
    uint64_t side = texels >> level;
    side = ((side ? side : 1) + divisor - 1) / divisor;
    return (side + block - 1) / block * block;
}

static bool side_holds(int32_t offset, uint64_t size, uint64_t side)
{
    return offset >= 0 && vds_within((uint64_t)offset, size, side);
}

static bool holds(const struct vds_image_facts *image, const VkImageSubresourceLayers *part,
                  const VkOffset3D *offset, uint64_t width, uint64_t height, uint64_t depth)
{
    if (part->mipLevel >= image->levels)
        return false;
    const struct vd_format *whole = vd_format_info(image->format);
    const struct vd_format format = vd_aspect_format(image->format, part->aspectMask);
    const uint32_t plane = vd_aspect_plane(part->aspectMask);
    const bool planar = whole && plane < whole->plane_count;
    const uint32_t over = planar ? whole->planes[plane].width_divisor : 1;
    const uint32_t down = planar ? whole->planes[plane].height_divisor : 1;
    const uint32_t level = part->mipLevel;
    if (!side_holds(offset->x, width,
                    side_of(image->extent.width, level, over, format.block_width)) ||
        !side_holds(offset->y, height,
                    side_of(image->extent.height, level, down, format.block_height)))
        return false;
    /* Slices of the one are layers of the other. */
    const uint64_t layers = layer_count(image, part);
    const uint64_t slices = depth > layers ? depth : layers;
    if (image->type == VK_IMAGE_TYPE_3D)
        return part->baseArrayLayer == 0 &&
               side_holds(offset->z, slices,
                          side_of(image->extent.depth, level, 1, format.block_depth));
    return side_holds(offset->z, 0, 0) && vds_within(part->baseArrayLayer, slices, image->layers);
}

bool vds_image_holds(const struct vds_image_facts *image, const VkImageSubresourceLayers *part,
                     const VkOffset3D *offset, const VkExtent3D *extent)
{
    return !image || holds(image, part, offset, extent->width, extent->height, extent->depth);
}

/* Texels of the one format in the blocks of the other. */
static uint64_t converted(uint32_t texels, uint8_t from, uint8_t to)
{
    return ((uint64_t)texels + from - 1) / from * to;
}

bool vds_image_holds_copy(const struct vds_image_facts *image, const VkImageSubresourceLayers *part,
                          const VkOffset3D *offset, const VkExtent3D *extent,
                          const struct vds_image_facts *from)
{
    if (!image || !from)
        return !image;
    const struct vd_format a = vd_aspect_format(from->format, 0);
    const struct vd_format b = vd_aspect_format(image->format, 0);
    if (a.block_width == b.block_width && a.block_height == b.block_height)
        return vds_image_holds(image, part, offset, extent);
    return holds(image, part, offset, converted(extent->width, a.block_width, b.block_width),
                 converted(extent->height, a.block_height, b.block_height), extent->depth);
}

static uint64_t copy_size(const struct vds_image_facts *image, uint32_t row_length,
                          uint32_t image_height, const VkImageSubresourceLayers *part,
                          const VkExtent3D *extent)
{
    return vd_image_copy_size(&(struct vd_image_copy){
        .format = image->format,
        .aspect = part->aspectMask,
        .row_length = row_length,
        .image_height = image_height,
        .extent = *extent,
        .layers = layer_count(image, part),
    });
}

bool vds_image_copy_fits(const struct vds_image_facts *image, uint64_t size, uint64_t offset,
                         uint32_t row_length, uint32_t image_height,
                         const VkImageSubresourceLayers *part, const VkExtent3D *extent)
{
    if (!image || size == UINT64_MAX)
        return true;
    return offset <= size &&
           copy_size(image, row_length, image_height, part, extent) <= size - offset;
}

/* ---- Sizes */

void vds_remember_copy(struct vds_decoder *d, VkImage image, VkHostImageCopyFlags flags)
{
    d->image = vds_known_facts(d, (uint64_t)image);
    d->copy_flags = flags;
}

void vds_remember_points(struct vds_decoder *d, VkVideoSessionParametersKHR parameters)
{
    const uint64_t size = vds_known_size(d, (uint64_t)parameters);
    d->operating_points = size == UINT64_MAX ? 0 : size;
}

uint64_t vds_copy_bytes(const struct vds_decoder *d, uint32_t row_length, uint32_t image_height,
                        const VkImageSubresourceLayers *part, const VkExtent3D *extent)
{
    const struct vds_image_facts *image = d->image;
    if (!image)
        return UINT64_MAX; /* it was not made for such copies */
    if (!(d->copy_flags & VK_HOST_IMAGE_COPY_MEMCPY))
        return copy_size(image, row_length, image_height, part, extent);
    const uint32_t levels = sizeof(image->memcpy_sizes) / sizeof(image->memcpy_sizes[0]);
    uint64_t bytes;
    if (part->mipLevel >= levels ||
        __builtin_mul_overflow(
            image->memcpy_sizes[part->mipLevel][vd_aspect_plane(part->aspectMask)],
            layer_count(image, part), &bytes))
        return UINT64_MAX;
    return bytes;
}

uint64_t vds_capture_bytes(const struct vds_decoder *d)
{
    const VkPhysicalDeviceDescriptorBufferPropertiesEXT *sizes = &d->limits->descriptors;
    switch (d->opcode) {
    case VD_OP_vkCreateBuffer:
    case VD_OP_vkGetBufferOpaqueCaptureDescriptorDataEXT:
        return sizes->bufferCaptureReplayDescriptorDataSize;
    case VD_OP_vkCreateImage:
    case VD_OP_vkGetImageOpaqueCaptureDescriptorDataEXT:
        return sizes->imageCaptureReplayDescriptorDataSize;
    case VD_OP_vkCreateImageView:
    case VD_OP_vkGetImageViewOpaqueCaptureDescriptorDataEXT:
        return sizes->imageViewCaptureReplayDescriptorDataSize;
    case VD_OP_vkCreateSampler:
    case VD_OP_vkGetSamplerOpaqueCaptureDescriptorDataEXT:
        return sizes->samplerCaptureReplayDescriptorDataSize;
#ifdef VK_ARM_tensors
    case VD_OP_vkCreateTensorARM:
    case VD_OP_vkGetTensorOpaqueCaptureDescriptorDataARM:
        return d->limits->tensor_capture;
    case VD_OP_vkCreateTensorViewARM:
    case VD_OP_vkGetTensorViewOpaqueCaptureDescriptorDataARM:
        return d->limits->tensor_view_capture;
#endif
    default:
        return sizes->accelerationStructureCaptureReplayDescriptorDataSize;
    }
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Those of buffers depend on a feature, robustness. */
uint64_t vds_descriptor_size(const struct vds_decoder *d, VkDescriptorType type)
{
    const VkPhysicalDeviceDescriptorBufferPropertiesEXT *sizes = &d->limits->descriptors;
    switch ((int)type) {
    case VK_DESCRIPTOR_TYPE_SAMPLER:
        return sizes->samplerDescriptorSize;
    case VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER:
        return sizes->combinedImageSamplerDescriptorSize;
    case VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE:
        return sizes->sampledImageDescriptorSize;
    case VK_DESCRIPTOR_TYPE_STORAGE_IMAGE:
        return sizes->storageImageDescriptorSize;
    case VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER:
        return smaller(sizes->uniformTexelBufferDescriptorSize,
                       sizes->robustUniformTexelBufferDescriptorSize);
    case VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER:
        return smaller(sizes->storageTexelBufferDescriptorSize,
                       sizes->robustStorageTexelBufferDescriptorSize);
    case VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER:
        return smaller(sizes->uniformBufferDescriptorSize,
                       sizes->robustUniformBufferDescriptorSize);
    case VK_DESCRIPTOR_TYPE_STORAGE_BUFFER:
        return smaller(sizes->storageBufferDescriptorSize,
                       sizes->robustStorageBufferDescriptorSize);
    case VK_DESCRIPTOR_TYPE_INPUT_ATTACHMENT:
        return sizes->inputAttachmentDescriptorSize;
    case VK_DESCRIPTOR_TYPE_ACCELERATION_STRUCTURE_KHR:
        return sizes->accelerationStructureDescriptorSize;
    default:
        return 0;
    }
}
