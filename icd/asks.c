/* SPDX-License-Identifier: MIT */
#include "asks.h"

#include "chain.h"
#include "device.h"
#include "device_memory.h"
#include "formats.h"
#include "image.h"
#include "object.h"

/* Texels that are copied sooner than an answer has come. */
#define COPY_TEXELS (UINT64_C(128) * 128)

/* What is larger is rare, and takes longer to be filled than an answer takes to come. */
#define RESOURCE_BYTES    (UINT64_C(64) << 20)
#define DESCRIPTORS       (UINT64_C(1) << 16)
#define BINDINGS          1024u
#define DATA_BYTES        (UINT64_C(1) << 20)
#define OBJECTS           256u
#define RENDER_PASS_PARTS 64u

static const VkPhysicalDeviceLimits *limits_of(VkDevice device)
{
    return &((const struct vdc_device *)device)->physical_device->properties.limits;
}

bool vdc_asks_buffer(const VkBufferCreateInfo *info)
{
    return info->flags != 0 || info->size > RESOURCE_BYTES;
}

/* No more than it is said to be, whatever the numbers are. */
static uint64_t times(uint64_t a, uint64_t b)
{
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t bytes_of(const VkImageCreateInfo *info)
{
    const struct vd_format *format = vd_format_info(info->format);
    uint64_t bytes = format && format->block_size ? format->block_size : 16;
    if (format && format->block_width) {
        bytes = times(bytes, info->extent.width / format->block_width + 1);
        bytes = times(bytes, info->extent.height / format->block_height + 1);
    } else {
        bytes = times(times(bytes, info->extent.width), info->extent.height);
    }
    bytes = times(times(bytes, info->extent.depth), info->arrayLayers);
    return times(bytes, info->samples);
}

static bool is_within(const VkPhysicalDeviceLimits *limits, const VkImageCreateInfo *info)
{
    const VkExtent3D *extent = &info->extent;
    const uint32_t side = info->imageType == VK_IMAGE_TYPE_1D   ? limits->maxImageDimension1D
                          : info->imageType == VK_IMAGE_TYPE_3D ? limits->maxImageDimension3D
                          : info->flags & VK_IMAGE_CREATE_CUBE_COMPATIBLE_BIT
                              ? limits->maxImageDimensionCube
                              : limits->maxImageDimension2D;
    return extent->width <= side && extent->height <= side && extent->depth <= side &&
           info->arrayLayers <= limits->maxImageArrayLayers;
}

bool vdc_asks_image(VkDevice device, const VkImageCreateInfo *info)
{
    const VkImageCreateFlags usual =
        VK_IMAGE_CREATE_MUTABLE_FORMAT_BIT | VK_IMAGE_CREATE_CUBE_COMPATIBLE_BIT |
        VK_IMAGE_CREATE_2D_ARRAY_COMPATIBLE_BIT | VK_IMAGE_CREATE_EXTENDED_USAGE_BIT |
        VK_IMAGE_CREATE_BLOCK_TEXEL_VIEW_COMPATIBLE_BIT | VK_IMAGE_CREATE_ALIAS_BIT;
    return (info->flags & ~usual) != 0 || !is_within(limits_of(device), info) ||
           bytes_of(info) > RESOURCE_BYTES || info->tiling > VK_IMAGE_TILING_LINEAR ||
           vd_chain_find(info->pNext, VK_STRUCTURE_TYPE_IMAGE_COMPRESSION_CONTROL_EXT);
}

bool vdc_asks_semaphore(const VkSemaphoreCreateInfo *info)
{
    return vd_chain_find(info->pNext, VK_STRUCTURE_TYPE_EXPORT_SEMAPHORE_CREATE_INFO);
}

bool vdc_asks_framebuffer(VkDevice device, const VkFramebufferCreateInfo *info)
{
    const VkPhysicalDeviceLimits *limits = limits_of(device);
    return info->width > limits->maxFramebufferWidth ||
           info->height > limits->maxFramebufferHeight ||
           info->layers > limits->maxFramebufferLayers || info->attachmentCount > RENDER_PASS_PARTS;
}

bool vdc_asks_render_pass(const VkRenderPassCreateInfo *info)
{
    return info->attachmentCount > RENDER_PASS_PARTS || info->subpassCount > RENDER_PASS_PARTS;
}

/* Drivers keep an array of bindings, whose largest number counts. */
bool vdc_asks_set_layout(const VkDescriptorSetLayoutCreateInfo *info)
{
    uint64_t descriptors = 0;
    for (uint32_t i = 0; i < info->bindingCount; i++) {
        if (info->pBindings[i].binding >= BINDINGS)
            return true;
        descriptors += info->pBindings[i].descriptorCount;
    }
    return descriptors > DESCRIPTORS;
}

bool vdc_asks_descriptor_pool(const VkDescriptorPoolCreateInfo *info)
{
    uint64_t descriptors = info->maxSets;
    for (uint32_t i = 0; i < info->poolSizeCount; i++)
        descriptors += info->pPoolSizes[i].descriptorCount;
    return descriptors > DESCRIPTORS;
}

bool vdc_asks_bytes(size_t size)
{
    return size > DATA_BYTES;
}

bool vdc_asks_count(uint32_t count)
{
    return count > OBJECTS;
}

bool vdc_asks_copy(VkDevice device, const VkCopyMemoryToImageInfo *info)
{
    const struct vdc_image *image =
        vdc_id_object(vdc_instance_of(device), (uint64_t)info->dstImage);
    uint64_t texels = 0;
    if (image && image->open)
        return true;
    for (uint32_t i = 0; i < info->regionCount; i++) {
        const VkMemoryToImageCopy *region = &info->pRegions[i];
        texels += (uint64_t)region->imageExtent.width * region->imageExtent.height *
                  region->imageExtent.depth * region->imageSubresource.layerCount;
    }
    return texels > COPY_TEXELS;
}

bool vdc_asks_free(VkDevice device, VkDeviceMemory memory)
{
    return vdc_device_memory_is_missed((struct vdc_device *)device, memory);
}
