/* SPDX-License-Identifier: MIT
 *
 * Programs that make a mistake: misuse [crash|layout]
 *
 * Without an argument one that does no harm, to see that the validation layer finds it: the buffers
 * of a copy were not made for copying. `crash`: NULL where a driver needs an array, which no handle
 * check can find, so that natively the process would die. It has to learn that the device is lost.
 * `layout`: destroys a pipeline layout while it is recorded with, as applications do because drivers
 * count references; what comes out is right all the same.
 */
#include "common.h"

#include <stdio.h>
#include <string.h>

#include "halves_comp.h"

static void copy_without_usage(const struct gpu *gpu)
{
    struct buffer from, to;
    buffer_init_host(gpu, &from, 4096, VK_BUFFER_USAGE_VERTEX_BUFFER_BIT);
    buffer_init_host(gpu, &to, 4096, VK_BUFFER_USAGE_VERTEX_BUFFER_BIT);
    const VkCommandBuffer commands = commands_begin(gpu);
    vkCmdCopyBuffer(commands, from.handle, to.handle, 1, &(VkBufferCopy){0, 0, 4096});
    commands_finish(gpu, commands);
    buffer_finish(gpu, &to);
    buffer_finish(gpu, &from);
}

static void crash_the_driver(const struct gpu *gpu)
{
    VkPipelineLayout layout;
    must(vkCreatePipelineLayout(
        gpu->device,
        &(VkPipelineLayoutCreateInfo){.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO}, NULL,
        &layout));
    /* Neither states nor stages where rasterisation needs them. */
    VkPipeline pipeline;
    VkResult result =
        vkCreateGraphicsPipelines(gpu->device, VK_NULL_HANDLE, 1,
                                  &(VkGraphicsPipelineCreateInfo){
                                      .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
                                      .layout = layout,
                                  },
                                  NULL, &pipeline);
    /* Its list of errors has no loss. */
    expect(result == VK_ERROR_OUT_OF_HOST_MEMORY, "the pipeline gave %s", result_name(result));
    must_be(VK_ERROR_DEVICE_LOST, vkDeviceWaitIdle(gpu->device));

    /* The instance and its physical device are not: a new device of theirs works. */
    struct gpu another = {.instance = gpu->instance};
    gpu_init_device(&another, &(struct gpu_options){.name = "misuse"});
    expect(another.physical == gpu->physical, "after a loss there is another physical device");
    copy_without_usage(&another);
    gpu_finish_device(&another);
    must_be(VK_ERROR_DEVICE_LOST, vkDeviceWaitIdle(gpu->device));

    /* A lost device is destroyed like any other. */
    vkDestroyPipelineLayout(gpu->device, layout, NULL);
    vkDestroyCommandPool(gpu->device, gpu->pool, NULL);
    vkDestroyDevice(gpu->device, NULL);
    vkDestroyInstance(gpu->instance, NULL);
}

static VkPipelineLayout push_layout(const struct gpu *gpu)
{
    return pipeline_layout_init(gpu, NULL, VK_SHADER_STAGE_COMPUTE_BIT, sizeof(VkDeviceAddress));
}

static void destroy_layouts_early(void)
{
    struct gpu gpu;
    VkPhysicalDeviceVulkan12Features features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .shaderFloat16 = VK_TRUE,
        .bufferDeviceAddress = VK_TRUE,
    };
    gpu_init(&gpu, &(struct gpu_options){.name = "misuse", .features = &features});
    struct buffer results;
    const VkDeviceAddress address =
        buffer_init_addressed(&gpu, &results, 128, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    const VkPipelineLayout layout = push_layout(&gpu);
    const VkPipeline pipeline =
        compute_pipeline_init(&gpu, layout, halves_comp, sizeof(halves_comp), NULL);
    vkDestroyPipelineLayout(gpu.device, layout, NULL);

    for (int round = 0; round < 3; round++) {
        memset(results.map, 0, results.size);
        /* Another one is being recorded all the time. */
        const VkCommandBuffer other = commands_begin(&gpu);
        const VkPipelineLayout early = push_layout(&gpu);
        const VkCommandBuffer commands = commands_begin(&gpu);
        vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
        vkCmdPushConstants(commands, early, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(address),
                           &address);
        vkDestroyPipelineLayout(gpu.device, early, NULL);
        vkCmdDispatch(commands, 1, 1, 1);
        memory_barrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                       VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
        commands_finish(&gpu, commands);
        commands_finish(&gpu, other);
        expect(((const float *)results.map)[2] > 1.0f, "nothing was computed in round %d", round);
    }
    vkDestroyPipeline(gpu.device, pipeline, NULL);
    buffer_finish(&gpu, &results);
    gpu_finish(&gpu);
}

int main(int argc, char **argv)
{
    const bool crash = argc == 2 && strcmp(argv[1], "crash") == 0;
    if (argc == 2 && strcmp(argv[1], "layout") == 0) {
        destroy_layouts_early();
        printf("misuse: layouts can go early\n");
        return 0;
    }
    struct gpu gpu;
    gpu_init(&gpu, &(struct gpu_options){.name = "misuse"});
    if (crash) {
        crash_the_driver(&gpu);
        /* A new instance has a worker of its own, and the process goes on. */
        gpu_init(&gpu, &(struct gpu_options){.name = "misuse"});
    }
    copy_without_usage(&gpu);
    gpu_finish(&gpu);
    printf("misuse: done\n");
    return 0;
}
