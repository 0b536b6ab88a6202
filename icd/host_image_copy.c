/* SPDX-License-Identifier: MIT
 *
 * Sizes that the registry does not state: of host image copies, which follow from the image's
 * format, and of capture data, which are device properties.
 */
#include <stdlib.h>

#include "call.h"
#include "calls.h"
#include "entrypoints.h"
#include "formats.h"
#include "image.h"
#include "opcodes.h"

/* What the copy being encoded on this thread is about: a region does not name its image. */
static _Thread_local struct {
    VkImage image;
    /* Of copies without a conversion, NULL for others: the bytes of each region's layers, asked for
     * beforehand, because no other call can be made while one is encoded. */
    const uint64_t *sizes;
    /* Where the first region's subresource is, and how far apart they are. */
    const VkImageSubresourceLayers *first;
    size_t stride;
} copy;

/* Bytes of one subresource as the driver lays it out. */
static uint64_t memcpy_size(VkDevice device, VkImage image,
                            const VkImageSubresourceLayers *subresource)
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
    vdc_call_vkGetImageSubresourceLayout2(device, image, &question, &layout);
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

static uint32_t layer_count(const struct vdc_image *image,
                            const VkImageSubresourceLayers *subresource)
{
    return subresource->layerCount == VK_REMAINING_ARRAY_LAYERS
               ? image->layers - subresource->baseArrayLayer
               : subresource->layerCount;
}

uint64_t vdc_host_copy_size(struct vdc_encoder *e, uint32_t row_length, uint32_t image_height,
                            const VkImageSubresourceLayers *subresource, const VkExtent3D *extent)
{
    const struct vdc_image *image = vdc_id_object(e->instance, (uint64_t)copy.image);
    if (!image)
        return 0;
    if (copy.sizes)
        return copy
            .sizes[(size_t)((const char *)subresource - (const char *)copy.first) / copy.stride];
    const uint32_t layers = layer_count(image, subresource);
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

/* Whether the copy writes each byte that vdc_host_copy_size counts. */
bool vdc_host_copy_is_tight(uint32_t row_length, uint32_t image_height, const VkExtent3D *extent)
{
    return !copy.sizes && (row_length == 0 || row_length == extent->width) &&
           (image_height == 0 || image_height == extent->height);
}

/* Before the copy is encoded. False: out of memory. */
static bool begin_copy(VkDevice device, VkImage handle, VkHostImageCopyFlags flags, uint32_t count,
                       const VkImageSubresourceLayers *first, size_t stride)
{
    copy.image = handle;
    copy.first = first;
    copy.stride = stride;
    copy.sizes = NULL;
    const struct vdc_image *image = vdc_id_object(vdc_instance_of(device), (uint64_t)handle);
    if (!image || !(flags & VK_HOST_IMAGE_COPY_MEMCPY))
        return true;
    uint64_t *sizes = malloc(count * sizeof(*sizes));
    for (uint32_t i = 0; sizes && i < count; i++) {
        const VkImageSubresourceLayers *subresource =
            (const VkImageSubresourceLayers *)((const char *)first + i * stride);
        sizes[i] = memcpy_size(device, handle, subresource) * layer_count(image, subresource);
    }
    copy.sizes = sizes;
    return sizes;
}

static void end_copy(void)
{
    free((void *)copy.sizes);
    copy.sizes = NULL;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkCopyMemoryToImage(VkDevice device,
                                                       const VkCopyMemoryToImageInfo *info)
{
    if (!begin_copy(device, info->dstImage, info->flags, info->regionCount,
                    &info->pRegions->imageSubresource, sizeof(*info->pRegions)))
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    const VkResult result = vdc_call_vkCopyMemoryToImage(device, info);
    end_copy();
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkCopyImageToMemory(VkDevice device,
                                                       const VkCopyImageToMemoryInfo *info)
{
    if (!begin_copy(device, info->srcImage, info->flags, info->regionCount,
                    &info->pRegions->imageSubresource, sizeof(*info->pRegions)))
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    const VkResult result = vdc_call_vkCopyImageToMemory(device, info);
    end_copy();
    return result;
}

/* A size_t or uint32_t inside a property struct. */
static uint64_t property(struct vdc_encoder *e, VkStructureType type, size_t offset, size_t size)
{
    uint32_t have = 0;
    const uint8_t *body =
        e->device ? vdc_physical_device_property(e->device->physical_device, type, &have) : NULL;
    uint64_t value = 0;
    if (body && offset - 16 + size <= have)
        memcpy(&value, body + offset - 16, size);
    return value;
}

uint64_t vdc_descriptor_capture_size(struct vdc_encoder *e)
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

#ifdef VK_ARM_tensors
uint64_t vdc_tensor_capture_size(struct vdc_encoder *e, uint32_t type)
{
    const size_t offset = type == VD_TYPE_VkTensorARM
                              ? offsetof(VkPhysicalDeviceDescriptorBufferTensorPropertiesARM,
                                         tensorCaptureReplayDescriptorDataSize)
                              : offsetof(VkPhysicalDeviceDescriptorBufferTensorPropertiesARM,
                                         tensorViewCaptureReplayDescriptorDataSize);
    return property(e, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_BUFFER_TENSOR_PROPERTIES_ARM,
                    offset, sizeof(size_t));
}
#endif

uint64_t vdc_group_capture_size(struct vdc_encoder *e)
{
    return property(e, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_RAY_TRACING_PIPELINE_PROPERTIES_KHR,
                    offsetof(VkPhysicalDeviceRayTracingPipelinePropertiesKHR,
                             shaderGroupHandleCaptureReplaySize),
                    sizeof(uint32_t));
}
