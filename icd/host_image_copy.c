/* SPDX-License-Identifier: MIT
 *
 * Sizes that the registry does not state: of host image copies, which follow from the image's
 * format, and of capture data, which are device properties.
 */
#include "call.h"
#include "calls.h"
#include "entrypoints.h"
#include "formats.h"
#include "image.h"

/* What the copy being encoded on this thread is about: a region does not name its image. */
static _Thread_local struct {
    VkDevice device;
    VkImage image;
    VkHostImageCopyFlags flags;
} copy;

/* Bytes of one subresource as the driver lays it out, for copies without a conversion. */
static uint64_t memcpy_size(const VkImageSubresourceLayers *subresource)
{
    VkSubresourceHostMemcpySize size = {.sType = VK_STRUCTURE_TYPE_SUBRESOURCE_HOST_MEMCPY_SIZE};
    VkSubresourceLayout2 layout = {
        .sType = VK_STRUCTURE_TYPE_SUBRESOURCE_LAYOUT_2,
        .pNext = &size,
    };
    const VkImageSubresource2 question = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_SUBRESOURCE_2,
        .imageSubresource = {subresource->aspectMask, subresource->mipLevel,
                             subresource->baseArrayLayer},
    };
    vd_call_vkGetImageSubresourceLayout2(copy.device, copy.image, &question, &layout);
    return size.size;
}

/* The format of one aspect, and how it divides the image. */
static struct vd_format aspect_format(VkFormat format, VkImageAspectFlags aspect)
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
        const uint32_t plane = aspect & VK_IMAGE_ASPECT_PLANE_2_BIT   ? 2
                               : aspect & VK_IMAGE_ASPECT_PLANE_1_BIT ? 1
                                                                      : 0;
        const struct vd_format *of_plane = vd_format_info(info->planes[plane].format);
        if (of_plane)
            out = *of_plane;
    }
    return out;
}

uint64_t vd_host_copy_size(struct vd_encoder *e, uint32_t row_length, uint32_t image_height,
                           const VkImageSubresourceLayers *subresource, const VkExtent3D *extent)
{
    const struct vd_image *image = vd_id_object(e->instance, (uint64_t)copy.image);
    uint32_t layers = subresource->layerCount;
    if (!image)
        return 0;
    if (layers == VK_REMAINING_ARRAY_LAYERS)
        layers = image->layers - subresource->baseArrayLayer;
    if (copy.flags & VK_HOST_IMAGE_COPY_MEMCPY)
        return memcpy_size(subresource) * layers;
    const struct vd_format format = aspect_format(image->format, subresource->aspectMask);
    const uint64_t width = row_length ? row_length : extent->width;
    const uint64_t height = image_height ? image_height : extent->height;
    const uint64_t columns = (width + format.block_width - 1) / format.block_width;
    const uint64_t rows = (height + format.block_height - 1) / format.block_height;
    const uint64_t slices =
        ((uint64_t)extent->depth + format.block_depth - 1) / format.block_depth * layers;
    const uint64_t last_columns =
        ((uint64_t)extent->width + format.block_width - 1) / format.block_width;
    const uint64_t last_rows =
        ((uint64_t)extent->height + format.block_height - 1) / format.block_height;
    if (!slices || !last_rows)
        return 0;
    /* The last row need not be complete: the application's memory may end with it. */
    return ((slices - 1) * rows * columns + (last_rows - 1) * columns + last_columns) *
           format.block_size;
}

/* Whether the copy writes each byte that vd_host_copy_size counts. */
bool vd_host_copy_is_tight(uint32_t row_length, uint32_t image_height, const VkExtent3D *extent)
{
    return !(copy.flags & VK_HOST_IMAGE_COPY_MEMCPY) &&
           (row_length == 0 || row_length == extent->width) &&
           (image_height == 0 || image_height == extent->height);
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkCopyMemoryToImage(VkDevice device,
                                                      const VkCopyMemoryToImageInfo *info)
{
    copy.device = device;
    copy.image = info->dstImage;
    copy.flags = info->flags;
    return vd_call_vkCopyMemoryToImage(device, info);
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkCopyImageToMemory(VkDevice device,
                                                      const VkCopyImageToMemoryInfo *info)
{
    copy.device = device;
    copy.image = info->srcImage;
    copy.flags = info->flags;
    return vd_call_vkCopyImageToMemory(device, info);
}

/* A size_t or uint32_t inside a property struct. */
static uint64_t property(struct vd_encoder *e, VkStructureType type, size_t offset, size_t size)
{
    uint32_t have = 0;
    const uint8_t *body =
        e->device ? vd_physical_device_property(e->device->physical_device, type, &have) : NULL;
    uint64_t value = 0;
    if (body && offset - 16 + size <= have)
        memcpy(&value, body + offset - 16, size);
    return value;
}

uint64_t vd_descriptor_capture_size(struct vd_encoder *e)
{
    /* One size per kind of object; drivers use the same for all, and the largest is safe to send
     * but not to receive, so the smallest is what crosses. */
    static const size_t offsets[] = {
        offsetof(VkPhysicalDeviceDescriptorBufferPropertiesEXT,
                 bufferCaptureReplayDescriptorDataSize),
        offsetof(VkPhysicalDeviceDescriptorBufferPropertiesEXT,
                 imageCaptureReplayDescriptorDataSize),
        offsetof(VkPhysicalDeviceDescriptorBufferPropertiesEXT,
                 imageViewCaptureReplayDescriptorDataSize),
        offsetof(VkPhysicalDeviceDescriptorBufferPropertiesEXT,
                 samplerCaptureReplayDescriptorDataSize),
    };
    uint64_t smallest = UINT64_MAX;
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        const uint64_t size =
            property(e, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_BUFFER_PROPERTIES_EXT,
                     offsets[i], sizeof(size_t));
        smallest = size < smallest ? size : smallest;
    }
    return smallest;
}

uint64_t vd_group_capture_size(struct vd_encoder *e)
{
    return property(e, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_RAY_TRACING_PIPELINE_PROPERTIES_KHR,
                    offsetof(VkPhysicalDeviceRayTracingPipelinePropertiesKHR,
                             shaderGroupHandleCaptureReplaySize),
                    sizeof(uint32_t));
}
