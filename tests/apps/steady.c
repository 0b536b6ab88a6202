/* SPDX-License-Identifier: MIT
 *
 * The same work again and again, for somebody who counts system calls: recording, submitting,
 * submitting and waiting, and doing nothing. A write to no file marks where each part begins. What it
 * can count itself are the allocations of a recording thread.
 */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "halves_comp.h"

enum {
    COMMANDS = 20000,
    SUBMITS = 200,
    WARM_UP = 3,
};

static struct gpu gpu;
static VkPipelineLayout layout;
static VkPipeline pipeline;
static VkDeviceAddress address;

/* This program's malloc() is everybody's, drivers' included. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
static _Thread_local uint32_t allocations;

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    allocations++;
    return __libc_realloc(memory, size);
}

static void mark(const char *part)
{
    /* Fails; a trace shows it. */
    if (write(-1, part, strlen(part)) >= 0)
        fail(__FILE__, __LINE__, "a write to no file succeeded");
}

static void record(VkCommandBuffer commands, uint32_t count)
{
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    for (uint32_t i = 0; i < count; i++) {
        vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(address),
                           &address);
        memory_barrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                       VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT);
    }
    vkCmdDispatch(commands, 1, 1, 1);
}

static void begin(VkCommandBuffer commands)
{
    must(vkBeginCommandBuffer(commands, &(VkCommandBufferBeginInfo){
                                            .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                        }));
}

static void submit(VkCommandBuffer commands, VkFence fence)
{
    must(vkQueueSubmit(gpu.queue, 1,
                       &(VkSubmitInfo){
                           .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                           .commandBufferCount = 1,
                           .pCommandBuffers = &commands,
                       },
                       fence));
}

int main(void)
{
    VkPhysicalDeviceVulkan12Features features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .shaderFloat16 = VK_TRUE,
        .bufferDeviceAddress = VK_TRUE,
    };
    gpu_init(&gpu, &(struct gpu_options){.name = "steady", .features = &features});
    struct buffer results;
    address = buffer_init_addressed(&gpu, &results, 128, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    layout = pipeline_layout_init(&gpu, NULL, VK_SHADER_STAGE_COMPUTE_BIT, sizeof(address));
    pipeline = compute_pipeline_init(&gpu, layout, halves_comp, sizeof(halves_comp), NULL);

    VkCommandBuffer many, few;
    const VkCommandBufferAllocateInfo allocation = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = gpu.pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1,
    };
    must(vkAllocateCommandBuffers(gpu.device, &allocation, &many));
    must(vkAllocateCommandBuffers(gpu.device, &allocation, &few));
    VkFence fence;
    must(vkCreateFence(gpu.device,
                       &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO}, NULL,
                       &fence));

    for (int i = 0; i < WARM_UP; i++) {
        begin(many);
        record(many, COMMANDS);
        must(vkEndCommandBuffer(many));
        submit(many, VK_NULL_HANDLE);
        must(vkQueueWaitIdle(gpu.queue));
    }
    begin(many);
    mark("record");
    const uint32_t before = allocations;
    record(many, COMMANDS);
    const uint32_t allocated = allocations - before;
    mark("recorded");
    must(vkEndCommandBuffer(many));
    printf("steady: %u allocations\n", allocated);

    begin(few);
    record(few, 10);
    must(vkEndCommandBuffer(few));
    submit(few, VK_NULL_HANDLE);
    must(vkQueueWaitIdle(gpu.queue));
    mark("submit");
    for (int i = 0; i < SUBMITS; i++)
        submit(few, VK_NULL_HANDLE);
    must(vkQueueWaitIdle(gpu.queue));
    mark("submitted");

    mark("wait");
    for (int i = 0; i < SUBMITS; i++) {
        submit(few, fence);
        must(vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, LONG_NS));
        must(vkResetFences(gpu.device, 1, &fence));
    }
    mark("waited");

    sleep_ms(500); /* until nobody spins any more */
    mark("idle");
    sleep_ms(3000);
    mark("over");
    printf("steady: done\n");

    vkDestroyFence(gpu.device, fence, NULL);
    vkDestroyPipeline(gpu.device, pipeline, NULL);
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
    buffer_finish(&gpu, &results);
    gpu_finish(&gpu);
    return 0;
}
