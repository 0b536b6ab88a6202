/* SPDX-License-Identifier: MIT
 *
 * Draws with everything named, in several command buffers and batches, for a driver that loses its device by
 * one of the draws (tests/layer/lose.c): the server's log has to tell which ones it may have been. Prints
 * how many batches have finished.
 */
#include "common.h"
#include "recording.h"
#include "resources.h"

#include <stdio.h>

#include "colour_frag.h"
#include "frame_vert.h"

enum {
    SIDE = 64,
    BATCHES = 3
};

static const char *const extensions[] = {VK_EXT_DEBUG_UTILS_EXTENSION_NAME};

static struct gpu gpu;
static struct image image;
static VkRenderPass render_pass;
static VkFramebuffer framebuffer;
static VkPipelineLayout layout;
static VkPipeline pipelines[2];

#define DEVICE(name) ((PFN_##name)vkGetDeviceProcAddr(gpu.device, #name))

static void name(VkObjectType type, uint64_t handle, const char *text)
{
    must(DEVICE(vkSetDebugUtilsObjectNameEXT)(
        gpu.device, &(VkDebugUtilsObjectNameInfoEXT){
                        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT,
                        .objectType = type,
                        .objectHandle = handle,
                        .pObjectName = text}));
}

static VkRenderPass create_render_pass(void)
{
    VkRenderPass created;
    const VkAttachmentReference reference = {0, VK_IMAGE_LAYOUT_GENERAL};
    must(vkCreateRenderPass(
        gpu.device,
        &(VkRenderPassCreateInfo){
            .sType = VK_STRUCTURE_TYPE_RENDER_PASS_CREATE_INFO,
            .attachmentCount = 1,
            .pAttachments = &(VkAttachmentDescription){.format = image.format,
                                                       .samples = VK_SAMPLE_COUNT_1_BIT,
                                                       .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
                                                       .finalLayout = VK_IMAGE_LAYOUT_GENERAL},
            .subpassCount = 1,
            .pSubpasses =
                &(VkSubpassDescription){.colorAttachmentCount = 1, .pColorAttachments = &reference},
        },
        NULL, &created));
    return created;
}

static void init(void)
{
    gpu_init(&gpu, &(struct gpu_options){.name = "lastdraw",
                                         .instance_extensions = extensions,
                                         .instance_extension_count = 1});
    image_init(&gpu, &image,
               &(struct image_options){.format = VK_FORMAT_R8G8B8A8_UNORM,
                                       .extent = {SIDE, SIDE},
                                       .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT});
    render_pass = create_render_pass();
    must(vkCreateFramebuffer(gpu.device,
                             &(VkFramebufferCreateInfo){
                                 .sType = VK_STRUCTURE_TYPE_FRAMEBUFFER_CREATE_INFO,
                                 .renderPass = render_pass,
                                 .attachmentCount = 1,
                                 .pAttachments = &image.view,
                                 .width = SIDE,
                                 .height = SIDE,
                                 .layers = 1,
                             },
                             NULL, &framebuffer));
    layout = pipeline_layout_init(&gpu, NULL, VK_SHADER_STAGE_VERTEX_BIT, sizeof(uint32_t));
    for (int i = 0; i < 2; i++)
        pipelines[i] =
            graphics_pipeline_init(&gpu, &(struct graphics_options){
                                             .layout = layout,
                                             .vertex = {frame_vert, sizeof(frame_vert)},
                                             .fragment = {colour_frag, sizeof(colour_frag)},
                                             .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST,
                                             .render_pass = render_pass,
                                         });
    name(VK_OBJECT_TYPE_RENDER_PASS, (uint64_t)(uintptr_t)render_pass, "main pass");
    name(VK_OBJECT_TYPE_PIPELINE, (uint64_t)(uintptr_t)pipelines[0], "opaque");
    name(VK_OBJECT_TYPE_PIPELINE, (uint64_t)(uintptr_t)pipelines[1], "glass");
}

static void begin_label(VkCommandBuffer commands, const char *text)
{
    DEVICE(vkCmdBeginDebugUtilsLabelEXT)
    (commands,
     &(VkDebugUtilsLabelEXT){.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_LABEL_EXT, .pLabelName = text});
}

static void end_label(VkCommandBuffer commands)
{
    DEVICE(vkCmdEndDebugUtilsLabelEXT)(commands);
}

/* Two draws: of `batch` vertices of three, and of one more. */
static VkCommandBuffer record(uint32_t batch)
{
    char text[32];
    const uint32_t frame = batch;
    const VkClearValue clear = {.color = {.float32 = {0}}};
    const VkCommandBuffer commands = commands_begin(&gpu);
    snprintf(text, sizeof(text), "batch %u", batch);
    name(VK_OBJECT_TYPE_COMMAND_BUFFER, (uint64_t)(uintptr_t)commands, text);
    snprintf(text, sizeof(text), "frame %u", batch);
    begin_label(commands, text);
    vkCmdBeginRenderPass(commands,
                         &(VkRenderPassBeginInfo){.sType = VK_STRUCTURE_TYPE_RENDER_PASS_BEGIN_INFO,
                                                  .renderPass = render_pass,
                                                  .framebuffer = framebuffer,
                                                  .renderArea.extent = {SIDE, SIDE},
                                                  .clearValueCount = 1,
                                                  .pClearValues = &clear},
                         VK_SUBPASS_CONTENTS_INLINE);
    set_viewport(commands, (VkExtent2D){SIDE, SIDE});
    vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_VERTEX_BIT, 0, sizeof(frame), &frame);
    begin_label(commands, "walls");
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipelines[0]);
    vkCmdDraw(commands, 3, batch, 0, 0);
    end_label(commands);
    begin_label(commands, "windows");
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipelines[1]);
    vkCmdDraw(commands, 3, batch, 0, 7);
    end_label(commands);
    vkCmdEndRenderPass(commands);
    end_label(commands);
    commands_end(commands);
    return commands;
}

int main(void)
{
    init();
    VkCommandBuffer commands[BATCHES];
    unsigned finished = 0;
    for (uint32_t i = 0; i < BATCHES; i++)
        commands[i] = record(i + 1);
    for (uint32_t i = 0; i < BATCHES; i++) {
        const VkFence fence = fence_create(&gpu, 0);
        const VkResult submitted =
            vkQueueSubmit(gpu.queue, 1,
                          &(VkSubmitInfo){.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                          .commandBufferCount = 1,
                                          .pCommandBuffers = &commands[i]},
                          fence);
        expect(submitted == VK_SUCCESS || submitted == VK_ERROR_DEVICE_LOST, "vkQueueSubmit");
        const VkResult waited = vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, LONG_NS);
        expect(waited == VK_SUCCESS || waited == VK_ERROR_DEVICE_LOST, "vkWaitForFences");
        finished += submitted == VK_SUCCESS && waited == VK_SUCCESS;
    }
    printf("lastdraw: %u batches have finished\n", finished);
    return 0;
}
