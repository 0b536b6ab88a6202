/* SPDX-License-Identifier: MIT
 *
 * Mapped memory with different words at the starts of its pages. It tells some of them:
 *
 *   word NUMBER
 *
 * says "ready" and waits for a line, while somebody else looks for those words wherever the same
 * memory is mapped, and inverts them there. Then the mapping must show that, and the device, too.
 */
#include "common.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    PAGE = 4096,
    PAGES = 1024,
    STEP = 301, /* of the pages whose words are told */
};

static uint64_t seed;

static uint64_t word_of(uint32_t page)
{
    return (seed << 32 ^ (uint64_t)mix32(page + 1) << 32) | mix32(page + PAGES + 1);
}

static uint64_t *word_at(const struct buffer *buffer, uint32_t page)
{
    return (uint64_t *)((uint8_t *)buffer->map + (size_t)page * PAGE);
}

static void check(const struct buffer *buffer, const char *who)
{
    for (uint32_t page = 0; page < PAGES; page++) {
        const uint64_t wanted = page % STEP == 0 ? ~word_of(page) : word_of(page);
        expect(*word_at(buffer, page) == wanted,
               "%s sees %016" PRIx64 " instead of %016" PRIx64 " on page %u", who,
               *word_at(buffer, page), wanted, page);
    }
}

int main(void)
{
    struct gpu gpu;
    struct buffer mapped, copy;
    seed = now_ns(); /* nothing of an earlier run may be found */
    gpu_init(&gpu, &(struct gpu_options){.name = "pages"});
    buffer_init_host(&gpu, &mapped, (VkDeviceSize)PAGES * PAGE, VK_BUFFER_USAGE_TRANSFER_SRC_BIT);
    buffer_init_host(&gpu, &copy, (VkDeviceSize)PAGES * PAGE, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    for (uint32_t page = 0; page < PAGES; page++)
        *word_at(&mapped, page) = word_of(page);
    for (uint32_t page = 0; page < PAGES; page += STEP)
        printf("word %" PRIu64 "\n", word_of(page));
    printf("ready\n");
    fflush(stdout);
    getchar();

    check(&mapped, "the mapping");
    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdCopyBuffer(commands, mapped.handle, copy.handle, 1,
                    &(VkBufferCopy){.size = (VkDeviceSize)PAGES * PAGE});
    commands_finish(&gpu, commands);
    check(&copy, "the device");
    printf("pages: seen by all\n");
    buffer_finish(&gpu, &copy);
    buffer_finish(&gpu, &mapped);
    gpu_finish(&gpu);
    return 0;
}
