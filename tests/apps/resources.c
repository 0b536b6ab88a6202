/* SPDX-License-Identifier: MIT */
#include "resources.h"

#include "common.h"

uint32_t find_memory_type(const struct gpu *gpu, uint32_t bits, VkMemoryPropertyFlags required,
                          VkMemoryPropertyFlags preferred)
{
    const VkMemoryPropertyFlags wishes[] = {required | preferred, required};
    for (size_t wish = 0; wish < ARRAY_SIZE(wishes); wish++) {
        for (uint32_t i = 0; i < gpu->memory.memoryTypeCount; i++) {
            const VkMemoryPropertyFlags flags = gpu->memory.memoryTypes[i].propertyFlags;
            if ((bits & (1u << i)) && (flags & wishes[wish]) == wishes[wish])
                return i;
        }
    }
    return UINT32_MAX;
}

VkDeviceMemory allocate_of_type(const struct gpu *gpu, uint32_t type, VkDeviceSize size)
{
    VkDeviceMemory memory;
    must(vkAllocateMemory(gpu->device,
                          &(VkMemoryAllocateInfo){
                              .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                              .allocationSize = size,
                              .memoryTypeIndex = type,
                          },
                          NULL, &memory));
    return memory;
}

VkDeviceMemory allocate(const struct gpu *gpu, const VkMemoryRequirements *requirements,
                        VkMemoryPropertyFlags required, VkMemoryPropertyFlags preferred)
{
    const uint32_t type = find_memory_type(gpu, requirements->memoryTypeBits, required, preferred);
    expect(type != UINT32_MAX, "no memory type in %#x has properties %#x",
           requirements->memoryTypeBits, required);
    return allocate_of_type(gpu, type, requirements->size);
}

static void buffer_init(const struct gpu *gpu, struct buffer *buffer, VkDeviceSize size,
                        VkBufferUsageFlags usage, VkMemoryPropertyFlags required,
                        VkMemoryPropertyFlags preferred)
{
    *buffer = (struct buffer){.size = size};
    must(vkCreateBuffer(gpu->device,
                        &(VkBufferCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                            .size = size,
                            .usage = usage,
                            .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
                        },
                        NULL, &buffer->handle));
    VkMemoryRequirements requirements;
    vkGetBufferMemoryRequirements(gpu->device, buffer->handle, &requirements);
    expect(requirements.size >= size, "a buffer of %ju bytes needs only %ju", (uintmax_t)size,
           (uintmax_t)requirements.size);
    buffer->memory = allocate(gpu, &requirements, required, preferred);
    must(vkBindBufferMemory(gpu->device, buffer->handle, buffer->memory, 0));
}

void buffer_init_host(const struct gpu *gpu, struct buffer *buffer, VkDeviceSize size,
                      VkBufferUsageFlags usage)
{
    buffer_init(gpu, buffer, size, usage,
                VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
                VK_MEMORY_PROPERTY_HOST_CACHED_BIT);
    must(vkMapMemory(gpu->device, buffer->memory, 0, VK_WHOLE_SIZE, 0, &buffer->map));
}

void buffer_init_device(const struct gpu *gpu, struct buffer *buffer, VkDeviceSize size,
                        VkBufferUsageFlags usage)
{
    buffer_init(gpu, buffer, size, usage, 0, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
}

VkDeviceAddress buffer_init_addressed(const struct gpu *gpu, struct buffer *buffer,
                                      VkDeviceSize size, VkBufferUsageFlags usage)
{
    *buffer = (struct buffer){.size = size};
    must(vkCreateBuffer(gpu->device,
                        &(VkBufferCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                            .size = size,
                            .usage = usage | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT,
                        },
                        NULL, &buffer->handle));
    VkMemoryRequirements requirements;
    vkGetBufferMemoryRequirements(gpu->device, buffer->handle, &requirements);
    must(vkAllocateMemory(
        gpu->device,
        &(VkMemoryAllocateInfo){
            .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
            .pNext =
                &(VkMemoryAllocateFlagsInfo){
                    .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
                    .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT,
                },
            .allocationSize = requirements.size,
            .memoryTypeIndex = find_memory_type(
                gpu, requirements.memoryTypeBits,
                VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, 0),
        },
        NULL, &buffer->memory));
    must(vkBindBufferMemory(gpu->device, buffer->handle, buffer->memory, 0));
    must(vkMapMemory(gpu->device, buffer->memory, 0, VK_WHOLE_SIZE, 0, &buffer->map));
    const VkDeviceAddress address = vkGetBufferDeviceAddress(
        gpu->device, &(VkBufferDeviceAddressInfo){
                         .sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                         .buffer = buffer->handle,
                     });
    expect(address, "a buffer has no address");
    return address;
}

void buffer_finish(const struct gpu *gpu, struct buffer *buffer)
{
    vkDestroyBuffer(gpu->device, buffer->handle, NULL);
    vkFreeMemory(gpu->device, buffer->memory, NULL);
    *buffer = (struct buffer){0};
}

VkImageAspectFlags format_aspects(VkFormat format)
{
    switch (format) {
    case VK_FORMAT_D16_UNORM:
    case VK_FORMAT_D32_SFLOAT:
    case VK_FORMAT_X8_D24_UNORM_PACK32:
        return VK_IMAGE_ASPECT_DEPTH_BIT;
    case VK_FORMAT_D24_UNORM_S8_UINT:
    case VK_FORMAT_D32_SFLOAT_S8_UINT:
        return VK_IMAGE_ASPECT_DEPTH_BIT | VK_IMAGE_ASPECT_STENCIL_BIT;
    default:
        return VK_IMAGE_ASPECT_COLOR_BIT;
    }
}

void image_init(const struct gpu *gpu, struct image *image, const struct image_options *options)
{
    *image = (struct image){
        .format = options->format,
        .extent = options->extent,
        .levels = options->levels ? options->levels : 1,
    };
    must(vkCreateImage(gpu->device,
                       &(VkImageCreateInfo){
                           .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                           .imageType = VK_IMAGE_TYPE_2D,
                           .format = image->format,
                           .extent = {image->extent.width, image->extent.height, 1},
                           .mipLevels = image->levels,
                           .arrayLayers = 1,
                           .samples = options->samples ? options->samples : VK_SAMPLE_COUNT_1_BIT,
                           .tiling = VK_IMAGE_TILING_OPTIMAL,
                           .usage = options->usage,
                           .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
                           .initialLayout = VK_IMAGE_LAYOUT_UNDEFINED,
                       },
                       NULL, &image->handle));
    VkMemoryRequirements requirements;
    vkGetImageMemoryRequirements(gpu->device, image->handle, &requirements);
    image->memory = allocate(gpu, &requirements, 0, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    must(vkBindImageMemory(gpu->device, image->handle, image->memory, 0));

    const VkImageUsageFlags viewable = VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_STORAGE_BIT |
                                       VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT |
                                       VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT |
                                       VK_IMAGE_USAGE_INPUT_ATTACHMENT_BIT;
    if (!(options->usage & viewable))
        return;
    must(vkCreateImageView(gpu->device,
                           &(VkImageViewCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                               .image = image->handle,
                               .viewType = VK_IMAGE_VIEW_TYPE_2D,
                               .format = image->format,
                               .subresourceRange =
                                   {
                                       .aspectMask = format_aspects(image->format),
                                       .levelCount = image->levels,
                                       .layerCount = 1,
                                   },
                           },
                           NULL, &image->view));
}

void image_finish(const struct gpu *gpu, struct image *image)
{
    vkDestroyImageView(gpu->device, image->view, NULL);
    vkDestroyImage(gpu->device, image->handle, NULL);
    vkFreeMemory(gpu->device, image->memory, NULL);
    *image = (struct image){0};
}
