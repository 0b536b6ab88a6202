/* SPDX-License-Identifier: MIT */
#include "copied.h"

#include "common.h"
#include "resources.h"

#define DEVICE(name) ((PFN_##name)vkGetDeviceProcAddr(gpu->device, #name))

void copied_init(const struct gpu *gpu, struct copied *copied, const struct copied_options *options)
{
    *copied = (struct copied){.extent = options->extent, .layers = options->layers};
    must(vkCreateImage(gpu->device,
                       &(VkImageCreateInfo){
                           .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                           .imageType = VK_IMAGE_TYPE_2D,
                           .format = options->format,
                           .extent = options->extent,
                           .mipLevels = 1,
                           .arrayLayers = options->layers,
                           .samples = VK_SAMPLE_COUNT_1_BIT,
                           .tiling = options->tiling,
                           .usage = VK_IMAGE_USAGE_HOST_TRANSFER_BIT_EXT,
                       },
                       NULL, &copied->image));
    VkMemoryRequirements requirements;
    vkGetImageMemoryRequirements(gpu->device, copied->image, &requirements);
    copied->memory = allocate(gpu, &requirements, options->required, options->preferred);
    must(vkBindImageMemory(gpu->device, copied->image, copied->memory, 0));
    must(DEVICE(vkTransitionImageLayoutEXT)(
        gpu->device, 1,
        &(VkHostImageLayoutTransitionInfoEXT){
            .sType = VK_STRUCTURE_TYPE_HOST_IMAGE_LAYOUT_TRANSITION_INFO_EXT,
            .image = copied->image,
            .oldLayout = VK_IMAGE_LAYOUT_UNDEFINED,
            .newLayout = VK_IMAGE_LAYOUT_GENERAL,
            .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, options->layers},
        }));
}

void copied_finish(const struct gpu *gpu, const struct copied *copied)
{
    vkDestroyImage(gpu->device, copied->image, NULL);
    vkFreeMemory(gpu->device, copied->memory, NULL);
}

void copy_in(const struct gpu *gpu, const struct copied *copied, VkHostImageCopyFlagsEXT flags,
             const void *from, uint32_t row_length, uint32_t image_height)
{
    must(DEVICE(vkCopyMemoryToImageEXT)(
        gpu->device,
        &(VkCopyMemoryToImageInfoEXT){
            .sType = VK_STRUCTURE_TYPE_COPY_MEMORY_TO_IMAGE_INFO_EXT,
            .flags = flags,
            .dstImage = copied->image,
            .dstImageLayout = VK_IMAGE_LAYOUT_GENERAL,
            .regionCount = 1,
            .pRegions =
                &(VkMemoryToImageCopyEXT){
                    .sType = VK_STRUCTURE_TYPE_MEMORY_TO_IMAGE_COPY_EXT,
                    .pHostPointer = from,
                    .memoryRowLength = row_length,
                    .memoryImageHeight = image_height,
                    .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, copied->layers},
                    .imageExtent = copied->extent,
                },
        }));
}

void copy_out(const struct gpu *gpu, const struct copied *copied, VkHostImageCopyFlagsEXT flags,
              void *to, uint32_t row_length, uint32_t image_height)
{
    must(DEVICE(vkCopyImageToMemoryEXT)(
        gpu->device,
        &(VkCopyImageToMemoryInfoEXT){
            .sType = VK_STRUCTURE_TYPE_COPY_IMAGE_TO_MEMORY_INFO_EXT,
            .flags = flags,
            .srcImage = copied->image,
            .srcImageLayout = VK_IMAGE_LAYOUT_GENERAL,
            .regionCount = 1,
            .pRegions =
                &(VkImageToMemoryCopyEXT){
                    .sType = VK_STRUCTURE_TYPE_IMAGE_TO_MEMORY_COPY_EXT,
                    .pHostPointer = to,
                    .memoryRowLength = row_length,
                    .memoryImageHeight = image_height,
                    .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, copied->layers},
                    .imageExtent = copied->extent,
                },
        }));
}
