/* SPDX-License-Identifier: MIT
 *
 * Memory is freed, and at once allocated again: in other pieces, all that there was of it, and with contents
 * that nothing of what was there before changes.
 */
#include "common.h"
#include "recording.h"
#include "resources.h"

#include <stdio.h>

#define MIB (UINT64_C(1) << 20)

enum {
    PIECES = 60, /* of a MiB; a server that has room for twice as much has not */
    ROUNDS = 8,
    TURNS = 200,
    WORDS = 16384,
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

/* The GPU writes, memory is freed, and who has it next writes before the host knows of anything. */
static void test_contents(void)
{
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        struct buffer first, second;
        buffer_init_host(&gpu, &first, WORDS * 4, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
        VkCommandBuffer commands = commands_begin(&gpu);
        vkCmdFillBuffer(commands, first.handle, 0, VK_WHOLE_SIZE, turn);
        commands_finish(&gpu, commands);
        buffer_finish(&gpu, &first);
        buffer_init_host(&gpu, &second, WORDS * 4, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
        uint32_t *words = second.map;
        for (uint32_t i = 0; i < WORDS; i++)
            words[i] = ~i;
        commands = commands_begin(&gpu);
        vkCmdFillBuffer(commands, second.handle, 0, 4, turn);
        commands_finish(&gpu, commands);
        expect(words[0] == turn, "turn %u: the GPU has written %u", turn, words[0]);
        for (uint32_t i = 1; i < WORDS; i++)
            expect(words[i] == ~i, "turn %u: word %u is %x", turn, i, words[i]);
        buffer_finish(&gpu, &second);
    }
}

static const struct program_part parts[] = {
    {"all of it", test_all},
    {"contents", test_contents},
};

int main(void)
{
    gpu_init(&gpu, &(struct gpu_options){.name = "freed"});
    find_type();
    run_parts("freed", parts, ARRAY_SIZE(parts));
    gpu_finish(&gpu);
    return 0;
}
