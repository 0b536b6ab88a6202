/* SPDX-License-Identifier: MIT
 *
 * A client that stays: with a device and nothing to do, or with a shader that never ends. It says
 * when it is there; whoever started it kills it.
 */
#include "common.h"

#include <stdio.h>
#include <string.h>

#include "endless_comp.h"

static struct gpu gpu;

static void run_endless_shader(void)
{
    struct buffer state;
    const VkDeviceAddress address =
        buffer_init_addressed(&gpu, &state, 256, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    const VkPipelineLayout layout =
        pipeline_layout_init(&gpu, NULL, VK_SHADER_STAGE_COMPUTE_BIT, sizeof(address));
    const VkPipeline pipeline =
        compute_pipeline_init(&gpu, layout, endless_comp, sizeof(endless_comp), NULL);
    volatile uint32_t *rounds = state.map;
    memset(state.map, 0, 256);

    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(address), &address);
    vkCmdDispatch(commands, 1, 1, 1);
    commands_end(commands);
    VkFence fence;
    must(vkCreateFence(gpu.device,
                       &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO}, NULL,
                       &fence));
    commands_submit(&gpu, commands, fence);
    const uint64_t begun = now_ns();
    while (*rounds == 0)
        expect(now_ns() - begun < LONG_NS, "the shader does not begin");
    printf("linger: the shader runs\n");
    fflush(stdout);
    must(vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, UINT64_MAX));
}

int main(int argc, char **argv)
{
    const bool idle = argc == 2 && strcmp(argv[1], "idle") == 0;
    if (!idle && !(argc == 2 && strcmp(argv[1], "shader") == 0)) {
        fprintf(stderr, "usage: linger idle|shader\n");
        return 2;
    }
    VkPhysicalDeviceVulkan12Features features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .bufferDeviceAddress = VK_TRUE,
    };
    const uint64_t begun = now_ns();
    gpu_init(&gpu, &(struct gpu_options){.name = "linger", .features = &features});
    printf("linger: %s after %.1f ms\n", gpu.properties.deviceName,
           (double)(now_ns() - begun) / 1e6);
    fflush(stdout);
    if (!idle)
        run_endless_shader();
    for (;;)
        sleep_ms(1000);
}
