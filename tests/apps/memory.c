/* SPDX-License-Identifier: MIT
 *
 * Device memory: mapping in all its forms, sizes, types, and copies in both directions.
 */
#include "common.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KIB = 1024,
    MIB = 1024 * 1024,
};

static struct gpu gpu;

static VkPhysicalDeviceFeatures core_features;

static uint32_t host_type(void)
{
    return find_memory_type(
        &gpu, UINT32_MAX,
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, 0);
}

static void *map(VkDeviceMemory memory, VkDeviceSize offset, VkDeviceSize size)
{
    void *pointer = NULL;
    must(vkMapMemory(gpu.device, memory, offset, size, 0, &pointer));
    expect(pointer, "vkMapMemory gave NULL");
    return pointer;
}

static void fill(void *data, size_t size, uint32_t seed)
{
    uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)mix32(seed + (uint32_t)i);
}

static void check(const void *data, size_t size, uint32_t seed, const char *what)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        expect(bytes[i] == (uint8_t)mix32(seed + (uint32_t)i), "%s: byte %zu is %#x, not %#x", what,
               i, bytes[i], (uint8_t)mix32(seed + (uint32_t)i));
}

static VkBuffer create_buffer(VkDeviceSize size)
{
    VkBuffer buffer;
    must(vkCreateBuffer(
        gpu.device,
        &(VkBufferCreateInfo){
            .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
            .size = size,
            .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        },
        NULL, &buffer));
    return buffer;
}

static void before_copy(VkCommandBuffer commands)
{
    memory_barrier(commands, VK_PIPELINE_STAGE_HOST_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
                   VK_ACCESS_HOST_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
                   VK_PIPELINE_STAGE_TRANSFER_BIT,
                   VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT);
}

static void before_host(VkCommandBuffer commands)
{
    memory_barrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                   VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
}

static void copy(VkBuffer from, VkBuffer to, const VkBufferCopy *region)
{
    const VkCommandBuffer commands = commands_begin(&gpu);
    before_copy(commands);
    vkCmdCopyBuffer(commands, from, to, 1, region);
    before_host(commands);
    commands_finish(&gpu, commands);
}

/* Every type can be allocated; what is host-visible keeps its bytes while it is not mapped. */
static void test_types(void)
{
    for (uint32_t type = 0; type < gpu.memory.memoryTypeCount; type++) {
        const VkMemoryPropertyFlags flags = gpu.memory.memoryTypes[type].propertyFlags;
        /* Protected memory needs a feature, and AMD's kinds do too. */
        if (flags & ~(VkMemoryPropertyFlags)(VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT |
                                             VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                             VK_MEMORY_PROPERTY_HOST_COHERENT_BIT |
                                             VK_MEMORY_PROPERTY_HOST_CACHED_BIT))
            continue;
        const VkDeviceMemory memory = allocate_of_type(&gpu, type, 64 * KIB);
        if (flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) {
            const VkMappedMemoryRange range = {
                .sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE,
                .memory = memory,
                .size = VK_WHOLE_SIZE,
            };
            fill(map(memory, 0, VK_WHOLE_SIZE), 64 * KIB, type);
            must(vkFlushMappedMemoryRanges(gpu.device, 1, &range));
            vkUnmapMemory(gpu.device, memory);
            const void *again = map(memory, 0, 64 * KIB);
            must(vkInvalidateMappedMemoryRanges(gpu.device, 1, &range));
            check(again, 64 * KIB, type, "after unmapping");
            vkUnmapMemory(gpu.device, memory);
        }
        vkFreeMemory(gpu.device, memory, NULL);
    }
}

static void test_sizes(void)
{
    static const VkDeviceSize sizes[] = {1,     7,     64,    4095,  4096,       4097,
                                         65535, 65536, 65537, 12345, 3 * MIB + 1};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        const VkDeviceMemory memory = allocate_of_type(&gpu, host_type(), sizes[i]);
        uint8_t *bytes = map(memory, 0, VK_WHOLE_SIZE);
        expect((uintptr_t)bytes % gpu.properties.limits.minMemoryMapAlignment == 0,
               "the mapping %p is not aligned to %zu", (void *)bytes,
               gpu.properties.limits.minMemoryMapAlignment);
        fill(bytes, sizes[i], (uint32_t)i);
        check(bytes, sizes[i], (uint32_t)i, "odd size");
        vkFreeMemory(gpu.device, memory, NULL);
    }
}

static void test_offset_maps(void)
{
    const VkDeviceMemory memory = allocate_of_type(&gpu, host_type(), MIB);
    fill(map(memory, 0, VK_WHOLE_SIZE), MIB, 0);
    vkUnmapMemory(gpu.device, memory);

    /* Offsets into and across pages; the seed of fill() goes along with the offset. */
    static const VkDeviceSize offsets[] = {1, 64, 4095, 4096, 5000, 65536 + 16, MIB - 1};
    for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
        const VkDeviceSize rest = MIB - offsets[i];
        check(map(memory, offsets[i], rest < 5000 ? rest : 5000), rest < 5000 ? rest : 5000,
              (uint32_t)offsets[i], "mapped at an offset");
        vkUnmapMemory(gpu.device, memory);
        check(map(memory, offsets[i], VK_WHOLE_SIZE), rest, (uint32_t)offsets[i],
              "the rest from an offset");
        vkUnmapMemory(gpu.device, memory);
    }
    uint8_t *part = map(memory, 300 * KIB, 100);
    memset(part, 0xee, 100);
    vkUnmapMemory(gpu.device, memory);
    const uint8_t *whole = map(memory, 0, VK_WHOLE_SIZE);
    check(whole, 300 * KIB, 0, "before what was written");
    for (uint32_t i = 0; i < 100; i++)
        expect(whole[300 * KIB + i] == 0xee, "byte %u of what was written at an offset", i);
    check(whole + 300 * KIB + 100, MIB - 300 * KIB - 100, 300 * KIB + 100,
          "behind what was written");
    vkFreeMemory(gpu.device, memory, NULL);
}

/* One mapping lives on through many submissions that read and write it. */
static void test_persistent_map(void)
{
    enum {
        SIZE = 40000
    };
    struct buffer up, down, device;
    buffer_init_host(&gpu, &up, SIZE, VK_BUFFER_USAGE_TRANSFER_SRC_BIT);
    buffer_init_host(&gpu, &down, SIZE, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    buffer_init_device(&gpu, &device, SIZE,
                       VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    for (uint32_t round = 0; round < 50; round++) {
        fill(up.map, SIZE, round * 7);
        copy(up.handle, device.handle, &(VkBufferCopy){0, 0, SIZE});
        copy(device.handle, down.handle, &(VkBufferCopy){0, 0, SIZE});
        check(down.map, SIZE, round * 7, "through the GPU");
    }

    /* Odd offsets and lengths, one submission, several regions. */
    fill(up.map, SIZE, 1);
    memset(down.map, 0, SIZE);
    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdFillBuffer(commands, device.handle, 0, VK_WHOLE_SIZE, 0);
    before_copy(commands);
    vkCmdCopyBuffer(commands, up.handle, device.handle, 3,
                    (const VkBufferCopy[]){
                        {0, 20001, 3},
                        {13, 1, 4099},
                        {20000, 30000, 9999},
                    });
    before_copy(commands);
    vkCmdCopyBuffer(commands, device.handle, down.handle, 1, &(VkBufferCopy){0, 0, SIZE});
    before_host(commands);
    commands_finish(&gpu, commands);
    const uint8_t *bytes = down.map;
    check(bytes + 20001, 3, 1, "first region");
    check(bytes + 1, 4099, 1 + 13, "second region");
    check(bytes + 30000, 9999, 1 + 20000, "third region");
    expect(bytes[0] == 0 && bytes[4100] == 0 && bytes[20000] == 0 && bytes[20004] == 0 &&
               bytes[29999] == 0 && bytes[39999] == 0,
           "bytes beside the regions were written");

    /* Small updates travel inside the command buffer. */
    uint8_t update[1024];
    fill(update, sizeof(update), 99);
    const VkCommandBuffer updates = commands_begin(&gpu);
    vkCmdUpdateBuffer(updates, down.handle, 400, sizeof(update), update);
    vkCmdUpdateBuffer(updates, down.handle, 4, 4, &(const uint32_t){0x01020304});
    before_host(updates);
    memset(update, 0, sizeof(update)); /* it was copied while recording */
    commands_finish(&gpu, updates);
    check(bytes + 400, sizeof(update), 99, "vkCmdUpdateBuffer");
    expect(bytes[4] == 4 && bytes[7] == 1, "a small vkCmdUpdateBuffer");

    buffer_finish(&gpu, &device);
    buffer_finish(&gpu, &down);
    buffer_finish(&gpu, &up);
}

static void test_flush_and_invalidate(void)
{
    const VkDeviceSize atom = gpu.properties.limits.nonCoherentAtomSize;
    const VkDeviceSize size = 1000 * atom + 5;
    /* A type that is not coherent if there is one: only there something may happen. */
    uint32_t type = host_type();
    for (uint32_t i = 0; i < gpu.memory.memoryTypeCount; i++) {
        const VkMemoryPropertyFlags flags = gpu.memory.memoryTypes[i].propertyFlags;
        if ((flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) &&
            !(flags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT))
            type = i;
    }
    const VkDeviceMemory memories[] = {allocate_of_type(&gpu, type, size),
                                       allocate_of_type(&gpu, type, size)};
    uint8_t *bytes = map(memories[0], 0, VK_WHOLE_SIZE);
    /* Mapped in part: ranges are relative to the memory and not to the mapping. */
    uint8_t *part = map(memories[1], 2 * atom, VK_WHOLE_SIZE);
    memset(bytes, 1, size);
    memset(part, 2, size - 2 * atom);
    const VkMappedMemoryRange ranges[] = {
        {VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE, NULL, memories[0], 0, atom},
        {VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE, NULL, memories[0], 10 * atom, 3 * atom},
        {VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE, NULL, memories[0], 1000 * atom, 5},
        {VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE, NULL, memories[1], 2 * atom, atom},
        {VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE, NULL, memories[1], 3 * atom, VK_WHOLE_SIZE},
    };
    must(vkFlushMappedMemoryRanges(gpu.device, ARRAY_SIZE(ranges), ranges));
    must(vkInvalidateMappedMemoryRanges(gpu.device, ARRAY_SIZE(ranges), ranges));
    expect(bytes[0] == 1 && bytes[size - 1] == 1 && part[0] == 2 && part[size - 2 * atom - 1] == 2,
           "flush and invalidate changed bytes");
    vkUnmapMemory(gpu.device, memories[1]);
    vkFreeMemory(gpu.device, memories[1], NULL);
    vkFreeMemory(gpu.device, memories[0], NULL);
}

static void test_freed_while_mapped(void)
{
    for (uint32_t i = 0; i < 300; i++) {
        const VkDeviceMemory memory = allocate_of_type(&gpu, host_type(), MIB);
        memset(map(memory, 0, VK_WHOLE_SIZE), (int)i, MIB);
        if (i % 3 == 0)
            vkUnmapMemory(gpu.device, memory);
        vkFreeMemory(gpu.device, memory, NULL);
    }
}

static void test_map2(void)
{
    const PFN_vkMapMemory2KHR map2 =
        (PFN_vkMapMemory2KHR)vkGetDeviceProcAddr(gpu.device, "vkMapMemory2KHR");
    const PFN_vkUnmapMemory2KHR unmap2 =
        (PFN_vkUnmapMemory2KHR)vkGetDeviceProcAddr(gpu.device, "vkUnmapMemory2KHR");
    expect(map2 && unmap2, "VK_KHR_map_memory2 is there without its commands");
    const VkDeviceMemory memory = allocate_of_type(&gpu, host_type(), 10 * KIB);
    fill(map(memory, 0, VK_WHOLE_SIZE), 10 * KIB, 4);
    vkUnmapMemory(gpu.device, memory);
    void *pointer = NULL;
    must(map2(gpu.device,
              &(VkMemoryMapInfoKHR){
                  .sType = VK_STRUCTURE_TYPE_MEMORY_MAP_INFO_KHR,
                  .memory = memory,
                  .offset = 1000,
                  .size = VK_WHOLE_SIZE,
              },
              &pointer));
    check(pointer, 10 * KIB - 1000, 4 + 1000, "vkMapMemory2");
    must(unmap2(gpu.device, &(VkMemoryUnmapInfoKHR){
                                .sType = VK_STRUCTURE_TYPE_MEMORY_UNMAP_INFO_KHR,
                                .memory = memory,
                            }));
    vkFreeMemory(gpu.device, memory, NULL);
}

static void test_many_small(void)
{
    enum {
        COUNT = 2000,
        SIZE = 4 * KIB
    };
    static VkDeviceMemory memories[COUNT];
    static uint8_t *maps[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        memories[i] = allocate_of_type(&gpu, host_type(), SIZE);
        maps[i] = map(memories[i], 0, VK_WHOLE_SIZE);
        fill(maps[i], SIZE, i);
    }
    /* Holes, filled again: what is reused must not overlap what is alive. */
    for (uint32_t i = 0; i < COUNT; i++) {
        if (mix32(i) % 3 != 0)
            continue;
        vkFreeMemory(gpu.device, memories[i], NULL);
        memories[i] = VK_NULL_HANDLE;
    }
    for (uint32_t i = COUNT; i-- > 0;) {
        if (memories[i])
            continue;
        memories[i] = allocate_of_type(&gpu, host_type(), SIZE);
        maps[i] = map(memories[i], 0, VK_WHOLE_SIZE);
        fill(maps[i], SIZE, i + 5);
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        check(maps[i], SIZE, mix32(i) % 3 ? i : i + 5, "one of many");
        vkFreeMemory(gpu.device, memories[i], NULL);
    }
}

static void test_one_large(void)
{
    const VkDeviceSize size = 256 * (VkDeviceSize)MIB;
    struct buffer buffer;
    buffer_init_host(&gpu, &buffer, size,
                     VK_BUFFER_USAGE_TRANSFER_DST_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT);
    uint32_t *words = buffer.map;
    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdFillBuffer(commands, buffer.handle, 0, VK_WHOLE_SIZE, 0x600df00d);
    before_host(commands);
    commands_finish(&gpu, commands);
    for (VkDeviceSize i = 0; i < size / 4; i += 1000)
        expect(words[i] == 0x600df00d, "word %ju is %#x", (uintmax_t)i, words[i]);
    words[size / 4 - 1] = 0xabcd;
    copy(buffer.handle, buffer.handle, &(VkBufferCopy){size - 4, 0, 4});
    expect(words[0] == 0xabcd, "the end copied to the beginning is %#x", words[0]);
    buffer_finish(&gpu, &buffer);
}

static bool same_requirements(const VkMemoryRequirements *a, const VkMemoryRequirements *b)
{
    return a->size == b->size && a->alignment == b->alignment &&
           a->memoryTypeBits == b->memoryTypeBits;
}

/* Several buffers in one memory, bound by one call; their requirements asked for in three ways. */
static void test_bind2(void)
{
    enum {
        COUNT = 5,
        SIZE = 3000
    };
    VkBuffer buffers[COUNT];
    VkDeviceSize offset = 0;
    VkDeviceSize offsets[COUNT];
    uint32_t bits = UINT32_MAX;
    for (uint32_t i = 0; i < COUNT; i++) {
        buffers[i] = create_buffer(SIZE + i * 100);
        VkMemoryDedicatedRequirements dedicated = {
            .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_REQUIREMENTS,
            .prefersDedicatedAllocation = 77,
            .requiresDedicatedAllocation = 77,
        };
        VkMemoryRequirements2 requirements = {
            .sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2,
            .pNext = &dedicated,
        };
        vkGetBufferMemoryRequirements2(
            gpu.device,
            &(VkBufferMemoryRequirementsInfo2){
                .sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_REQUIREMENTS_INFO_2,
                .buffer = buffers[i],
            },
            &requirements);
        expect(dedicated.prefersDedicatedAllocation <= 1 &&
                   dedicated.requiresDedicatedAllocation == VK_FALSE,
               "dedicated requirements %u %u", dedicated.prefersDedicatedAllocation,
               dedicated.requiresDedicatedAllocation);
        expect(requirements.pNext == &dedicated, "the chain of an output was changed");
        VkMemoryRequirements old;
        vkGetBufferMemoryRequirements(gpu.device, buffers[i], &old);
        expect(same_requirements(&old, &requirements.memoryRequirements),
               "two queries of the requirements differ");
        VkMemoryRequirements2 early = {.sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2};
        vkGetDeviceBufferMemoryRequirements(
            gpu.device,
            &(VkDeviceBufferMemoryRequirements){
                .sType = VK_STRUCTURE_TYPE_DEVICE_BUFFER_MEMORY_REQUIREMENTS,
                .pCreateInfo =
                    &(VkBufferCreateInfo){
                        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                        .size = SIZE + i * 100,
                        .usage =
                            VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                    },
            },
            &early);
        expect(same_requirements(&old, &early.memoryRequirements),
               "requirements before and after creation differ");
        expect(old.alignment && !(old.alignment & (old.alignment - 1)), "alignment %ju",
               (uintmax_t)old.alignment);
        offset = (offset + old.alignment - 1) / old.alignment * old.alignment;
        offsets[i] = offset;
        offset += old.size;
        bits &= old.memoryTypeBits;
    }
    const uint32_t type = find_memory_type(
        &gpu, bits, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, 0);
    expect(type != UINT32_MAX, "no host-visible type for buffers");
    const VkDeviceMemory memory = allocate_of_type(&gpu, type, offset);
    VkBindBufferMemoryInfo binds[COUNT];
    for (uint32_t i = 0; i < COUNT; i++)
        binds[i] = (VkBindBufferMemoryInfo){
            .sType = VK_STRUCTURE_TYPE_BIND_BUFFER_MEMORY_INFO,
            .buffer = buffers[i],
            .memory = memory,
            .memoryOffset = offsets[i],
        };
    must(vkBindBufferMemory2(gpu.device, COUNT, binds));

    uint8_t *bytes = map(memory, 0, VK_WHOLE_SIZE);
    memset(bytes, 0, offset);
    fill(bytes + offsets[0], SIZE, 12);
    for (uint32_t i = 1; i < COUNT; i++)
        copy(buffers[i - 1], buffers[i], &(VkBufferCopy){0, 0, SIZE});
    for (uint32_t i = 0; i < COUNT; i++) {
        check(bytes + offsets[i], SIZE, 12, "a buffer among others");
        vkDestroyBuffer(gpu.device, buffers[i], NULL);
    }
    vkFreeMemory(gpu.device, memory, NULL);
}

static void copy_image_round_trip(VkImage image, uint32_t width, uint32_t height, const char *what)
{
    const size_t size = (size_t)width * height * 4;
    const uint32_t row_length = width + 3;
    struct buffer up, down;
    buffer_init_host(&gpu, &up, (size_t)row_length * height * 4 + 8,
                     VK_BUFFER_USAGE_TRANSFER_SRC_BIT);
    buffer_init_host(&gpu, &down, size, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    uint8_t *bytes = up.map;
    for (uint32_t y = 0; y < height; y++)
        fill(bytes + 8 + (size_t)y * row_length * 4, (size_t)width * 4, y * width * 4);

    const VkImageSubresourceRange whole = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};
    const struct image_use target = {
        VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
        VK_PIPELINE_STAGE_TRANSFER_BIT,
        VK_ACCESS_TRANSFER_WRITE_BIT,
    };
    const struct image_use source = {
        VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
        VK_PIPELINE_STAGE_TRANSFER_BIT,
        VK_ACCESS_TRANSFER_READ_BIT,
    };
    const VkCommandBuffer commands = commands_begin(&gpu);
    image_barrier(commands, image, &whole,
                  &(struct image_use){
                      VK_IMAGE_LAYOUT_UNDEFINED,
                      VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT,
                      0,
                  },
                  &target);
    vkCmdCopyBufferToImage(commands, up.handle, image, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, 1,
                           &(VkBufferImageCopy){
                               .bufferOffset = 8,
                               .bufferRowLength = row_length,
                               .bufferImageHeight = height + 1,
                               .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                               .imageExtent = {width, height, 1},
                           });
    image_barrier(commands, image, &whole, &target, &source);
    vkCmdCopyImageToBuffer(commands, image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, down.handle, 1,
                           &(VkBufferImageCopy){
                               .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                               .imageExtent = {width, height, 1},
                           });
    before_host(commands);
    commands_finish(&gpu, commands);
    check(down.map, size, 0, what);
    buffer_finish(&gpu, &down);
    buffer_finish(&gpu, &up);
}

static VkImage create_image(uint32_t width, uint32_t height, VkImageTiling tiling)
{
    VkImage image;
    must(vkCreateImage(
        gpu.device,
        &(VkImageCreateInfo){
            .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
            .imageType = VK_IMAGE_TYPE_2D,
            .format = VK_FORMAT_R8G8B8A8_UNORM,
            .extent = {width, height, 1},
            .mipLevels = 1,
            .arrayLayers = 1,
            .samples = VK_SAMPLE_COUNT_1_BIT,
            .tiling = tiling,
            .usage = VK_IMAGE_USAGE_TRANSFER_SRC_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT,
            .initialLayout = VK_IMAGE_LAYOUT_UNDEFINED,
        },
        NULL, &image));
    return image;
}

static void test_dedicated(void)
{
    const VkImage image = create_image(100, 60, VK_IMAGE_TILING_OPTIMAL);
    VkMemoryDedicatedRequirements dedicated = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_REQUIREMENTS,
    };
    VkMemoryRequirements2 requirements = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2,
        .pNext = &dedicated,
    };
    vkGetImageMemoryRequirements2(gpu.device,
                                  &(VkImageMemoryRequirementsInfo2){
                                      .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_REQUIREMENTS_INFO_2,
                                      .image = image,
                                  },
                                  &requirements);
    const uint32_t type = find_memory_type(&gpu, requirements.memoryRequirements.memoryTypeBits, 0,
                                           VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    VkDeviceMemory memory;
    must(vkAllocateMemory(gpu.device,
                          &(VkMemoryAllocateInfo){
                              .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                              .pNext =
                                  &(VkMemoryDedicatedAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
                                      .image = image,
                                  },
                              .allocationSize = requirements.memoryRequirements.size,
                              .memoryTypeIndex = type,
                          },
                          NULL, &memory));
    must(vkBindImageMemory2(gpu.device, 1,
                            &(VkBindImageMemoryInfo){
                                .sType = VK_STRUCTURE_TYPE_BIND_IMAGE_MEMORY_INFO,
                                .image = image,
                                .memory = memory,
                            }));
    copy_image_round_trip(image, 100, 60, "dedicated image");
    vkDestroyImage(gpu.device, image, NULL);
    vkFreeMemory(gpu.device, memory, NULL);

    /* A dedicated buffer, host-visible, with flags on the allocation. */
    const VkBuffer buffers[] = {create_buffer(5000), create_buffer(5000)};
    VkDeviceMemory memories[2];
    for (int i = 0; i < 2; i++) {
        VkMemoryRequirements needs;
        vkGetBufferMemoryRequirements(gpu.device, buffers[i], &needs);
        must(vkAllocateMemory(
            gpu.device,
            &(VkMemoryAllocateInfo){
                .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                .pNext =
                    &(VkMemoryAllocateFlagsInfo){
                        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
                        .pNext =
                            &(VkMemoryDedicatedAllocateInfo){
                                .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
                                .buffer = buffers[i],
                            },
                    },
                .allocationSize = needs.size,
                .memoryTypeIndex = find_memory_type(
                    &gpu, needs.memoryTypeBits,
                    VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, 0),
            },
            NULL, &memories[i]));
        must(vkBindBufferMemory(gpu.device, buffers[i], memories[i], 0));
    }
    fill(map(memories[0], 0, VK_WHOLE_SIZE), 5000, 3);
    copy(buffers[0], buffers[1], &(VkBufferCopy){0, 0, 5000});
    check(map(memories[1], 0, VK_WHOLE_SIZE), 5000, 3, "dedicated buffers");
    for (int i = 0; i < 2; i++) {
        vkDestroyBuffer(gpu.device, buffers[i], NULL);
        vkFreeMemory(gpu.device, memories[i], NULL);
    }
}

/* Two images in one memory, bound by one call; and a linear one that the host reads directly. */
/* Where the device is a CPU, all memory is one, natively as well. SwiftShader's can not be imported
 * for such images. */
static void test_mappable_image(void)
{
    if (gpu.properties.deviceType != VK_PHYSICAL_DEVICE_TYPE_CPU ||
        !strstr(gpu.properties.deviceName, "llvmpipe"))
        return;
    const VkImage image = create_image(100, 60, VK_IMAGE_TILING_OPTIMAL);
    VkMemoryRequirements requirements;
    vkGetImageMemoryRequirements(gpu.device, image, &requirements);
    const VkDeviceMemory memory =
        allocate(&gpu, &requirements, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT, 0);
    must(vkBindImageMemory(gpu.device, image, memory, 0));
    copy_image_round_trip(image, 100, 60, "image in mappable memory");
    vkDestroyImage(gpu.device, image, NULL);
    vkFreeMemory(gpu.device, memory, NULL);
}

static void test_images(void)
{
    test_mappable_image();
    const VkImage images[] = {
        create_image(70, 50, VK_IMAGE_TILING_OPTIMAL),
        create_image(33, 17, VK_IMAGE_TILING_OPTIMAL),
    };
    VkMemoryRequirements needs[2];
    for (int i = 0; i < 2; i++)
        vkGetImageMemoryRequirements(gpu.device, images[i], &needs[i]);
    const VkDeviceSize second =
        (needs[0].size + needs[1].alignment - 1) / needs[1].alignment * needs[1].alignment;
    const VkDeviceMemory memory =
        allocate(&gpu,
                 &(VkMemoryRequirements){
                     .size = second + needs[1].size,
                     .memoryTypeBits = needs[0].memoryTypeBits & needs[1].memoryTypeBits,
                 },
                 0, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    must(vkBindImageMemory2(gpu.device, 2,
                            (const VkBindImageMemoryInfo[]){
                                {
                                    .sType = VK_STRUCTURE_TYPE_BIND_IMAGE_MEMORY_INFO,
                                    .image = images[0],
                                    .memory = memory,
                                },
                                {
                                    .sType = VK_STRUCTURE_TYPE_BIND_IMAGE_MEMORY_INFO,
                                    .image = images[1],
                                    .memory = memory,
                                    .memoryOffset = second,
                                },
                            }));
    copy_image_round_trip(images[0], 70, 50, "first of two images");
    copy_image_round_trip(images[1], 33, 17, "second of two images");
    vkDestroyImage(gpu.device, images[0], NULL);
    vkDestroyImage(gpu.device, images[1], NULL);
    vkFreeMemory(gpu.device, memory, NULL);

    const VkImage linear = create_image(40, 30, VK_IMAGE_TILING_LINEAR);
    vkGetImageMemoryRequirements(gpu.device, linear, &needs[0]);
    if (find_memory_type(&gpu, needs[0].memoryTypeBits, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT,
                         VK_MEMORY_PROPERTY_HOST_COHERENT_BIT) != UINT32_MAX) {
        const VkDeviceMemory host = allocate(&gpu, &needs[0], VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT,
                                             VK_MEMORY_PROPERTY_HOST_COHERENT_BIT);
        must(vkBindImageMemory(gpu.device, linear, host, 0));
        copy_image_round_trip(linear, 40, 30, "linear image");
        VkSubresourceLayout layout;
        vkGetImageSubresourceLayout(
            gpu.device, linear, &(VkImageSubresource){VK_IMAGE_ASPECT_COLOR_BIT, 0, 0}, &layout);
        expect(layout.rowPitch >= 40 * 4, "a row of 160 bytes has a pitch of %ju",
               (uintmax_t)layout.rowPitch);
        const uint8_t *bytes = map(host, 0, VK_WHOLE_SIZE);
        for (uint32_t y = 0; y < 30; y++)
            check(bytes + layout.offset + y * layout.rowPitch, 40 * 4, y * 40 * 4,
                  "a row of a linear image");
        vkDestroyImage(gpu.device, linear, NULL);
        vkFreeMemory(gpu.device, host, NULL);
    } else {
        vkDestroyImage(gpu.device, linear, NULL);
    }
}

/* Memory and buffers may go in any order, and the memory may go first. */
static void test_order_of_destruction(void)
{
    for (uint32_t i = 0; i < 20; i++) {
        struct buffer a, b;
        buffer_init_host(&gpu, &a, 10000, VK_BUFFER_USAGE_TRANSFER_SRC_BIT);
        buffer_init_host(&gpu, &b, 10000, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
        fill(a.map, 10000, i);
        copy(a.handle, b.handle, &(VkBufferCopy){0, 0, 10000});
        check(b.map, 10000, i, "before destruction");
        vkFreeMemory(gpu.device, a.memory, NULL);
        check(b.map, 10000, i, "after its neighbour went");
        vkDestroyBuffer(gpu.device, a.handle, NULL);
        vkFreeMemory(gpu.device, b.memory, NULL);
        vkDestroyBuffer(gpu.device, b.handle, NULL);
    }
}

/* Memory of every type that a sparse buffer can have, page by page in another order. */
static void test_sparse(void)
{
    if (!core_features.sparseBinding ||
        !(gpu.family_properties.queueFlags & VK_QUEUE_SPARSE_BINDING_BIT)) {
        printf("    not offered\n");
        return;
    }
    struct buffer plain;
    buffer_init_host(&gpu, &plain, 1024 * KIB,
                     VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    VkBuffer sparse;
    must(vkCreateBuffer(
        gpu.device,
        &(VkBufferCreateInfo){
            .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
            .flags = VK_BUFFER_CREATE_SPARSE_BINDING_BIT,
            .size = plain.size,
            .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        },
        NULL, &sparse));
    VkMemoryRequirements requirements;
    vkGetBufferMemoryRequirements(gpu.device, sparse, &requirements);
    const uint32_t pages = (uint32_t)(plain.size / requirements.alignment);
    VkSparseMemoryBind *binds = calloc(pages, sizeof(*binds));
    expect(binds != NULL && requirements.memoryTypeBits != 0, "no memory for a sparse buffer");
    for (uint32_t type = 0; type < gpu.memory.memoryTypeCount; type++) {
        if (!(requirements.memoryTypeBits & 1u << type))
            continue;
        const VkDeviceMemory memory = allocate_of_type(&gpu, type, requirements.size);
        for (uint32_t i = 0; i < pages; i++)
            binds[i] = (VkSparseMemoryBind){
                .resourceOffset = i * requirements.alignment,
                .size = requirements.alignment,
                .memory = memory,
                .memoryOffset = (pages - 1 - i) * requirements.alignment,
            };
        must(vkQueueBindSparse(
            gpu.queue, 1,
            &(VkBindSparseInfo){
                .sType = VK_STRUCTURE_TYPE_BIND_SPARSE_INFO,
                .bufferBindCount = 1,
                .pBufferBinds = &(VkSparseBufferMemoryBindInfo){sparse, pages, binds},
            },
            VK_NULL_HANDLE));
        must(vkQueueWaitIdle(gpu.queue));
        fill(plain.map, plain.size, type);
        copy(plain.handle, sparse, &(VkBufferCopy){0, 0, plain.size});
        memset(plain.map, 0, plain.size);
        copy(sparse, plain.handle, &(VkBufferCopy){0, 0, plain.size});
        check(plain.map, plain.size, type, "through a sparse buffer");
        if (gpu.memory.memoryTypes[type].propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) {
            const uint8_t *mapped = map(memory, 0, VK_WHOLE_SIZE);
            for (uint32_t i = 0; i < pages; i++)
                expect(memcmp(mapped + binds[i].memoryOffset,
                              (const uint8_t *)plain.map + binds[i].resourceOffset,
                              requirements.alignment) == 0,
                       "page %u of a sparse buffer is not in its memory", i);
        }
        vkFreeMemory(gpu.device, memory, NULL);
    }
    free(binds);
    vkDestroyBuffer(gpu.device, sparse, NULL);
    buffer_finish(&gpu, &plain);
}

static bool zeroing; /* whether the device gives out zeroed memory */

#ifdef VK_EXT_zero_initialize_device_memory
static void ask_for_zeroes(VkPhysicalDevice physical, struct gpu_options *options)
{
    static const char *const extension = VK_EXT_ZERO_INITIALIZE_DEVICE_MEMORY_EXTENSION_NAME;
    static VkPhysicalDeviceZeroInitializeDeviceMemoryFeaturesEXT features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ZERO_INITIALIZE_DEVICE_MEMORY_FEATURES_EXT,
        .zeroInitializeDeviceMemory = VK_TRUE,
    };
    zeroing = gpu_has_extension(physical, extension);
    if (!zeroing)
        return;
    features.pNext = (void *)options->features;
    options->features = &features;
    options->device_extensions = &extension;
    options->device_extension_count = 1;
}

/* Memory that was written and freed before comes back zero where that is asked for. */
static void test_zeroed(void)
{
    enum {
        SIZE = 1 << 20
    };
    const VkMemoryAllocateFlagsInfo flags = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
        .flags = VK_MEMORY_ALLOCATE_ZERO_INITIALIZE_BIT_EXT,
    };
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = &flags,
        .allocationSize = SIZE,
        .memoryTypeIndex = host_type(),
    };
    for (int i = 0; zeroing && i < 4; i++) {
        VkDeviceMemory memory;
        must(vkAllocateMemory(gpu.device, &info, NULL, &memory));
        uint8_t *bytes = map(memory, 0, VK_WHOLE_SIZE);
        for (size_t j = 0; j < SIZE; j++)
            expect(bytes[j] == 0, "byte %zu of memory %d is %u", j, i, bytes[j]);
        memset(bytes, 0xa5, SIZE);
        vkFreeMemory(gpu.device, memory, NULL);
    }
}
#else
static void ask_for_zeroes(VkPhysicalDevice physical, struct gpu_options *options)
{
    (void)physical;
    (void)options;
}

static void test_zeroed(void)
{
    expect(!zeroing, "asked for what the headers do not know");
}
#endif

static const struct test {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"every memory type", test_types},
    {"odd sizes", test_sizes},
    {"mapping at offsets", test_offset_maps},
    {"persistent mapping", test_persistent_map},
    {"flush and invalidate", test_flush_and_invalidate},
    {"freed while mapped", test_freed_while_mapped},
    {"many small allocations", test_many_small},
    {"one large allocation", test_one_large},
    {"vkBindBufferMemory2", test_bind2},
    {"dedicated allocations", test_dedicated},
    {"images", test_images},
    {"sparse buffers", test_sparse},
    {"zeroed memory", test_zeroed},
    {"order of destruction", test_order_of_destruction},
};

static int run_map2(const struct gpu_options *options)
{
    uint32_t count = 1;
    vkEnumeratePhysicalDevices(gpu.instance, &count, &gpu.physical);
    if (count == 0 || !gpu_has_extension(gpu.physical, VK_KHR_MAP_MEMORY_2_EXTENSION_NAME)) {
        printf("memory: skipped, the device has no VK_KHR_map_memory2\n");
        vkDestroyInstance(gpu.instance, NULL);
        return EXIT_SKIPPED;
    }
    struct gpu_options with_map2 = *options;
    with_map2.device_extensions = (const char *const[]){VK_KHR_MAP_MEMORY_2_EXTENSION_NAME};
    with_map2.device_extension_count = 1;
    gpu_init_device(&gpu, &with_map2);
    test_map2();
    gpu_finish(&gpu);
    printf("memory: vkMapMemory2 passed\n");
    return 0;
}

/* memory [--map2]: vkMapMemory2 alone, because the validation layer of Debian 12 does not know it
 * and crashes. */
int main(int argc, char **argv)
{
    struct gpu_options options = {
        .name = "memory",
        .features =
            &(VkPhysicalDeviceVulkan13Features){
                .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
                .maintenance4 = VK_TRUE,
            },
        .core_features = &core_features,
    };
    gpu_init_instance(&gpu, &options);
    uint32_t count = 1;
    VkPhysicalDevice physical;
    VkPhysicalDeviceFeatures offered;
    expect(vkEnumeratePhysicalDevices(gpu.instance, &count, &physical) >= 0 && count == 1,
           "there is no Vulkan device");
    vkGetPhysicalDeviceFeatures(physical, &offered);
    core_features.sparseBinding = offered.sparseBinding;
    if (argc == 2 && strcmp(argv[1], "--map2") == 0)
        return run_map2(&options);
    ask_for_zeroes(physical, &options);
    gpu_init_device(&gpu, &options);
    printf("memory:\n");
    for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
        section(tests[i].name);
        tests[i].run();
    }
    gpu_finish(&gpu);
    printf("memory: %zu tests passed\n", ARRAY_SIZE(tests));
    return 0;
}
