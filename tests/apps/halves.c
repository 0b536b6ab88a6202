/* SPDX-License-Identifier: MIT
 *
 * Functions of numbers with 16 bits. A driver that compiles for the CPU calls libm for them, and finds
 * it only where the program that loaded the driver has it.
 */
#include "common.h"

#include <math.h>
#include <stdio.h>

#include "halves_comp.h"

enum {
    COUNT = 8,
};

static void check(const float *got)
{
    for (int i = 0; i < COUNT; i++) {
        const float x = (float)i * 0.25f + 0.5f;
        const float wanted[] = {sinf(x), log2f(x), exp2f(x), powf(x, 1.5f)};
        static const char *const names[] = {"sin", "log2", "exp2", "pow"};
        for (int j = 0; j < 4; j++)
            expect(fabsf(got[4 * i + j] - wanted[j]) <= 0.004f * (1.0f + fabsf(wanted[j])),
                   "%s of %g is %g, not %g", names[j], x, got[4 * i + j], wanted[j]);
    }
}

int main(void)
{
    struct gpu gpu;
    VkPhysicalDeviceVulkan12Features features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .shaderFloat16 = VK_TRUE,
        .bufferDeviceAddress = VK_TRUE,
    };
    gpu_init(&gpu, &(struct gpu_options){.name = "halves", .features = &features});

    struct buffer results;
    const VkDeviceAddress address = buffer_init_addressed(&gpu, &results, COUNT * 4 * sizeof(float),
                                                          VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    const VkPipelineLayout layout =
        pipeline_layout_init(&gpu, NULL, VK_SHADER_STAGE_COMPUTE_BIT, sizeof(address));
    const VkPipeline pipeline =
        compute_pipeline_init(&gpu, layout, halves_comp, sizeof(halves_comp), NULL);

    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(address), &address);
    vkCmdDispatch(commands, 1, 1, 1);
    memory_barrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                   VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    commands_finish(&gpu, commands);
    check(results.map);
    printf("halves: %d times 4 results are right\n", COUNT);

    vkDestroyPipeline(gpu.device, pipeline, NULL);
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
    buffer_finish(&gpu, &results);
    gpu_finish(&gpu);
    return 0;
}
