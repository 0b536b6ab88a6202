/* SPDX-License-Identifier: MIT
 *
 * Mapped memory until there are no more addresses, as programs of 32 bits have few: an allocation then fails with
 * an error that is listed for it, what is mapped stays what it is, and when some is freed the next one succeeds.
 * Memory of more than an address space is refused likewise, and is not taken for a small one.
 */
#include "common.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    MIB = 1 << 20,
    BLOCK = 256 * MIB,
    MOST = 64 /* blocks; more than 4 GiB have */
};

struct block {
    VkDeviceMemory memory;
    uint32_t *map;
};

static struct gpu gpu;

/* VK_SUCCESS, or what went wrong and nothing is left of. */
static VkResult block_init(struct block *b, VkDeviceSize size, uint32_t type)
{
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .allocationSize = size,
        .memoryTypeIndex = type,
    };
    VkResult result = vkAllocateMemory(gpu.device, &info, NULL, &b->memory);
    if (result != VK_SUCCESS) {
        expect(result == VK_ERROR_OUT_OF_HOST_MEMORY || result == VK_ERROR_OUT_OF_DEVICE_MEMORY,
               "vkAllocateMemory of %" PRIu64 " bytes gave %d", size, result);
        return result;
    }
    void *map;
    result = vkMapMemory(gpu.device, b->memory, 0, VK_WHOLE_SIZE, 0, &map);
    if (result != VK_SUCCESS) {
        expect(result == VK_ERROR_MEMORY_MAP_FAILED, "vkMapMemory gave %d", result);
        vkFreeMemory(gpu.device, b->memory, NULL);
    }
    b->map = map;
    return result;
}

static void mark(const struct block *b, uint32_t word)
{
    b->map[0] = word;
    b->map[BLOCK / 4 - 1] = ~word;
}

static void look(const struct block *b, uint32_t word)
{
    expect(b->map[0] == word && b->map[BLOCK / 4 - 1] == ~word, "block %u is another one's", word);
}

int main(void)
{
    if (sizeof(void *) > 4) {
        puts("narrow: this program has more addresses than memory");
        return 77;
    }
    gpu_init(&gpu, &(struct gpu_options){.name = "narrow"});
    uint32_t type = 0;
    while (!(gpu.memory.memoryTypes[type].propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT))
        type++;
    struct block huge;
    const VkDeviceSize sizes[] = {UINT64_C(1) << 32, (UINT64_C(1) << 32) + 4096, UINT64_C(5) << 30};
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        expect(block_init(&huge, sizes[i], type) != VK_SUCCESS, "%" PRIu64 " bytes were mapped",
               sizes[i]);
    struct block blocks[MOST];
    uint32_t count = 0;
    while (count < MOST && block_init(&blocks[count], BLOCK, type) == VK_SUCCESS) {
        mark(&blocks[count], count);
        count++;
    }
    expect(count >= 2 && count < 4096 / 256, "%u blocks of 256 MiB were mapped", count);
    for (uint32_t i = 0; i < count; i++)
        look(&blocks[i], i);
    vkFreeMemory(gpu.device, blocks[0].memory, NULL);
    expect(block_init(&blocks[0], BLOCK, type) == VK_SUCCESS, "what was freed was not to be had");
    mark(&blocks[0], 0);
    for (uint32_t i = 0; i < count; i++) {
        look(&blocks[i], i);
        vkFreeMemory(gpu.device, blocks[i].memory, NULL);
    }
    gpu_finish(&gpu);
    puts("narrow: as many as there are addresses for");
    return 0;
}
