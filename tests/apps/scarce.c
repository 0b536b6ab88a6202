/* SPDX-License-Identifier: MIT
 *
 * File descriptors are few: a limit of 64, and then none left at all. Vulkan goes on.
 */
#include "common.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LIMIT 64
#define MIB   (UINT64_C(1) << 20)

static struct gpu gpu;
static int taken[2 * LIMIT];
static uint32_t taken_count;

static uint32_t count_descriptors(void)
{
    uint32_t count = 0;
    for (int fd = 0; fd < LIMIT; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Until there is none, or only some. */
static void take_descriptors(void)
{
    int fd;
    while (taken_count < ARRAY_SIZE(taken) && (fd = dup(STDOUT_FILENO)) >= 0)
        taken[taken_count++] = fd;
    expect(taken_count < ARRAY_SIZE(taken), "there is no limit");
}

static void give_descriptors(void)
{
    while (taken_count)
        close(taken[--taken_count]);
}

/* A fill of the whole, and one of its first word for each of `extra`, to make a long recording. */
static void fill_and_check(const struct buffer *buffer, uint64_t size, uint32_t value,
                           uint32_t extra)
{
    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdFillBuffer(commands, buffer->handle, 0, size, value);
    for (uint32_t i = 0; i < extra; i++)
        vkCmdFillBuffer(commands, buffer->handle, 0, 4, value + i);
    commands_finish(&gpu, commands);
    const uint32_t *words = buffer->map;
    expect(words[size / 4 - 1] == value && words[0] == value + (extra ? extra - 1 : 0),
           "the buffer has %x and %x instead of %x", words[0], words[size / 4 - 1], value);
}

static void test_memory(void)
{
    static const uint64_t sizes[] = {33 * MIB, 17 * MIB, 1 * MIB, 40 * MIB};
    static struct buffer buffers[120];
    const uint32_t before = count_descriptors();
    for (uint32_t i = 0; i < ARRAY_SIZE(buffers); i++)
        buffer_init_host(&gpu, &buffers[i], sizes[i % ARRAY_SIZE(sizes)],
                         VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    expect(count_descriptors() <= before + 4, "%u allocations keep %u descriptors",
           (unsigned)ARRAY_SIZE(buffers), count_descriptors() - before);
    fill_and_check(&buffers[0], 4096, 5, 0);
    for (uint32_t i = 0; i < ARRAY_SIZE(buffers); i++)
        buffer_finish(&gpu, &buffers[i]);
}

/* Each in a pool of its own, none of which is freed before the last one is recorded. */
static void test_recordings(void)
{
    enum {
        POOLS = 80,
        COMMANDS = 20000
    };
    struct buffer buffer;
    buffer_init_host(&gpu, &buffer, 4096, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    VkCommandPool pools[POOLS];
    VkCommandBuffer commands[POOLS];
    for (uint32_t i = 0; i < POOLS; i++) {
        must(vkCreateCommandPool(
            gpu.device,
            &(VkCommandPoolCreateInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO}, NULL,
            &pools[i]));
        must(vkAllocateCommandBuffers(gpu.device,
                                      &(VkCommandBufferAllocateInfo){
                                          .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                          .commandPool = pools[i],
                                          .commandBufferCount = 1,
                                      },
                                      &commands[i]));
        must(vkBeginCommandBuffer(
            commands[i],
            &(VkCommandBufferBeginInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO}));
        for (uint32_t j = 0; j < COMMANDS; j++)
            vkCmdFillBuffer(commands[i], buffer.handle, 4 * (j % 1024), 4, i * COMMANDS + j);
        must(vkEndCommandBuffer(commands[i]));
    }
    must(vkQueueSubmit(gpu.queue, 1,
                       &(VkSubmitInfo){
                           .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                           .commandBufferCount = 1,
                           .pCommandBuffers = &commands[POOLS - 1],
                       },
                       VK_NULL_HANDLE));
    must(vkQueueWaitIdle(gpu.queue));
    const uint32_t last = ((const uint32_t *)buffer.map)[(COMMANDS - 1) % 1024];
    expect(last == POOLS * COMMANDS - 1, "the last recording has left %u", last);
    for (uint32_t i = 0; i < POOLS; i++)
        vkDestroyCommandPool(gpu.device, pools[i], NULL);
    buffer_finish(&gpu, &buffer);
}

static void test_instances(void)
{
    enum {
        INSTANCES = 40
    };
    VkInstance instances[INSTANCES];
    for (uint32_t i = 0; i < INSTANCES; i++) {
        must(vkCreateInstance(
            &(VkInstanceCreateInfo){.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO}, NULL,
            &instances[i]));
        uint32_t count = 1;
        VkPhysicalDevice physical;
        const VkResult result = vkEnumeratePhysicalDevices(instances[i], &count, &physical);
        expect(result >= 0 && count == 1, "instance %u has %u devices", i, count);
    }
    for (uint32_t i = 0; i < INSTANCES; i++)
        vkDestroyInstance(instances[i], NULL);
}

/* Everything but what gives out a descriptor. */
static void test_none_left(void)
{
    struct buffer early, late, large;
    buffer_init_host(&gpu, &early, 40 * MIB, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    take_descriptors();
    buffer_init_host(&gpu, &late, 4096, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    buffer_init_host(&gpu, &large, 50 * MIB, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    for (uint32_t round = 0; round < 3; round++) {
        struct buffer passing;
        buffer_init_host(&gpu, &passing, 60 * MIB, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
        fill_and_check(&passing, 60 * MIB, 1 + round, 0);
        fill_and_check(&large, 50 * MIB, 7 + round, 100000);
        fill_and_check(&late, 4096, 9 + round, 1000);
        const VkFence fence = fence_create(&gpu, VK_FENCE_CREATE_SIGNALED_BIT);
        must(vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, LONG_NS));
        vkDestroyFence(gpu.device, fence, NULL);
        buffer_finish(&gpu, &passing);
    }
    buffer_finish(&gpu, &early);
    buffer_finish(&gpu, &large);
    buffer_finish(&gpu, &late);
    give_descriptors();
}

static const struct program_part parts[] = {
    {"memory", test_memory},
    {"recordings", test_recordings},
    {"instances", test_instances},
    {"no descriptors left", test_none_left},
};

int main(void)
{
    const struct rlimit limit = {LIMIT, LIMIT};
    expect(setrlimit(RLIMIT_NOFILE, &limit) == 0, "cannot limit descriptors");
    gpu_init(&gpu, &(struct gpu_options){.name = "scarce"});
    run_parts("scarce", parts, ARRAY_SIZE(parts));
    gpu_finish(&gpu);
    return 0;
}
