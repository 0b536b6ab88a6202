/* SPDX-License-Identifier: MIT
 *
 * What an application decides by when it chooses memory: the properties of each type that a buffer or
 * an image may be bound to, in order. What takes the mapped path natively must find it here, too.
 */
#include "common.h"

#include <stdio.h>

static struct gpu gpu;

static void print_types(const char *what, uint32_t bits)
{
    printf("types: %s:", what);
    for (uint32_t i = 0; i < gpu.memory.memoryTypeCount; i++) {
        if (bits & 1u << i)
            printf(" %#x in heap %u", gpu.memory.memoryTypes[i].propertyFlags,
                   gpu.memory.memoryTypes[i].heapIndex);
    }
    printf("\n");
}

static void print_buffer(const char *what, VkBufferUsageFlags usage)
{
    VkBuffer buffer;
    must(vkCreateBuffer(gpu.device,
                        &(VkBufferCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                            .size = 65536,
                            .usage = usage,
                        },
                        NULL, &buffer));
    VkMemoryRequirements requirements;
    vkGetBufferMemoryRequirements(gpu.device, buffer, &requirements);
    print_types(what, requirements.memoryTypeBits);
    vkDestroyBuffer(gpu.device, buffer, NULL);
}

static void print_image(const char *what, VkFormat format, VkImageTiling tiling,
                        VkImageUsageFlags usage)
{
    VkImage image;
    must(vkCreateImage(gpu.device,
                       &(VkImageCreateInfo){
                           .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                           .imageType = VK_IMAGE_TYPE_2D,
                           .format = format,
                           .extent = {64, 64, 1},
                           .mipLevels = 1,
                           .arrayLayers = 1,
                           .samples = VK_SAMPLE_COUNT_1_BIT,
                           .tiling = tiling,
                           .usage = usage,
                       },
                       NULL, &image));
    VkMemoryRequirements requirements;
    vkGetImageMemoryRequirements(gpu.device, image, &requirements);
    print_types(what, requirements.memoryTypeBits);
    vkDestroyImage(gpu.device, image, NULL);
}

int main(void)
{
    gpu_init(&gpu, &(struct gpu_options){.name = "types"});
    print_buffer("a staging buffer", VK_BUFFER_USAGE_TRANSFER_SRC_BIT);
    print_buffer("a vertex buffer",
                 VK_BUFFER_USAGE_VERTEX_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    print_buffer("a uniform buffer", VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT);
    print_buffer("a storage buffer", VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    print_image("a texture", VK_FORMAT_R8G8B8A8_UNORM, VK_IMAGE_TILING_OPTIMAL,
                VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT);
    print_image("a colour attachment", VK_FORMAT_R8G8B8A8_UNORM, VK_IMAGE_TILING_OPTIMAL,
                VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT);
    print_image("a depth attachment", VK_FORMAT_D32_SFLOAT, VK_IMAGE_TILING_OPTIMAL,
                VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT);
    print_image("a linear image", VK_FORMAT_R8G8B8A8_UNORM, VK_IMAGE_TILING_LINEAR,
                VK_IMAGE_USAGE_SAMPLED_BIT);
    gpu_finish(&gpu);
    return 0;
}
