/* SPDX-License-Identifier: MIT
 *
 * Objects: how they come, go and come again, and everything in their creation that the
 * specification says is ignored.
 */
#include "common.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "colour_frag.h"
#include "frame_vert.h"
#include "mix_comp.h"
#include "sum_comp.h"

/* Ignored members may hold anything. Reading from this address ends the program. */
#define GARBAGE_POINTER ((void *)(uintptr_t)0xdead0000beef0000u)
#define GARBAGE_HANDLE  GARBAGE_POINTER

static const VkFormat colour_format = VK_FORMAT_R8G8B8A8_UNORM;

static struct gpu gpu;
static VkPipelineLayout push_layout; /* one push constant for vertex shaders */

static VkFence create_fence(void)
{
    VkFence fence;
    must(vkCreateFence(gpu.device,
                       &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO}, NULL,
                       &fence));
    return fence;
}

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

/* With a count of 0 the pointer beside it means nothing. */
static void test_zero_counts(void)
{
    const VkFence fence = create_fence();
    must(vkQueueSubmit(gpu.queue, 0, GARBAGE_POINTER, VK_NULL_HANDLE));
    must(vkQueueSubmit(gpu.queue, 1,
                       &(VkSubmitInfo){
                           .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                           .pWaitSemaphores = GARBAGE_POINTER,
                           .pWaitDstStageMask = GARBAGE_POINTER,
                           .pCommandBuffers = GARBAGE_POINTER,
                           .pSignalSemaphores = GARBAGE_POINTER,
                       },
                       fence));
    must(vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, LONG_NS));
    must(vkResetFences(gpu.device, 1, &fence));
    must(vkQueueSubmit2(gpu.queue, 1,
                        &(VkSubmitInfo2){
                            .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
                            .pWaitSemaphoreInfos = GARBAGE_POINTER,
                            .pCommandBufferInfos = GARBAGE_POINTER,
                            .pSignalSemaphoreInfos = GARBAGE_POINTER,
                        },
                        fence));
    must(vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, LONG_NS));
    vkDestroyFence(gpu.device, fence, NULL);

    /* The inheritance info of a primary command buffer is ignored. */
    VkCommandBuffer commands;
    must(vkAllocateCommandBuffers(gpu.device,
                                  &(VkCommandBufferAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                      .commandPool = gpu.pool,
                                      .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                      .commandBufferCount = 1,
                                  },
                                  &commands));
    must(vkBeginCommandBuffer(commands, &(VkCommandBufferBeginInfo){
                                            .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .pInheritanceInfo = GARBAGE_POINTER,
                                        }));
    vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
                         VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, 0, 0, GARBAGE_POINTER, 0,
                         GARBAGE_POINTER, 0, GARBAGE_POINTER);
    vkCmdPipelineBarrier2(commands, &(VkDependencyInfo){
                                        .sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO,
                                        .pMemoryBarriers = GARBAGE_POINTER,
                                        .pBufferMemoryBarriers = GARBAGE_POINTER,
                                        .pImageMemoryBarriers = GARBAGE_POINTER,
                                    });
    commands_finish(&gpu, commands);
}

/* pQueueFamilyIndices counts only for CONCURRENT. */
static void test_sharing_mode(void)
{
    VkBuffer buffer;
    must(vkCreateBuffer(gpu.device,
                        &(VkBufferCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                            .size = 4096,
                            .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                            .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
                            .queueFamilyIndexCount = 1000,
                            .pQueueFamilyIndices = GARBAGE_POINTER,
                        },
                        NULL, &buffer));
    vkDestroyBuffer(gpu.device, buffer, NULL);
    VkImage image;
    must(vkCreateImage(gpu.device,
                       &(VkImageCreateInfo){
                           .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                           .imageType = VK_IMAGE_TYPE_2D,
                           .format = colour_format,
                           .extent = {16, 16, 1},
                           .mipLevels = 1,
                           .arrayLayers = 1,
                           .samples = VK_SAMPLE_COUNT_1_BIT,
                           .tiling = VK_IMAGE_TILING_OPTIMAL,
                           .usage = VK_IMAGE_USAGE_TRANSFER_DST_BIT,
                           .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
                           .queueFamilyIndexCount = 1000,
                           .pQueueFamilyIndices = GARBAGE_POINTER,
                       },
                       NULL, &image));
    vkDestroyImage(gpu.device, image, NULL);
}

static VkShaderModule vertex_module(void)
{
    return shader_init(&gpu, frame_vert, sizeof(frame_vert));
}

static VkPipelineShaderStageCreateInfo stage_of(VkShaderStageFlagBits stage, VkShaderModule module)
{
    return (VkPipelineShaderStageCreateInfo){
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
        .stage = stage,
        .module = module,
        .pName = "main",
    };
}

static const VkPipelineVertexInputStateCreateInfo no_vertex_input = {
    .sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO,
};
static const VkPipelineInputAssemblyStateCreateInfo triangles = {
    .sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO,
    .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST,
};
static const VkPipelineRasterizationStateCreateInfo filled = {
    .sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
    .lineWidth = 1.0f,
};
static const VkPipelineMultisampleStateCreateInfo one_sample = {
    .sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
    .rasterizationSamples = VK_SAMPLE_COUNT_1_BIT,
};
static const VkPipelineRenderingCreateInfo colour_rendering = {
    .sType = VK_STRUCTURE_TYPE_PIPELINE_RENDERING_CREATE_INFO,
    .colorAttachmentCount = 1,
    .pColorAttachmentFormats = &colour_format,
};
static const VkPipelineColorBlendStateCreateInfo opaque = {
    .sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
    .attachmentCount = 1,
    .pAttachments = &(VkPipelineColorBlendAttachmentState){.colorWriteMask = 15},
};

/* Without rasterisation there are no viewports, samples, depths or colours. */
static void test_rasterizer_discard(void)
{
    const VkShaderModule vertex = vertex_module();
    const VkPipelineShaderStageCreateInfo stage = stage_of(VK_SHADER_STAGE_VERTEX_BIT, vertex);
    const VkPipelineRenderingCreateInfo nothing = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_RENDERING_CREATE_INFO,
        .pColorAttachmentFormats = GARBAGE_POINTER,
    };
    VkPipeline pipeline;
    must(vkCreateGraphicsPipelines(
        gpu.device, VK_NULL_HANDLE, 1,
        &(VkGraphicsPipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
            .pNext = &nothing,
            .stageCount = 1,
            .pStages = &stage,
            .pVertexInputState = &no_vertex_input,
            .pInputAssemblyState = &triangles,
            .pTessellationState = GARBAGE_POINTER, /* there are no such stages */
            .pViewportState = GARBAGE_POINTER,
            .pRasterizationState =
                &(VkPipelineRasterizationStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
                    .rasterizerDiscardEnable = VK_TRUE,
                    .lineWidth = 1.0f,
                },
            .pMultisampleState = GARBAGE_POINTER,
            .pDepthStencilState = GARBAGE_POINTER,
            .pColorBlendState = GARBAGE_POINTER,
            .layout = push_layout,
            .basePipelineHandle = (VkPipeline)GARBAGE_HANDLE, /* without DERIVATIVE */
            .basePipelineIndex = -12345,
        },
        NULL, &pipeline));
    vkDestroyPipeline(gpu.device, pipeline, NULL);
    vkDestroyShaderModule(gpu.device, vertex, NULL);
}

static VkPipeline create_garnished_pipeline(void)
{
    const VkShaderModule vertex = vertex_module();
    const VkShaderModule fragment = shader_init(&gpu, colour_frag, sizeof(colour_frag));
    const VkPipelineShaderStageCreateInfo stages[] = {
        stage_of(VK_SHADER_STAGE_VERTEX_BIT, vertex),
        stage_of(VK_SHADER_STAGE_FRAGMENT_BIT, fragment),
    };
    VkPipeline pipeline;
    must(vkCreateGraphicsPipelines(
        gpu.device, VK_NULL_HANDLE, 1,
        &(VkGraphicsPipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
            .pNext = &colour_rendering,
            .stageCount = 2,
            .pStages = stages,
            .pVertexInputState =
                &(VkPipelineVertexInputStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO,
                    .pVertexBindingDescriptions = GARBAGE_POINTER,
                    .pVertexAttributeDescriptions = GARBAGE_POINTER,
                },
            .pInputAssemblyState = &triangles,
            .pTessellationState = GARBAGE_POINTER,
            .pViewportState =
                &(VkPipelineViewportStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
                    .viewportCount = 1,
                    .pViewports = GARBAGE_POINTER, /* dynamic */
                    .scissorCount = 1,
                    .pScissors = GARBAGE_POINTER, /* dynamic */
                },
            .pRasterizationState = &filled,
            .pMultisampleState = &one_sample,
            .pDepthStencilState = GARBAGE_POINTER, /* there is no such attachment */
            .pColorBlendState = &opaque,
            .pDynamicState =
                &(VkPipelineDynamicStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_DYNAMIC_STATE_CREATE_INFO,
                    .dynamicStateCount = 2,
                    .pDynamicStates =
                        (const VkDynamicState[]){
                            VK_DYNAMIC_STATE_VIEWPORT,
                            VK_DYNAMIC_STATE_SCISSOR,
                        },
                },
            .layout = push_layout,
        },
        NULL, &pipeline));
    vkDestroyShaderModule(gpu.device, fragment, NULL);
    vkDestroyShaderModule(gpu.device, vertex, NULL);
    return pipeline;
}

static VkRenderPass create_render_pass(void)
{
    VkRenderPass pass;
    must(vkCreateRenderPass(gpu.device,
                            &(VkRenderPassCreateInfo){
                                .sType = VK_STRUCTURE_TYPE_RENDER_PASS_CREATE_INFO,
                                .attachmentCount = 1,
                                .pAttachments =
                                    &(VkAttachmentDescription){
                                        .format = colour_format,
                                        .samples = VK_SAMPLE_COUNT_1_BIT,
                                        .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
                                        .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
                                        .initialLayout = VK_IMAGE_LAYOUT_UNDEFINED,
                                        .finalLayout = VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                                    },
                                .subpassCount = 1,
                                .pSubpasses =
                                    &(VkSubpassDescription){
                                        .pipelineBindPoint = VK_PIPELINE_BIND_POINT_GRAPHICS,
                                        .pInputAttachments = GARBAGE_POINTER,
                                        .colorAttachmentCount = 2,
                                        .pColorAttachments =
                                            (const VkAttachmentReference[]){
                                                {0, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL},
                                                {VK_ATTACHMENT_UNUSED, VK_IMAGE_LAYOUT_UNDEFINED},
                                            },
                                        .pPreserveAttachments = GARBAGE_POINTER,
                                    },
                                .pDependencies = GARBAGE_POINTER,
                            },
                            NULL, &pass));
    return pass;
}

/* A framebuffer without images takes them when the render pass begins; and more clear values than
 * there are attachments are no mistake. */
static void test_imageless_framebuffer(void)
{
    const VkExtent2D extent = {32, 32};
    struct image image;
    image_init(&gpu, &image,
               &(struct image_options){
                   .format = colour_format,
                   .extent = extent,
                   .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
               });
    const VkRenderPass pass = create_render_pass();
    VkFramebuffer framebuffer;
    must(vkCreateFramebuffer(
        gpu.device,
        &(VkFramebufferCreateInfo){
            .sType = VK_STRUCTURE_TYPE_FRAMEBUFFER_CREATE_INFO,
            .pNext =
                &(VkFramebufferAttachmentsCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_FRAMEBUFFER_ATTACHMENTS_CREATE_INFO,
                    .attachmentImageInfoCount = 1,
                    .pAttachmentImageInfos =
                        &(VkFramebufferAttachmentImageInfo){
                            .sType = VK_STRUCTURE_TYPE_FRAMEBUFFER_ATTACHMENT_IMAGE_INFO,
                            .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT |
                                     VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
                            .width = extent.width,
                            .height = extent.height,
                            .layerCount = 1,
                            .viewFormatCount = 1,
                            .pViewFormats = &colour_format,
                        },
                },
            .flags = VK_FRAMEBUFFER_CREATE_IMAGELESS_BIT,
            .renderPass = pass,
            .attachmentCount = 1,
            .pAttachments = GARBAGE_POINTER,
            .width = extent.width,
            .height = extent.height,
            .layers = 1,
        },
        NULL, &framebuffer));

    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdBeginRenderPass(commands,
                         &(VkRenderPassBeginInfo){
                             .sType = VK_STRUCTURE_TYPE_RENDER_PASS_BEGIN_INFO,
                             .pNext =
                                 &(VkRenderPassAttachmentBeginInfo){
                                     .sType = VK_STRUCTURE_TYPE_RENDER_PASS_ATTACHMENT_BEGIN_INFO,
                                     .attachmentCount = 1,
                                     .pAttachments = &image.view,
                                 },
                             .renderPass = pass,
                             .framebuffer = framebuffer,
                             .renderArea = {.extent = extent},
                             .clearValueCount = 3,
                             .pClearValues =
                                 (const VkClearValue[]){
                                     {.color = {{1.0f, 0.0f, 1.0f, 1.0f}}},
                                     {.depthStencil = {0.5f, 3}},
                                     {.color = {{0.0f, 1.0f, 0.0f, 1.0f}}},
                                 },
                         },
                         VK_SUBPASS_CONTENTS_INLINE);
    vkCmdEndRenderPass(commands);
    commands_finish(&gpu, commands);
    struct picture picture;
    picture_init_from_image(&gpu, &picture, image.handle, colour_format, extent);
    expect(picture.pixels[0] == 255 && picture.pixels[1] == 0 && picture.pixels[2] == 255,
           "the attachment was cleared to %u %u %u", picture.pixels[0], picture.pixels[1],
           picture.pixels[2]);
    picture_finish(&picture);
    vkDestroyFramebuffer(gpu.device, framebuffer, NULL);
    vkDestroyRenderPass(gpu.device, pass, NULL);
    image_finish(&gpu, &image);
}

/* A secondary command buffer outside of a render pass ignores what it would inherit inside, and
 * rendering may have attachments that are not there. */
static void test_rendering_with_holes(void)
{
    const VkExtent2D extent = {32, 32};
    struct image image;
    image_init(&gpu, &image,
               &(struct image_options){
                   .format = colour_format,
                   .extent = extent,
                   .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
               });
    struct buffer words;
    buffer_init_host(&gpu, &words, 64, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    const VkPipeline pipeline = create_garnished_pipeline();

    VkCommandBuffer secondary;
    must(vkAllocateCommandBuffers(gpu.device,
                                  &(VkCommandBufferAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                      .commandPool = gpu.pool,
                                      .level = VK_COMMAND_BUFFER_LEVEL_SECONDARY,
                                      .commandBufferCount = 1,
                                  },
                                  &secondary));
    must(vkBeginCommandBuffer(
        secondary, &(VkCommandBufferBeginInfo){
                       .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                       .pInheritanceInfo =
                           &(VkCommandBufferInheritanceInfo){
                               .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_INHERITANCE_INFO,
                               .renderPass = (VkRenderPass)GARBAGE_HANDLE,
                               .subpass = 99,
                               .framebuffer = (VkFramebuffer)GARBAGE_HANDLE,
                           },
                   }));
    vkCmdFillBuffer(secondary, words.handle, 0, VK_WHOLE_SIZE, 42);
    commands_end(secondary);

    const VkImageSubresourceRange whole = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};
    const struct image_use drawn = {
        VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
        VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
        VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT,
    };
    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdExecuteCommands(commands, 1, &secondary);
    image_barrier(commands, image.handle, &whole,
                  &(struct image_use){
                      VK_IMAGE_LAYOUT_UNDEFINED,
                      VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT,
                      0,
                  },
                  &drawn);
    vkCmdBeginRendering(commands,
                        &(VkRenderingInfo){
                            .sType = VK_STRUCTURE_TYPE_RENDERING_INFO,
                            .renderArea = {.extent = extent},
                            .layerCount = 1,
                            .colorAttachmentCount = 1,
                            .pColorAttachments =
                                &(VkRenderingAttachmentInfo){
                                    .sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
                                    .imageView = image.view,
                                    .imageLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                                    .resolveMode = VK_RESOLVE_MODE_NONE,
                                    .resolveImageView = VK_NULL_HANDLE,
                                    .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
                                    .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
                                },
                            /* A description of no image is the same as none. */
                            .pDepthAttachment =
                                &(VkRenderingAttachmentInfo){
                                    .sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
                                    .imageView = VK_NULL_HANDLE,
                                },
                            .pStencilAttachment = NULL,
                        });
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
    set_viewport(commands, extent);
    vkCmdPushConstants(commands, push_layout, VK_SHADER_STAGE_VERTEX_BIT, 0, sizeof(uint32_t),
                       &(const uint32_t){3});
    vkCmdDraw(commands, 3, 1, 0, 0);
    vkCmdEndRendering(commands);
    image_barrier(commands, image.handle, &whole, &drawn,
                  &(struct image_use){
                      VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                      VK_PIPELINE_STAGE_TRANSFER_BIT,
                      VK_ACCESS_TRANSFER_READ_BIT,
                  });
    commands_finish(&gpu, commands);

    expect(((const uint32_t *)words.map)[15] == 42, "the secondary command buffer did not run");
    struct picture picture;
    picture_init_from_image(&gpu, &picture, image.handle, colour_format, extent);
    expect(picture_count_colours(&picture, 32) > 8, "there is no triangle");
    picture_finish(&picture);
    vkFreeCommandBuffers(gpu.device, gpu.pool, 1, &secondary);
    vkDestroyPipeline(gpu.device, pipeline, NULL);
    buffer_finish(&gpu, &words);
    image_finish(&gpu, &image);
}

/* A render pass's members for pipelines count only in pipelines that have one. */
static void test_render_pass_against_rendering(void)
{
    const VkRenderPass pass = create_render_pass();
    const VkPipeline pipeline =
        graphics_pipeline_init(&gpu, &(struct graphics_options){
                                         .layout = push_layout,
                                         .vertex = {frame_vert, sizeof(frame_vert)},
                                         .fragment = {colour_frag, sizeof(colour_frag)},
                                         .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST,
                                         .colour_format = colour_format,
                                     });
    vkDestroyPipeline(gpu.device, pipeline, NULL);

    const VkShaderModule vertex = vertex_module();
    const VkShaderModule fragment = shader_init(&gpu, colour_frag, sizeof(colour_frag));
    const VkPipelineShaderStageCreateInfo stages[] = {
        stage_of(VK_SHADER_STAGE_VERTEX_BIT, vertex),
        stage_of(VK_SHADER_STAGE_FRAGMENT_BIT, fragment),
    };
    const VkPipelineColorBlendStateCreateInfo blend = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
        .attachmentCount = 2,
        .pAttachments = (const VkPipelineColorBlendAttachmentState[]){{.colorWriteMask = 15},
                                                                      {.colorWriteMask = 15}},
    };
    VkPipeline with_pass;
    must(vkCreateGraphicsPipelines(
        gpu.device, VK_NULL_HANDLE, 1,
        &(VkGraphicsPipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
            .stageCount = 2,
            .pStages = stages,
            .pVertexInputState = &no_vertex_input,
            .pInputAssemblyState = &triangles,
            .pViewportState =
                &(VkPipelineViewportStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
                    .viewportCount = 1,
                    .pViewports = &(VkViewport){0, 0, 8, 8, 0, 1},
                    .scissorCount = 1,
                    .pScissors = &(VkRect2D){.extent = {8, 8}},
                },
            .pRasterizationState = &filled,
            .pMultisampleState = &one_sample,
            .pDepthStencilState = GARBAGE_POINTER, /* the subpass has no such attachment */
            .pColorBlendState = &blend,
            .pDynamicState = NULL,
            .layout = push_layout,
            .renderPass = pass,
        },
        NULL, &with_pass));
    vkDestroyPipeline(gpu.device, with_pass, NULL);
    vkDestroyShaderModule(gpu.device, fragment, NULL);
    vkDestroyShaderModule(gpu.device, vertex, NULL);
    vkDestroyRenderPass(gpu.device, pass, NULL);
}

/* Pools free what they have given out, and command buffers live through many recordings. */
static void test_command_pools(void)
{
    struct buffer words;
    buffer_init_host(&gpu, &words, 4096, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    const VkFence fence = create_fence();
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
        const VkPipeline pipeline = round % 10 ? VK_NULL_HANDLE : create_garnished_pipeline();
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

static VkPipelineLayout create_compute_layout(VkDescriptorSetLayout *set_layout)
{
    must(vkCreateDescriptorSetLayout(
        gpu.device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = 2,
            .pBindings =
                (const VkDescriptorSetLayoutBinding[]){
                    {0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL},
                    {1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL},
                },
        },
        NULL, set_layout));
    return pipeline_layout_init(&gpu, set_layout, VK_SHADER_STAGE_COMPUTE_BIT, 12);
}

static void test_pipeline_cache(void)
{
    VkDescriptorSetLayout set_layout;
    const VkPipelineLayout layout = create_compute_layout(&set_layout);
    VkPipelineCache cache;
    must(vkCreatePipelineCache(gpu.device,
                               &(VkPipelineCacheCreateInfo){
                                   .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
                                   .initialDataSize = 0,
                                   .pInitialData = GARBAGE_POINTER,
                               },
                               NULL, &cache));

    /* Two pipelines in one call, each with feedback. */
    const VkShaderModule modules[] = {
        shader_init(&gpu, mix_comp, sizeof(mix_comp)),
        shader_init(&gpu, sum_comp, sizeof(sum_comp)),
    };
    const uint32_t group_size = 64;
    const VkSpecializationMapEntry entry = {0, 0, sizeof(group_size)};
    const VkSpecializationInfo specialization = {1, &entry, sizeof(group_size), &group_size};
    const VkSpecializationInfo nothing_special = {0, GARBAGE_POINTER, 0, GARBAGE_POINTER};
    VkPipelineCreationFeedback feedback[2], stage_feedback[2];
    memset(feedback, 0xee, sizeof(feedback));
    memset(stage_feedback, 0xee, sizeof(stage_feedback));
    VkPipelineCreationFeedbackCreateInfo feedback_info[2];
    VkComputePipelineCreateInfo infos[2];
    for (uint32_t i = 0; i < 2; i++) {
        feedback_info[i] = (VkPipelineCreationFeedbackCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_CREATION_FEEDBACK_CREATE_INFO,
            .pPipelineCreationFeedback = &feedback[i],
            .pipelineStageCreationFeedbackCount = 1,
            .pPipelineStageCreationFeedbacks = &stage_feedback[i],
        };
        infos[i] = (VkComputePipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
            .pNext = &feedback_info[i],
            .stage = stage_of(VK_SHADER_STAGE_COMPUTE_BIT, modules[i]),
            .layout = layout,
            .basePipelineHandle = (VkPipeline)GARBAGE_HANDLE,
            .basePipelineIndex = 77,
        };
    }
    infos[0].stage.pSpecializationInfo = &nothing_special;
    infos[1].stage.pSpecializationInfo = &specialization;
    VkPipeline pipelines[2];
    must(vkCreateComputePipelines(gpu.device, cache, 2, infos, NULL, pipelines));
    expect(pipelines[0] && pipelines[1] && pipelines[0] != pipelines[1],
           "two pipelines, one handle");
    for (uint32_t i = 0; i < 2; i++)
        expect(!(feedback[i].flags & ~(VkPipelineCreationFeedbackFlags)7),
               "the feedback's flags are %#x", feedback[i].flags);

    size_t size = 0;
    must(vkGetPipelineCacheData(gpu.device, cache, &size, NULL));
    expect(size >= sizeof(VkPipelineCacheHeaderVersionOne), "the cache has %zu bytes", size);
    uint8_t *data = malloc(size);
    must(vkGetPipelineCacheData(gpu.device, cache, &size, data));
    VkPipelineCacheHeaderVersionOne header;
    memcpy(&header, data, sizeof(header));
    expect(header.headerVersion == VK_PIPELINE_CACHE_HEADER_VERSION_ONE &&
               header.vendorID == gpu.properties.vendorID &&
               header.deviceID == gpu.properties.deviceID &&
               memcmp(header.pipelineCacheUUID, gpu.properties.pipelineCacheUUID, VK_UUID_SIZE) ==
                   0,
           "the cache's header is not the device's");
    size_t few = sizeof(header) - 1;
    memset(data, 0xee, size);
    must_be(VK_INCOMPLETE, vkGetPipelineCacheData(gpu.device, cache, &few, data));
    expect(few == 0 && data[0] == 0xee, "a header that did not fit was written (%zu bytes)", few);

    /* The data of one cache begins another, and caches can be merged. */
    size_t again = size;
    must(vkGetPipelineCacheData(gpu.device, cache, &again, data));
    VkPipelineCache second;
    must(vkCreatePipelineCache(gpu.device,
                               &(VkPipelineCacheCreateInfo){
                                   .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
                                   .initialDataSize = again,
                                   .pInitialData = data,
                               },
                               NULL, &second));
    must(vkMergePipelineCaches(gpu.device, cache, 1, &second));
    vkDestroyPipelineCache(gpu.device, second, NULL);
    free(data);

    /* A pipeline may be refused when it is not in the cache, and then there is no handle. */
    infos[1].flags = VK_PIPELINE_CREATE_FAIL_ON_PIPELINE_COMPILE_REQUIRED_BIT;
    VkPipeline refused = (VkPipeline)GARBAGE_HANDLE;
    const VkResult result =
        vkCreateComputePipelines(gpu.device, cache, 1, &infos[1], NULL, &refused);
    expect(result == VK_SUCCESS || (result == VK_PIPELINE_COMPILE_REQUIRED && !refused),
           "it gave %s with handle %p", result_name(result), (void *)refused);
    vkDestroyPipeline(gpu.device, refused, NULL);

    for (uint32_t i = 0; i < 2; i++) {
        vkDestroyPipeline(gpu.device, pipelines[i], NULL);
        vkDestroyShaderModule(gpu.device, modules[i], NULL);
    }
    vkDestroyPipelineCache(gpu.device, cache, NULL);
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, set_layout, NULL);
}

static void test_private_data(void)
{
    enum {
        COUNT = 3
    };
    VkPrivateDataSlot slots[COUNT];
    for (uint32_t i = 0; i < COUNT; i++)
        must(vkCreatePrivateDataSlot(gpu.device,
                                     &(VkPrivateDataSlotCreateInfo){
                                         .sType = VK_STRUCTURE_TYPE_PRIVATE_DATA_SLOT_CREATE_INFO,
                                     },
                                     NULL, &slots[i]));
    struct buffer buffer;
    buffer_init_host(&gpu, &buffer, 64, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    const uint64_t handles[] = {(uint64_t)buffer.handle, (uint64_t)buffer.memory,
                                (uint64_t)(uintptr_t)gpu.device, (uint64_t)(uintptr_t)gpu.queue};
    const VkObjectType types[] = {VK_OBJECT_TYPE_BUFFER, VK_OBJECT_TYPE_DEVICE_MEMORY,
                                  VK_OBJECT_TYPE_DEVICE, VK_OBJECT_TYPE_QUEUE};
    for (uint32_t i = 0; i < ARRAY_SIZE(handles); i++) {
        uint64_t value = 1;
        vkGetPrivateData(gpu.device, types[i], handles[i], slots[1], &value);
        expect(value == 0, "private data begins with %" PRIu64, value);
        for (uint32_t slot = 0; slot < COUNT; slot++)
            must(vkSetPrivateData(gpu.device, types[i], handles[i], slots[slot],
                                  (UINT64_C(1) << 60) + i * 10 + slot));
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(handles); i++) {
        for (uint32_t slot = 0; slot < COUNT; slot++) {
            uint64_t value = 0;
            vkGetPrivateData(gpu.device, types[i], handles[i], slots[slot], &value);
            expect(value == (UINT64_C(1) << 60) + i * 10 + slot, "slot %u of object %u: %" PRIu64,
                   slot, i, value);
        }
    }
    buffer_finish(&gpu, &buffer);
    for (uint32_t i = 0; i < COUNT; i++)
        vkDestroyPrivateDataSlot(gpu.device, slots[i], NULL);
}

/* Names and labels pass by, whatever kind of object they are for. */
static void test_debug_utils(void)
{
    const PFN_vkSetDebugUtilsObjectNameEXT set_name =
        (PFN_vkSetDebugUtilsObjectNameEXT)vkGetInstanceProcAddr(gpu.instance,
                                                                "vkSetDebugUtilsObjectNameEXT");
    const PFN_vkSetDebugUtilsObjectTagEXT set_tag =
        (PFN_vkSetDebugUtilsObjectTagEXT)vkGetInstanceProcAddr(gpu.instance,
                                                               "vkSetDebugUtilsObjectTagEXT");
    const PFN_vkCmdBeginDebugUtilsLabelEXT begin_label =
        (PFN_vkCmdBeginDebugUtilsLabelEXT)vkGetInstanceProcAddr(gpu.instance,
                                                                "vkCmdBeginDebugUtilsLabelEXT");
    const PFN_vkCmdInsertDebugUtilsLabelEXT insert_label =
        (PFN_vkCmdInsertDebugUtilsLabelEXT)vkGetInstanceProcAddr(gpu.instance,
                                                                 "vkCmdInsertDebugUtilsLabelEXT");
    const PFN_vkCmdEndDebugUtilsLabelEXT end_label =
        (PFN_vkCmdEndDebugUtilsLabelEXT)vkGetInstanceProcAddr(gpu.instance,
                                                              "vkCmdEndDebugUtilsLabelEXT");
    const PFN_vkQueueBeginDebugUtilsLabelEXT queue_begin =
        (PFN_vkQueueBeginDebugUtilsLabelEXT)vkGetInstanceProcAddr(gpu.instance,
                                                                  "vkQueueBeginDebugUtilsLabelEXT");
    const PFN_vkQueueEndDebugUtilsLabelEXT queue_end =
        (PFN_vkQueueEndDebugUtilsLabelEXT)vkGetInstanceProcAddr(gpu.instance,
                                                                "vkQueueEndDebugUtilsLabelEXT");
    expect(set_name && set_tag && begin_label && insert_label && end_label && queue_begin &&
               queue_end,
           "VK_EXT_debug_utils is there without its commands");

    struct buffer buffer;
    buffer_init_host(&gpu, &buffer, 64, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    const VkFence fence = create_fence();
    const VkCommandBuffer commands = commands_begin(&gpu);
    const struct {
        VkObjectType type;
        uint64_t handle;
    } objects[] = {
        {VK_OBJECT_TYPE_BUFFER, (uint64_t)buffer.handle},
        {VK_OBJECT_TYPE_DEVICE_MEMORY, (uint64_t)buffer.memory},
        {VK_OBJECT_TYPE_FENCE, (uint64_t)fence},
        {VK_OBJECT_TYPE_COMMAND_POOL, (uint64_t)gpu.pool},
        {VK_OBJECT_TYPE_COMMAND_BUFFER, (uint64_t)(uintptr_t)commands},
        {VK_OBJECT_TYPE_QUEUE, (uint64_t)(uintptr_t)gpu.queue},
        {VK_OBJECT_TYPE_DEVICE, (uint64_t)(uintptr_t)gpu.device},
        {VK_OBJECT_TYPE_PIPELINE_LAYOUT, (uint64_t)push_layout},
    };
    for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
        must(set_name(gpu.device, &(VkDebugUtilsObjectNameInfoEXT){
                                      .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT,
                                      .objectType = objects[i].type,
                                      .objectHandle = objects[i].handle,
                                      .pObjectName = i % 2 ? NULL : "an object with a name",
                                  }));
        must(set_tag(gpu.device, &(VkDebugUtilsObjectTagInfoEXT){
                                     .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_TAG_INFO_EXT,
                                     .objectType = objects[i].type,
                                     .objectHandle = objects[i].handle,
                                     .tagName = 99,
                                     .tagSize = 5,
                                     .pTag = "12345",
                                 }));
    }
    const VkDebugUtilsLabelEXT label = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_LABEL_EXT,
        .pLabelName = "a label",
        .color = {1, 0, 0, 1},
    };
    queue_begin(gpu.queue, &label);
    begin_label(commands, &label);
    vkCmdFillBuffer(commands, buffer.handle, 0, VK_WHOLE_SIZE, 6);
    insert_label(commands, &label);
    end_label(commands);
    commands_finish(&gpu, commands);
    queue_end(gpu.queue);
    expect(((const uint32_t *)buffer.map)[0] == 6, "labels keep commands from being executed");
    vkDestroyFence(gpu.device, fence, NULL);
    buffer_finish(&gpu, &buffer);
}

/* Allocation callbacks: what is taken is given back, and with the same user data. */
struct allocations {
    _Atomic int64_t count;
    _Atomic uint64_t total;
    _Atomic int64_t fail_after; /* negative: never */
};

static void *callback_allocate(void *data, size_t size, size_t alignment,
                               VkSystemAllocationScope scope)
{
    (void)scope;
    struct allocations *allocations = data;
    if (size == 0)
        return NULL;
    if (atomic_load(&allocations->fail_after) >= 0 &&
        atomic_fetch_sub(&allocations->fail_after, 1) <= 0) {
        atomic_store(&allocations->fail_after, 0);
        return NULL;
    }
    /* The size stands in front, for callback_reallocate. */
    const size_t front = alignment > 16 ? alignment : 16;
    uint8_t *memory = aligned_alloc(front, (front + size + front - 1) / front * front);
    if (!memory)
        return NULL;
    memcpy(memory + front - 8, &(uint32_t){(uint32_t)front}, 4);
    memcpy(memory + front - 4, &(uint32_t){(uint32_t)size}, 4);
    atomic_fetch_add(&allocations->count, 1);
    atomic_fetch_add(&allocations->total, 1);
    return memory + front;
}

static void callback_free(void *data, void *memory)
{
    struct allocations *allocations = data;
    if (!memory)
        return;
    uint32_t front;
    memcpy(&front, (uint8_t *)memory - 8, 4);
    atomic_fetch_sub(&allocations->count, 1);
    free((uint8_t *)memory - front);
}

static void *callback_reallocate(void *data, void *original, size_t size, size_t alignment,
                                 VkSystemAllocationScope scope)
{
    if (size == 0) {
        callback_free(data, original);
        return NULL;
    }
    uint8_t *memory = callback_allocate(data, size, alignment, scope);
    if (memory && original) {
        uint32_t old_size;
        memcpy(&old_size, (uint8_t *)original - 4, 4);
        memcpy(memory, original, old_size < size ? old_size : size);
        callback_free(data, original);
    }
    return memory;
}

static void use_callbacks(const VkAllocationCallbacks *callbacks)
{
    VkFence fence;
    VkSemaphore semaphore;
    VkBuffer buffer;
    VkDeviceMemory memory;
    VkCommandPool pool;
    VkSampler sampler;
    must(vkCreateFence(gpu.device,
                       &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO},
                       callbacks, &fence));
    must(vkCreateSemaphore(
        gpu.device, &(VkSemaphoreCreateInfo){.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO},
        callbacks, &semaphore));
    must(vkCreateBuffer(gpu.device,
                        &(VkBufferCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                            .size = 4096,
                            .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                        },
                        callbacks, &buffer));
    must(vkAllocateMemory(gpu.device,
                          &(VkMemoryAllocateInfo){
                              .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                              .allocationSize = 4096,
                          },
                          callbacks, &memory));
    must(vkCreateCommandPool(gpu.device,
                             &(VkCommandPoolCreateInfo){
                                 .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                 .queueFamilyIndex = gpu.family,
                             },
                             callbacks, &pool));
    VkCommandBuffer commands[8];
    must(vkAllocateCommandBuffers(gpu.device,
                                  &(VkCommandBufferAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                      .commandPool = pool,
                                      .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                      .commandBufferCount = ARRAY_SIZE(commands),
                                  },
                                  commands));
    must(vkCreateSampler(gpu.device,
                         &(VkSamplerCreateInfo){.sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO},
                         callbacks, &sampler));
    vkDestroySampler(gpu.device, sampler, callbacks);
    vkDestroyCommandPool(gpu.device, pool, callbacks);
    vkFreeMemory(gpu.device, memory, callbacks);
    vkDestroyBuffer(gpu.device, buffer, callbacks);
    vkDestroySemaphore(gpu.device, semaphore, callbacks);
    vkDestroyFence(gpu.device, fence, callbacks);
}

static void test_allocation_callbacks(void)
{
    struct allocations allocations = {.fail_after = -1};
    const VkAllocationCallbacks callbacks = {
        .pUserData = &allocations,
        .pfnAllocation = callback_allocate,
        .pfnReallocation = callback_reallocate,
        .pfnFree = callback_free,
    };
    use_callbacks(&callbacks);
    expect(atomic_load(&allocations.count) == 0, "%" PRIi64 " allocations were not given back",
           atomic_load(&allocations.count));

    /* An instance and a device of their own, made and unmade with callbacks. */
    VkInstance instance;
    must(vkCreateInstance(
        &(VkInstanceCreateInfo){
            .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
            .pApplicationInfo =
                &(VkApplicationInfo){
                    .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                    .apiVersion = VK_API_VERSION_1_3,
                },
            .ppEnabledLayerNames = GARBAGE_POINTER,
            .ppEnabledExtensionNames = GARBAGE_POINTER,
        },
        &callbacks, &instance));
    VkPhysicalDevice physical;
    uint32_t count = 1;
    vkEnumeratePhysicalDevices(instance, &count, &physical);
    VkDevice device;
    must(vkCreateDevice(physical,
                        &(VkDeviceCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                            .queueCreateInfoCount = 1,
                            .pQueueCreateInfos =
                                &(VkDeviceQueueCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                    .queueFamilyIndex = gpu.family,
                                    .queueCount = 1,
                                    .pQueuePriorities = &(const float){0.5f},
                                },
                            .ppEnabledExtensionNames = GARBAGE_POINTER,
                        },
                        &callbacks, &device));
    vkDestroyDevice(device, &callbacks);
    vkDestroyInstance(instance, &callbacks);
    expect(atomic_load(&allocations.count) == 0, "%" PRIi64 " allocations were not given back",
           atomic_load(&allocations.count));

    /* The first, second, third, ... allocation fails: an error, or nobody asked for the memory. */
    for (int64_t nth = 0; nth < 4; nth++) {
        atomic_store(&allocations.fail_after, nth);
        VkFence fence = VK_NULL_HANDLE;
        const VkResult fence_result = vkCreateFence(
            gpu.device, &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO},
            &callbacks, &fence);
        VkCommandPool pool = VK_NULL_HANDLE;
        const VkResult pool_result =
            vkCreateCommandPool(gpu.device,
                                &(VkCommandPoolCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                    .queueFamilyIndex = gpu.family,
                                },
                                &callbacks, &pool);
        expect((fence_result == VK_SUCCESS || fence_result == VK_ERROR_OUT_OF_HOST_MEMORY) &&
                   (pool_result == VK_SUCCESS || pool_result == VK_ERROR_OUT_OF_HOST_MEMORY),
               "without memory, creation gave %s and %s", result_name(fence_result),
               result_name(pool_result));
        atomic_store(&allocations.fail_after, -1);
        if (fence_result == VK_SUCCESS)
            vkDestroyFence(gpu.device, fence, &callbacks);
        if (pool_result == VK_SUCCESS)
            vkDestroyCommandPool(gpu.device, pool, &callbacks);
        expect(atomic_load(&allocations.count) == 0, "%" PRIi64 " allocations were not given back",
               atomic_load(&allocations.count));
    }
}

/* Specialisation data whose entries are anywhere in it, with an entry the shader does not have. */
static void test_specialization(void)
{
    VkDescriptorSetLayout set_layout;
    const VkPipelineLayout layout = create_compute_layout(&set_layout);
    uint8_t data[64];
    memset(data, 0xee, sizeof(data));
    memcpy(data + 40, &(const uint32_t){32}, 4);
    memcpy(data + 7, &(const uint32_t){1}, 4); /* not aligned */
    memcpy(data + 60, &(const VkBool32){VK_TRUE}, 4);
    const VkSpecializationMapEntry entries[] = {
        {2, 60, sizeof(VkBool32)},
        {0, 40, sizeof(uint32_t)},
        {1, 7, sizeof(uint32_t)},
        {12345, 0, 8},
    };
    const VkPipeline pipeline = compute_pipeline_init(&gpu, layout, mix_comp, sizeof(mix_comp),
                                                      &(VkSpecializationInfo){
                                                          .mapEntryCount = ARRAY_SIZE(entries),
                                                          .pMapEntries = entries,
                                                          .dataSize = sizeof(data),
                                                          .pData = data,
                                                      });
    memset(data, 0, sizeof(data));

    enum {
        COUNT = 64
    };
    struct buffer buffers[2];
    for (int i = 0; i < 2; i++)
        buffer_init_host(&gpu, &buffers[i], COUNT * 4, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    for (uint32_t i = 0; i < COUNT; i++)
        ((uint32_t *)buffers[0].map)[i] = mix32(i);
    VkDescriptorPool pool;
    must(vkCreateDescriptorPool(
        gpu.device,
        &(VkDescriptorPoolCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .maxSets = 1,
            .poolSizeCount = 1,
            .pPoolSizes = &(VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 2},
        },
        NULL, &pool));
    VkDescriptorSet set;
    must(vkAllocateDescriptorSets(gpu.device,
                                  &(VkDescriptorSetAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                      .descriptorPool = pool,
                                      .descriptorSetCount = 1,
                                      .pSetLayouts = &set_layout,
                                  },
                                  &set));
    vkUpdateDescriptorSets(gpu.device, 1,
                           &(VkWriteDescriptorSet){
                               .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                               .dstSet = set,
                               .descriptorCount = 2,
                               .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                               .pImageInfo = GARBAGE_POINTER,
                               .pBufferInfo =
                                   (const VkDescriptorBufferInfo[]){
                                       {buffers[0].handle, 0, VK_WHOLE_SIZE},
                                       {buffers[1].handle, 0, VK_WHOLE_SIZE},
                                   },
                               .pTexelBufferView = GARBAGE_POINTER,
                           },
                           0, NULL);
    const uint32_t push[3] = {COUNT, 3, 5};
    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1, &set, 0,
                            GARBAGE_POINTER);
    vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(push), push);
    vkCmdDispatch(commands, COUNT / 32, 1, 1);
    memory_barrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                   VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    commands_finish(&gpu, commands);
    for (uint32_t i = 0; i < COUNT; i++) {
        const uint32_t value = mix32(i);
        const uint32_t wanted = ~(((value ^ (value >> 15)) * 3) ^ 5);
        const uint32_t got = ((const uint32_t *)buffers[1].map)[i];
        expect(got == wanted, "element %u is %#x, not %#x", i, got, wanted);
    }
    vkDestroyDescriptorPool(gpu.device, pool, NULL);
    for (int i = 0; i < 2; i++)
        buffer_finish(&gpu, &buffers[i]);
    vkDestroyPipeline(gpu.device, pipeline, NULL);
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, set_layout, NULL);
}

/* A pipeline put together from libraries. Each holds a part, and the pointers of all other parts
 * are ignored. */
static void test_pipeline_library(void)
{
    const VkShaderModule vertex = vertex_module();
    const VkShaderModule fragment = shader_init(&gpu, colour_frag, sizeof(colour_frag));
    const VkPipelineShaderStageCreateInfo stages[] = {
        stage_of(VK_SHADER_STAGE_VERTEX_BIT, vertex),
        stage_of(VK_SHADER_STAGE_FRAGMENT_BIT, fragment),
    };
    const VkPipelineViewportStateCreateInfo viewport = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
        .viewportCount = 1,
        .pViewports = &(VkViewport){0, 0, 8, 8, 0, 1},
        .scissorCount = 1,
        .pScissors = &(VkRect2D){.extent = {8, 8}},
    };
    const VkPipelineDepthStencilStateCreateInfo no_depth = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_DEPTH_STENCIL_STATE_CREATE_INFO,
    };
    const VkGraphicsPipelineLibraryFlagsEXT parts[4] = {
        VK_GRAPHICS_PIPELINE_LIBRARY_VERTEX_INPUT_INTERFACE_BIT_EXT,
        VK_GRAPHICS_PIPELINE_LIBRARY_PRE_RASTERIZATION_SHADERS_BIT_EXT,
        VK_GRAPHICS_PIPELINE_LIBRARY_FRAGMENT_SHADER_BIT_EXT,
        VK_GRAPHICS_PIPELINE_LIBRARY_FRAGMENT_OUTPUT_INTERFACE_BIT_EXT,
    };
    VkPipeline libraries[4];
    for (uint32_t i = 0; i < 4; i++) {
        const VkGraphicsPipelineLibraryCreateInfoEXT part = {
            .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_LIBRARY_CREATE_INFO_EXT,
            .pNext = &colour_rendering,
            .flags = parts[i],
        };
        VkGraphicsPipelineCreateInfo info = {
            .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
            .pNext = &part,
            .flags = VK_PIPELINE_CREATE_LIBRARY_BIT_KHR,
            .pVertexInputState = GARBAGE_POINTER,
            .pInputAssemblyState = GARBAGE_POINTER,
            .pTessellationState = GARBAGE_POINTER,
            .pViewportState = GARBAGE_POINTER,
            .pRasterizationState = GARBAGE_POINTER,
            .pMultisampleState = GARBAGE_POINTER,
            .pDepthStencilState = GARBAGE_POINTER,
            .pColorBlendState = GARBAGE_POINTER,
            .layout = push_layout,
        };
        switch (i) {
        case 0:
            info.pVertexInputState = &no_vertex_input;
            info.pInputAssemblyState = &triangles;
            break;
        case 1:
            info.stageCount = 1;
            info.pStages = &stages[0];
            info.pViewportState = &viewport;
            info.pRasterizationState = &filled;
            break;
        case 2:
            info.stageCount = 1;
            info.pStages = &stages[1];
            info.pMultisampleState = &one_sample;
            info.pDepthStencilState = &no_depth;
            break;
        case 3:
            info.pMultisampleState = &one_sample;
            info.pColorBlendState = &opaque;
            break;
        }
        must(vkCreateGraphicsPipelines(gpu.device, VK_NULL_HANDLE, 1, &info, NULL, &libraries[i]));
    }
    VkPipeline linked;
    must(vkCreateGraphicsPipelines(
        gpu.device, VK_NULL_HANDLE, 1,
        &(VkGraphicsPipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
            .pNext =
                &(VkPipelineLibraryCreateInfoKHR){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_LIBRARY_CREATE_INFO_KHR,
                    .libraryCount = 4,
                    .pLibraries = libraries,
                },
            .layout = push_layout,
        },
        NULL, &linked));
    vkDestroyPipeline(gpu.device, linked, NULL);
    for (uint32_t i = 0; i < 4; i++)
        vkDestroyPipeline(gpu.device, libraries[i], NULL);
    vkDestroyShaderModule(gpu.device, fragment, NULL);
    vkDestroyShaderModule(gpu.device, vertex, NULL);
}

static const struct test {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"VK_NULL_HANDLE everywhere", test_null_handles},
    {"counts of 0", test_zero_counts},
    {"exclusive sharing", test_sharing_mode},
    {"rasterizer discard", test_rasterizer_discard},
    {"render passes and pipelines", test_render_pass_against_rendering},
    {"imageless framebuffers", test_imageless_framebuffer},
    {"rendering with holes", test_rendering_with_holes},
    {"specialisation", test_specialization},
    {"pipeline caches and feedback", test_pipeline_cache},
    {"command pools", test_command_pools},
    {"destroyed while recorded", test_destroyed_while_recorded},
    {"handles used again", test_handle_reuse},
    {"private data", test_private_data},
    {"names and labels", test_debug_utils},
    {"allocation callbacks", test_allocation_callbacks},
};

/* objects [--libraries]: pipeline libraries alone, because the validation layer of Debian 12 reads
 * what they ignore and crashes. */
int main(int argc, char **argv)
{
    const bool libraries = argc == 2 && strcmp(argv[1], "--libraries") == 0;
    const char *const instance_extensions[] = {
        VK_KHR_SURFACE_EXTENSION_NAME,
        VK_EXT_DEBUG_UTILS_EXTENSION_NAME,
    };
    struct gpu_options options = {
        .name = "objects",
        .instance_extensions = instance_extensions,
        .instance_extension_count = ARRAY_SIZE(instance_extensions),
    };
    gpu_init_instance(&gpu, &options);
    uint32_t count = 1;
    vkEnumeratePhysicalDevices(gpu.instance, &count, &gpu.physical);
    expect(count == 1, "there is no Vulkan device");
    if (libraries &&
        !gpu_has_extension(gpu.physical, VK_EXT_GRAPHICS_PIPELINE_LIBRARY_EXTENSION_NAME)) {
        printf("objects: skipped, the device has no VK_EXT_graphics_pipeline_library\n");
        vkDestroyInstance(gpu.instance, NULL);
        return EXIT_SKIPPED;
    }

    VkPhysicalDeviceGraphicsPipelineLibraryFeaturesEXT library_features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_GRAPHICS_PIPELINE_LIBRARY_FEATURES_EXT,
        .graphicsPipelineLibrary = VK_TRUE,
    };
    VkPhysicalDeviceVulkan13Features features13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
        .pNext = libraries ? &library_features : NULL,
        .dynamicRendering = VK_TRUE,
        .synchronization2 = VK_TRUE,
        .privateData = VK_TRUE,
        .pipelineCreationCacheControl = VK_TRUE,
    };
    VkPhysicalDeviceVulkan12Features features12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .pNext = &features13,
        .imagelessFramebuffer = VK_TRUE,
    };
    const char *const device_extensions[] = {
        VK_KHR_SWAPCHAIN_EXTENSION_NAME,
        VK_KHR_PIPELINE_LIBRARY_EXTENSION_NAME,
        VK_EXT_GRAPHICS_PIPELINE_LIBRARY_EXTENSION_NAME,
    };
    options.features = &features12;
    options.device_extensions = device_extensions;
    options.device_extension_count = libraries ? 3 : 1;
    gpu_init_device(&gpu, &options);
    must(vkCreatePipelineLayout(
        gpu.device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .pSetLayouts = GARBAGE_POINTER,
            .pushConstantRangeCount = 1,
            .pPushConstantRanges =
                &(VkPushConstantRange){VK_SHADER_STAGE_VERTEX_BIT, 0, sizeof(uint32_t)},
        },
        NULL, &push_layout));
    if (libraries) {
        test_pipeline_library();
        printf("objects: pipeline libraries passed\n");
    } else {
        printf("objects:\n");
        for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
            section(tests[i].name);
            tests[i].run();
        }
        printf("objects: %zu tests passed\n", ARRAY_SIZE(tests));
    }
    vkDestroyPipelineLayout(gpu.device, push_layout, NULL);
    gpu_finish(&gpu);
    return 0;
}
