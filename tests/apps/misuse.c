/* SPDX-License-Identifier: MIT
 *
 * Programs that make a mistake: misuse [crash]
 *
 * Without an argument one that does no harm, to see that the validation layer finds it: the buffers
 * of a copy were not made for copying. `crash`: NULL where a driver needs an array, which no handle
 * check can find, so that natively the process would die. It has to learn that the device is lost.
 */
#include "common.h"

#include <stdio.h>
#include <string.h>

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
    expect(result == VK_ERROR_DEVICE_LOST, "the pipeline gave %s", result_name(result));
    must_be(VK_ERROR_DEVICE_LOST, vkDeviceWaitIdle(gpu->device));
    /* The physical device is lost with it. */
    VkDevice another = VK_NULL_HANDLE;
    must_be(VK_ERROR_DEVICE_LOST,
            vkCreateDevice(gpu->physical,
                           &(VkDeviceCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                               .queueCreateInfoCount = 1,
                               .pQueueCreateInfos =
                                   &(VkDeviceQueueCreateInfo){
                                       .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                       .queueFamilyIndex = gpu->family,
                                       .queueCount = 1,
                                       .pQueuePriorities = &(const float){1.0f},
                                   },
                           },
                           NULL, &another));

    /* A lost device is destroyed like any other. */
    vkDestroyPipelineLayout(gpu->device, layout, NULL);
    vkDestroyCommandPool(gpu->device, gpu->pool, NULL);
    vkDestroyDevice(gpu->device, NULL);
    vkDestroyInstance(gpu->instance, NULL);
}

int main(int argc, char **argv)
{
    const bool crash = argc == 2 && strcmp(argv[1], "crash") == 0;
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
