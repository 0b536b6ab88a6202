/* SPDX-License-Identifier: MIT
 *
 * Lifetimes: what goes before what refers to it, and handles that are used again.
 */
#include "common.h"

#include "colour_frag.h"
#include "frame_vert.h"

static struct gpu gpu;
static VkPipelineLayout push_layout; /* one push constant for vertex shaders */

/* VK_NULL_HANDLE is a legal argument of everything that destroys or frees. */
static void test_null_handles(void)
{
    const VkDevice device = gpu.device;
    vkDestroyInstance(NULL, NULL);
    vkDestroyDevice(NULL, NULL);
    vkDestroyFence(device, VK_NULL_HANDLE, NULL);
    vkDestroySemaphore(device, VK_NULL_HANDLE, NULL);
    vkDestroyEvent(device, VK_NULL_HANDLE, NULL);
    vkDestroyQueryPool(device, VK_NULL_HANDLE, NULL);
    vkDestroyBuffer(device, VK_NULL_HANDLE, NULL);
    vkDestroyBufferView(device, VK_NULL_HANDLE, NULL);
    vkDestroyImage(device, VK_NULL_HANDLE, NULL);
    vkDestroyImageView(device, VK_NULL_HANDLE, NULL);
    vkDestroyShaderModule(device, VK_NULL_HANDLE, NULL);
    vkDestroyPipelineCache(device, VK_NULL_HANDLE, NULL);
    vkDestroyPipeline(device, VK_NULL_HANDLE, NULL);
    vkDestroyPipelineLayout(device, VK_NULL_HANDLE, NULL);
    vkDestroySampler(device, VK_NULL_HANDLE, NULL);
    vkDestroySamplerYcbcrConversion(device, VK_NULL_HANDLE, NULL);
    vkDestroyDescriptorSetLayout(device, VK_NULL_HANDLE, NULL);
    vkDestroyDescriptorPool(device, VK_NULL_HANDLE, NULL);
    vkDestroyDescriptorUpdateTemplate(device, VK_NULL_HANDLE, NULL);
    vkDestroyFramebuffer(device, VK_NULL_HANDLE, NULL);
    vkDestroyRenderPass(device, VK_NULL_HANDLE, NULL);
    vkDestroyCommandPool(device, VK_NULL_HANDLE, NULL);
    vkDestroyPrivateDataSlot(device, VK_NULL_HANDLE, NULL);
    vkDestroySwapchainKHR(device, VK_NULL_HANDLE, NULL);
    vkDestroySurfaceKHR(gpu.instance, VK_NULL_HANDLE, NULL);
    vkFreeMemory(device, VK_NULL_HANDLE, NULL);
    vkFreeCommandBuffers(device, gpu.pool, 2, (const VkCommandBuffer[]){NULL, NULL});
}

/* Pools free what they have given out, and command buffers live through many recordings. */
static void test_command_pools(void)
{
    struct buffer words;
    buffer_init_host(&gpu, &words, 4096, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    const VkFence fence = fence_create(&gpu, 0);
    for (uint32_t round = 0; round < 20; round++) {
        VkCommandPool pool;
        must(vkCreateCommandPool(
            gpu.device,
            &(VkCommandPoolCreateInfo){
                .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                /* Every other pool can only be reset as a whole. */
                .flags = round % 2 ? VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT : 0,
                .queueFamilyIndex = gpu.family,
            },
            NULL, &pool));
        VkCommandBuffer buffers[20];
        must(vkAllocateCommandBuffers(gpu.device,
                                      &(VkCommandBufferAllocateInfo){
                                          .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                          .commandPool = pool,
                                          .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                          .commandBufferCount = ARRAY_SIZE(buffers),
                                      },
                                      buffers));
        for (uint32_t pass = 0; pass < 3; pass++) {
            for (uint32_t i = 0; i < ARRAY_SIZE(buffers); i++) {
                must(vkBeginCommandBuffer(buffers[i],
                                          &(VkCommandBufferBeginInfo){
                                              .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                          }));
                vkCmdFillBuffer(buffers[i], words.handle, 4 * i, 4, round * 1000 + pass * 100 + i);
                commands_end(buffers[i]);
            }
            must(vkQueueSubmit(gpu.queue, 1,
                               &(VkSubmitInfo){
                                   .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                   .commandBufferCount = ARRAY_SIZE(buffers),
                                   .pCommandBuffers = buffers,
                               },
                               fence));
            must(vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, LONG_NS));
            must(vkResetFences(gpu.device, 1, &fence));
            for (uint32_t i = 0; i < ARRAY_SIZE(buffers); i++) {
                const uint32_t value = ((const uint32_t *)words.map)[i];
                expect(value == round * 1000 + pass * 100 + i, "command buffer %u wrote %u", i,
                       value);
            }
            /* By name, implicitly by the next recording, or all at once. */
            if (round % 2 == 0)
                must(vkResetCommandPool(gpu.device, pool,
                                        pass ? 0 : VK_COMMAND_POOL_RESET_RELEASE_RESOURCES_BIT));
            else if (pass == 0)
                must(vkResetCommandBuffer(buffers[3], 0));
        }
        vkTrimCommandPool(gpu.device, pool, 0);
        const VkCommandBuffer some[] = {buffers[7], NULL, buffers[0]};
        vkFreeCommandBuffers(gpu.device, pool, ARRAY_SIZE(some), some);
        /* One is in the middle of a recording when its pool goes. */
        must(vkBeginCommandBuffer(buffers[5],
                                  &(VkCommandBufferBeginInfo){
                                      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                  }));
        vkCmdFillBuffer(buffers[5], words.handle, 0, 4, 1);
        vkDestroyCommandPool(gpu.device, pool, NULL);
    }
    vkDestroyFence(gpu.device, fence, NULL);
    buffer_finish(&gpu, &words);
}

static VkPipeline create_pipeline(void)
{
    return graphics_pipeline_init(&gpu, &(struct graphics_options){
                                            .layout = push_layout,
                                            .vertex = {frame_vert, sizeof(frame_vert)},
                                            .fragment = {colour_frag, sizeof(colour_frag)},
                                            .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST,
                                            .colour_format = VK_FORMAT_R8G8B8A8_UNORM,
                                        });
}

/* What a recorded command buffer refers to may go while it is not pending. It must then not be
 * submitted any more, but it can be reset, recorded again and freed. */
static void test_destroyed_while_recorded(void)
{
    struct buffer target;
    buffer_init_host(&gpu, &target, 4096, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    for (uint32_t round = 0; round < 50; round++) {
        struct buffer gone;
        buffer_init_host(&gpu, &gone, 4096,
                         VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT);
        const VkPipeline pipeline = round % 10 ? VK_NULL_HANDLE : create_pipeline();
        const VkCommandBuffer commands = commands_begin(&gpu);
        vkCmdFillBuffer(commands, gone.handle, 0, VK_WHOLE_SIZE, 1);
        if (pipeline)
            vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
        if (round % 2)
            commands_end(commands);
        buffer_finish(&gpu, &gone);
        vkDestroyPipeline(gpu.device, pipeline, NULL);
        if (round % 3 == 0) {
            vkFreeCommandBuffers(gpu.device, gpu.pool, 1, &commands);
            continue;
        }
        must(vkResetCommandBuffer(commands, 0));
        must(
            vkBeginCommandBuffer(commands, &(VkCommandBufferBeginInfo){
                                               .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                           }));
        vkCmdFillBuffer(commands, target.handle, 0, VK_WHOLE_SIZE, round);
        commands_finish(&gpu, commands);
        expect(((const uint32_t *)target.map)[9] == round, "the second recording did not run");
    }
    buffer_finish(&gpu, &target);
}

/* Thousands of handles, of which old ones must not reach new objects: each buffer keeps its own
 * content while its neighbours come and go. */
static void test_handle_reuse(void)
{
    enum {
        COUNT = 64
    };
    struct buffer buffers[COUNT] = {0};
    for (uint32_t round = 0; round < 4000; round++) {
        const uint32_t slot = mix32(round) % COUNT;
        struct buffer *buffer = &buffers[slot];
        if (buffer->handle) {
            const uint32_t *words = buffer->map;
            expect(words[0] == slot && words[1] == ~slot, "buffer %u holds %#x", slot, words[0]);
            buffer_finish(&gpu, buffer);
        } else {
            buffer_init_host(&gpu, buffer, 256, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
            ((uint32_t *)buffer->map)[0] = slot;
            ((uint32_t *)buffer->map)[1] = ~slot;
            for (uint32_t i = 0; i < COUNT; i++)
                expect(i == slot || !buffers[i].handle || buffers[i].handle != buffer->handle,
                       "two buffers have one handle");
        }
        if (round % 50 == 0 && buffer->handle) {
            const VkCommandBuffer commands = commands_begin(&gpu);
            vkCmdFillBuffer(commands, buffer->handle, 8, VK_WHOLE_SIZE, round);
            commands_finish(&gpu, commands);
            expect(((const uint32_t *)buffer->map)[5] == round, "the fill went elsewhere");
        }
        /* The kinds that are cheapest to make wear their numbers out first. */
        VkSampler sampler;
        must(vkCreateSampler(gpu.device,
                             &(VkSamplerCreateInfo){.sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO},
                             NULL, &sampler));
        vkDestroySampler(gpu.device, sampler, NULL);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        buffer_finish(&gpu, &buffers[i]);
}

static const struct program_part parts[] = {
    {"VK_NULL_HANDLE everywhere", test_null_handles},
    {"command pools", test_command_pools},
    {"destroyed while recorded", test_destroyed_while_recorded},
    {"handles used again", test_handle_reuse},
};

int main(void)
{
    const VkPhysicalDeviceVulkan13Features features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
        .dynamicRendering = VK_TRUE,
    };
    gpu_init(&gpu, &(struct gpu_options){
                       .name = "lifetimes",
                       .instance_extensions = (const char *const[]){VK_KHR_SURFACE_EXTENSION_NAME},
                       .instance_extension_count = 1,
                       .device_extensions = (const char *const[]){VK_KHR_SWAPCHAIN_EXTENSION_NAME},
                       .device_extension_count = 1,
                       .features = &features,
                   });
    push_layout = pipeline_layout_init(&gpu, NULL, VK_SHADER_STAGE_VERTEX_BIT, sizeof(uint32_t));
    run_parts("lifetimes", parts, ARRAY_SIZE(parts));
    vkDestroyPipelineLayout(gpu.device, push_layout, NULL);
    gpu_finish(&gpu);
    return 0;
}
