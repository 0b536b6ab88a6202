/* SPDX-License-Identifier: MIT
 *
 * A client that stays: with a device and nothing to do, with a shader that never ends, or, until it is told
 * to end (SIGTERM), with nothing to do after much work. It says when it is there; whoever started it ends it.
 */
#include "common.h"

#include <signal.h>
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

/* Calls of all kinds: some that are answered, some that are not, recordings, submissions. */
static void work(unsigned rounds)
{
    struct buffer buffer;
    buffer_init_host(&gpu, &buffer, 1 << 20, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    for (unsigned round = 0; round < rounds; round++) {
        VkSampler sampler;
        must(vkCreateSampler(gpu.device,
                             &(VkSamplerCreateInfo){.sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO},
                             NULL, &sampler));
        const VkCommandBuffer commands = commands_begin(&gpu);
        for (unsigned i = 0; i < 20; i++)
            vkCmdFillBuffer(commands, buffer.handle, 0, 256, i);
        commands_finish(&gpu, commands);
        vkDestroySampler(gpu.device, sampler, NULL);
    }
}

int main(int argc, char **argv)
{
    const char *mode = argc == 2 ? argv[1] : "";
    const bool busy = strcmp(mode, "busy") == 0, shader = strcmp(mode, "shader") == 0;
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    if (busy)
        pthread_sigmask(SIG_BLOCK, &term, NULL); /* of the threads to come, too */
    if (!busy && !shader && strcmp(mode, "idle") != 0) {
        fprintf(stderr, "usage: linger idle|shader|busy\n");
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
    if (shader)
        run_endless_shader();
    if (busy) {
        int number;
        work(500);
        printf("linger: the work is done\n");
        fflush(stdout);
        sigwait(&term, &number);
        return 0;
    }
    for (;;)
        sleep_ms(1000);
}
