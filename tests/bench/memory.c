// Device memory: its allocation, and how fast the host reads and writes it.
#include "bench.h"

#include <stdlib.h>
#include <string.h>

enum {
    PAGE = 4096,
    MAPPED_SIZE = 8 << 20,
    COPIED_SIDE = 256,
    COPIED_SIZE = COPIED_SIDE * COPIED_SIDE * 4,
};

static uint32_t memory_type;
static struct buffer mapped;
static uint8_t *scratch;
static VkImage copied; // in VK_IMAGE_LAYOUT_GENERAL
static VkDeviceMemory copied_memory;

static void copied_init(void)
{
    must(vkCreateImage(
        gpu.device,
        &(VkImageCreateInfo){
            .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
            .imageType = VK_IMAGE_TYPE_2D,
            .format = VK_FORMAT_R8G8B8A8_UNORM,
            .extent = {COPIED_SIDE, COPIED_SIDE, 1},
            .mipLevels = 1,
            .arrayLayers = 1,
            .samples = VK_SAMPLE_COUNT_1_BIT,
            .tiling = VK_IMAGE_TILING_OPTIMAL,
            .usage = VK_IMAGE_USAGE_HOST_TRANSFER_BIT_EXT | VK_IMAGE_USAGE_SAMPLED_BIT,
        },
        NULL, &copied));
    VkMemoryRequirements requirements;
    vkGetImageMemoryRequirements(gpu.device, copied, &requirements);
    copied_memory = allocate(&gpu, &requirements, 0, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    must(vkBindImageMemory(gpu.device, copied, copied_memory, 0));
    must(vk.TransitionImageLayoutEXT(
        gpu.device, 1,
        &(VkHostImageLayoutTransitionInfoEXT){
            .sType = VK_STRUCTURE_TYPE_HOST_IMAGE_LAYOUT_TRANSITION_INFO_EXT,
            .image = copied,
            .oldLayout = VK_IMAGE_LAYOUT_UNDEFINED,
            .newLayout = VK_IMAGE_LAYOUT_GENERAL,
            .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1},
        }));
}

static void init(void)
{
    memory_type =
        find_memory_type(&gpu, UINT32_MAX,
                         VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
                         VK_MEMORY_PROPERTY_HOST_CACHED_BIT);
    expect(memory_type != UINT32_MAX, "no memory type is host-visible and coherent");
    buffer_init_host(&gpu, &mapped, MAPPED_SIZE, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    scratch = malloc(MAPPED_SIZE);
    expect(scratch, "no memory");
    memset(scratch, 1, MAPPED_SIZE);
    if (bench_has_host_image_copy())
        copied_init();
}

static void finish(void)
{
    vkDestroyImage(gpu.device, copied, NULL);
    vkFreeMemory(gpu.device, copied_memory, NULL);
    free(scratch);
    buffer_finish(&gpu, &mapped);
}

static uint64_t allocate_map_touch_free(VkDeviceSize size)
{
    const uint64_t started = now_ns();
    VkDeviceMemory memory;
    must(vk.AllocateMemory(gpu.device,
                           &(VkMemoryAllocateInfo){
                               .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                               .allocationSize = size,
                               .memoryTypeIndex = memory_type,
                           },
                           NULL, &memory));
    void *map;
    must(vk.MapMemory(gpu.device, memory, 0, VK_WHOLE_SIZE, 0, &map));
    for (VkDeviceSize offset = 0; offset < size; offset += PAGE)
        ((volatile uint8_t *)map)[offset] = 1;
    vk.UnmapMemory(gpu.device, memory);
    vk.FreeMemory(gpu.device, memory, NULL);
    return now_ns() - started;
}

static uint64_t allocate_64k(void)
{
    return allocate_map_touch_free(64 << 10);
}

static uint64_t allocate_4m(void)
{
    return allocate_map_touch_free(4 << 20);
}

static void mapped_write(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        scratch[i] ^= 1;
        memcpy(mapped.map, scratch, MAPPED_SIZE);
    }
}

static void mapped_read(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        memcpy(scratch, mapped.map, MAPPED_SIZE);
        // So that the copy can not be left out.
        __asm__ volatile("" : : "r"(scratch) : "memory");
    }
}

static const VkImageSubresourceLayers colour = {
    .aspectMask = VK_IMAGE_ASPECT_COLOR_BIT,
    .layerCount = 1,
};

static void host_copy_to_image(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        must(vk.CopyMemoryToImageEXT(
            gpu.device, &(VkCopyMemoryToImageInfoEXT){
                            .sType = VK_STRUCTURE_TYPE_COPY_MEMORY_TO_IMAGE_INFO_EXT,
                            .dstImage = copied,
                            .dstImageLayout = VK_IMAGE_LAYOUT_GENERAL,
                            .regionCount = 1,
                            .pRegions =
                                &(VkMemoryToImageCopyEXT){
                                    .sType = VK_STRUCTURE_TYPE_MEMORY_TO_IMAGE_COPY_EXT,
                                    .pHostPointer = scratch,
                                    .imageSubresource = colour,
                                    .imageExtent = {COPIED_SIDE, COPIED_SIDE, 1},
                                },
                        }));
    }
}

static void host_copy_from_image(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        must(vk.CopyImageToMemoryEXT(
            gpu.device, &(VkCopyImageToMemoryInfoEXT){
                            .sType = VK_STRUCTURE_TYPE_COPY_IMAGE_TO_MEMORY_INFO_EXT,
                            .srcImage = copied,
                            .srcImageLayout = VK_IMAGE_LAYOUT_GENERAL,
                            .regionCount = 1,
                            .pRegions =
                                &(VkImageToMemoryCopyEXT){
                                    .sType = VK_STRUCTURE_TYPE_IMAGE_TO_MEMORY_COPY_EXT,
                                    .pHostPointer = scratch,
                                    .imageSubresource = colour,
                                    .imageExtent = {COPIED_SIDE, COPIED_SIDE, 1},
                                },
                        }));
    }
}

static const char *no_host_image_copy(void)
{
    return bench_has_host_image_copy() ? NULL : "no VK_EXT_host_image_copy";
}

// clang-format off
static const struct bench_case cases[] = {
    {"allocate_64k",         "memory",     "allocation of 64 KiB", .once = allocate_64k,   .count = 1},
    {"allocate_4m",          "memory",     "allocation of 4 MiB",  .once = allocate_4m,    .count = 1},
    {"mapped_write",         "bandwidth",  "8 MiB",                .repeat = mapped_write, .count = 1, .bytes = MAPPED_SIZE},
    {"mapped_read",          "bandwidth",  "8 MiB",                .repeat = mapped_read,  .count = 1, .bytes = MAPPED_SIZE},
    {"host_copy_to_image",   "host image", "256 KiB",              .repeat = host_copy_to_image,   .count = 10, .bytes = COPIED_SIZE, .missing = no_host_image_copy},
    {"host_copy_from_image", "host image", "256 KiB",              .repeat = host_copy_from_image, .count = 10, .bytes = COPIED_SIZE, .missing = no_host_image_copy},
};
// clang-format on

const struct suite suite_memory = {
    .cases = cases,
    .case_count = ARRAY_SIZE(cases),
    .init = init,
    .finish = finish,
};
