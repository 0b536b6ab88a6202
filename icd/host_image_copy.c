/* SPDX-License-Identifier: MIT
 *
 * Sizes that the registry does not state: of host image copies, which follow from the image's
 * format, and of capture data, which are device properties.
 */
#include <stdlib.h>

#include "common/image_copy.h"

#include "asks.h"
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
    return vd_image_copy_size(&(struct vd_image_copy){
        .format = image->format,
        .aspect = subresource->aspectMask,
        .row_length = row_length,
        .image_height = image_height,
        .extent = *extent,
        .layers = layers,
    });
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
    if (!vdc_asks_copy(device, info))
        vdc_unanswered_add(&vdc_instance_of(device)->copies);
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
    size_t offset;
    switch (e->opcode) {
    case VD_OP_vkCreateBuffer:
    case VD_OP_vkGetBufferOpaqueCaptureDescriptorDataEXT:
        offset = offsetof(VkPhysicalDeviceDescriptorBufferPropertiesEXT,
                          bufferCaptureReplayDescriptorDataSize);
        break;
    case VD_OP_vkCreateImage:
    case VD_OP_vkGetImageOpaqueCaptureDescriptorDataEXT:
        offset = offsetof(VkPhysicalDeviceDescriptorBufferPropertiesEXT,
                          imageCaptureReplayDescriptorDataSize);
        break;
    case VD_OP_vkCreateImageView:
    case VD_OP_vkGetImageViewOpaqueCaptureDescriptorDataEXT:
        offset = offsetof(VkPhysicalDeviceDescriptorBufferPropertiesEXT,
                          imageViewCaptureReplayDescriptorDataSize);
        break;
    case VD_OP_vkCreateSampler:
    case VD_OP_vkGetSamplerOpaqueCaptureDescriptorDataEXT:
        offset = offsetof(VkPhysicalDeviceDescriptorBufferPropertiesEXT,
                          samplerCaptureReplayDescriptorDataSize);
        break;
#ifdef VK_ARM_tensors
    case VD_OP_vkCreateTensorARM:
        return vdc_tensor_capture_size(e, VD_TYPE_VkTensorARM);
    case VD_OP_vkCreateTensorViewARM:
        return vdc_tensor_capture_size(e, VD_TYPE_VkTensorViewARM);
#endif
    default:
        offset = offsetof(VkPhysicalDeviceDescriptorBufferPropertiesEXT,
                          accelerationStructureCaptureReplayDescriptorDataSize);
        break;
    }
    return property(e, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_BUFFER_PROPERTIES_EXT, offset,
                    sizeof(size_t));
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
