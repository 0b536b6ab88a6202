/* SPDX-License-Identifier: MIT
 *
 * A program with a mistake that does no harm, to see that the validation layer finds it: the
 * buffers of a copy were not made for copying.
 */
#include "common.h"

#include <stdio.h>

int main(void)
{
    struct gpu gpu;
    gpu_init(&gpu, &(struct gpu_options){.name = "misuse"});
    struct buffer from, to;
    buffer_init_host(&gpu, &from, 4096, VK_BUFFER_USAGE_VERTEX_BUFFER_BIT);
    buffer_init_host(&gpu, &to, 4096, VK_BUFFER_USAGE_VERTEX_BUFFER_BIT);
    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdCopyBuffer(commands, from.handle, to.handle, 1, &(VkBufferCopy){0, 0, 4096});
    commands_finish(&gpu, commands);
    buffer_finish(&gpu, &to);
    buffer_finish(&gpu, &from);
    gpu_finish(&gpu);
    printf("misuse: done\n");
    return 0;
}
