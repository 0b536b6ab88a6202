/* SPDX-License-Identifier: MIT
 *
 * Memory is freed, and at once allocated again:
 *
 *   freed           in other pieces, all that there was of it
 *   freed threads   by several threads, of which each needs a part of what another one has freed
 *   freed copies    of images, behind copies that the host makes: those change nothing of what is there then
 */
#include "common.h"
#include "recording.h"
#include "resources.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

enum {
    PIECES = 60, /* of a MiB; a server that has room for twice as much has not */
    ROUNDS = 8,
    TURNS = 100,
    SIDE = 128, /* a copy of so much is not waited for */
    THREADS = 4,
    SHARE =
        120, /* MiB of each thread; a server that has room for a bit more than all of it has not for one more */
};

static struct gpu gpu;
static uint32_t type;

static void find_type(void)
{
    struct buffer buffer;
    buffer_init_host(&gpu, &buffer, MIB, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    VkMemoryRequirements requirements;
    vkGetBufferMemoryRequirements(gpu.device, buffer.handle, &requirements);
    VkPhysicalDeviceMemoryProperties memory;
    vkGetPhysicalDeviceMemoryProperties(gpu.physical, &memory);
    const VkMemoryPropertyFlags wanted =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    while (!(requirements.memoryTypeBits & UINT32_C(1) << type) ||
           (memory.memoryTypes[type].propertyFlags & wanted) != wanted)
        type++;
    buffer_finish(&gpu, &buffer);
}

static VkDeviceMemory allocate_mappable(VkDeviceSize size)
{
    VkDeviceMemory memory;
    must(vkAllocateMemory(gpu.device,
                          &(VkMemoryAllocateInfo){
                              .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                              .allocationSize = size,
                              .memoryTypeIndex = type,
                          },
                          NULL, &memory));
    return memory;
}

/* In pieces, then as one. */
static void test_all(void)
{
    for (uint32_t round = 0; round < ROUNDS; round++) {
        VkDeviceMemory pieces[PIECES];
        for (uint32_t i = 0; i < PIECES; i++)
            pieces[i] = allocate_mappable(MIB);
        for (uint32_t i = 0; i < PIECES; i++)
            vkFreeMemory(gpu.device, pieces[i], NULL);
        vkFreeMemory(gpu.device, allocate_mappable(PIECES * MIB), NULL);
    }
}

static const struct program_part parts[] = {
    {"all of it", test_all},
};

/* ---- Several threads */

static pthread_barrier_t freed;

static void *allocate_share(void *unused)
{
    (void)unused;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&freed);
        const VkDeviceMemory memory = allocate_mappable(SHARE * MIB);
        pthread_barrier_wait(&freed);
        vkFreeMemory(gpu.device, memory, NULL);
        pthread_barrier_wait(&freed);
    }
    return NULL;
}

/* One frees, and the others have what it had, all at once. */
static void test_threads(void)
{
    pthread_t threads[THREADS];
    expect(pthread_barrier_init(&freed, NULL, THREADS + 1) == 0, "no threads");
    for (uint32_t i = 0; i < THREADS; i++)
        expect(pthread_create(&threads[i], NULL, allocate_share, NULL) == 0, "no threads");
    for (uint32_t round = 0; round < ROUNDS; round++) {
        VkDeviceMemory pieces[THREADS * SHARE];
        for (uint32_t i = 0; i < ARRAY_SIZE(pieces); i++)
            pieces[i] = allocate_mappable(MIB);
        for (uint32_t i = 0; i < ARRAY_SIZE(pieces); i++)
            vkFreeMemory(gpu.device, pieces[i], NULL);
        for (uint32_t i = 0; i < 3; i++)
            pthread_barrier_wait(&freed);
    }
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&freed);
}

static const struct program_part parts_of_threads[] = {
    {"threads", test_threads},
};

/* ---- Copies */

#define DEVICE(name) ((PFN_##name)vkGetDeviceProcAddr(gpu.device, #name))

struct copied {
    VkImage image;
    VkDeviceMemory memory;
};

/* In memory that can be mapped, where that is offered: it is the application's own. */
static struct copied copied_init(void)
{
    struct copied copied;
    must(vkCreateImage(gpu.device,
                       &(VkImageCreateInfo){
                           .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                           .imageType = VK_IMAGE_TYPE_2D,
                           .format = VK_FORMAT_R8G8B8A8_UNORM,
                           .extent = {SIDE, SIDE, 1},
                           .mipLevels = 1,
                           .arrayLayers = 1,
                           .samples = VK_SAMPLE_COUNT_1_BIT,
                           .usage = VK_IMAGE_USAGE_HOST_TRANSFER_BIT_EXT,
                       },
                       NULL, &copied.image));
    VkMemoryRequirements requirements;
    vkGetImageMemoryRequirements(gpu.device, copied.image, &requirements);
    copied.memory = allocate(&gpu, &requirements, 0, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
    must(vkBindImageMemory(gpu.device, copied.image, copied.memory, 0));
    must(DEVICE(vkTransitionImageLayoutEXT)(
        gpu.device, 1,
        &(VkHostImageLayoutTransitionInfoEXT){
            .sType = VK_STRUCTURE_TYPE_HOST_IMAGE_LAYOUT_TRANSITION_INFO_EXT,
            .image = copied.image,
            .oldLayout = VK_IMAGE_LAYOUT_UNDEFINED,
            .newLayout = VK_IMAGE_LAYOUT_GENERAL,
            .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1},
        }));
    return copied;
}

static void copied_finish(const struct copied *copied)
{
    vkDestroyImage(gpu.device, copied->image, NULL);
    vkFreeMemory(gpu.device, copied->memory, NULL);
}

static uint32_t texels[SIDE * SIDE];

static void copy_in(VkImage image, uint32_t value)
{
    for (uint32_t i = 0; i < SIDE * SIDE; i++)
        texels[i] = value + i;
    must(DEVICE(vkCopyMemoryToImageEXT)(
        gpu.device, &(VkCopyMemoryToImageInfoEXT){
                        .sType = VK_STRUCTURE_TYPE_COPY_MEMORY_TO_IMAGE_INFO_EXT,
                        .dstImage = image,
                        .dstImageLayout = VK_IMAGE_LAYOUT_GENERAL,
                        .regionCount = 1,
                        .pRegions =
                            &(VkMemoryToImageCopyEXT){
                                .sType = VK_STRUCTURE_TYPE_MEMORY_TO_IMAGE_COPY_EXT,
                                .pHostPointer = texels,
                                .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                                .imageExtent = {SIDE, SIDE, 1},
                            },
                    }));
}

static void expect_texels(VkImage image, uint32_t value)
{
    must(DEVICE(vkCopyImageToMemoryEXT)(
        gpu.device, &(VkCopyImageToMemoryInfoEXT){
                        .sType = VK_STRUCTURE_TYPE_COPY_IMAGE_TO_MEMORY_INFO_EXT,
                        .srcImage = image,
                        .srcImageLayout = VK_IMAGE_LAYOUT_GENERAL,
                        .regionCount = 1,
                        .pRegions =
                            &(VkImageToMemoryCopyEXT){
                                .sType = VK_STRUCTURE_TYPE_IMAGE_TO_MEMORY_COPY_EXT,
                                .pHostPointer = texels,
                                .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                                .imageExtent = {SIDE, SIDE, 1},
                            },
                    }));
    for (uint32_t i = 0; i < SIDE * SIDE; i++)
        expect(texels[i] == value + i, "texel %u is %x, not %x", i, texels[i], value + i);
}

/* The host copies to an image whose memory is freed at once; what is written then, the texels of the next copy
 * above all, may lie in the same pages. */
static void test_copies(void)
{
    const struct copied stays = copied_init();
    for (uint32_t turn = 1; turn <= TURNS; turn++) {
        const struct copied goes = copied_init();
        copy_in(goes.image, turn << 16);
        copied_finish(&goes);
        copy_in(stays.image, turn << 24);
        expect_texels(stays.image, turn << 24);
    }
    copied_finish(&stays);
}

static const struct program_part parts_of_copies[] = {
    {"copies", test_copies},
};

static void init(bool copies)
{
    static VkPhysicalDeviceHostImageCopyFeaturesEXT features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_HOST_IMAGE_COPY_FEATURES_EXT,
        .hostImageCopy = VK_TRUE,
    };
    static const char *const extension = VK_EXT_HOST_IMAGE_COPY_EXTENSION_NAME;
    gpu_init(&gpu, &(struct gpu_options){
                       .name = "freed",
                       .features = copies ? &features : NULL,
                       .device_extensions = &extension,
                       .device_extension_count = copies,
                   });
}

int main(int argc, char **argv)
{
    const bool threads = argc > 1 && strcmp(argv[1], "threads") == 0;
    const bool copies = argc > 1 && strcmp(argv[1], "copies") == 0;
    init(copies);
    find_type();
    if (threads)
        run_parts("freed", parts_of_threads, ARRAY_SIZE(parts_of_threads));
    else if (copies)
        run_parts("freed", parts_of_copies, ARRAY_SIZE(parts_of_copies));
    else
        run_parts("freed", parts, ARRAY_SIZE(parts));
    gpu_finish(&gpu);
    return 0;
}
