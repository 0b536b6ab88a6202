/* SPDX-License-Identifier: MIT
 *
 * What the specification says is ignored may hold anything: garbage stands there.
 */
#include "common.h"

#include <stdio.h>
#include <string.h>

#include "colour_frag.h"
#include "frame_vert.h"
#include "picture.h"

static const VkFormat colour_format = VK_FORMAT_R8G8B8A8_UNORM;

static struct gpu gpu;
static VkPipelineLayout push_layout; /* one push constant for vertex shaders */

/* With a count of 0 the pointer beside it means nothing. */
static void test_zero_counts(void)
{
    const VkFence fence = fence_create(&gpu, 0);
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

static const struct program_part parts[] = {
    {"counts of 0", test_zero_counts},
    {"exclusive sharing", test_sharing_mode},
    {"rasterizer discard", test_rasterizer_discard},
    {"render passes and pipelines", test_render_pass_against_rendering},
    {"imageless framebuffers", test_imageless_framebuffer},
    {"rendering with holes", test_rendering_with_holes},
};

/* ignored [--libraries]: pipeline libraries alone, because the validation layer of Debian 12 reads
 * what they ignore and crashes. */
int main(int argc, char **argv)
{
    const bool libraries = argc == 2 && strcmp(argv[1], "--libraries") == 0;
    struct gpu_options options = {.name = "ignored"};
    gpu_init_instance(&gpu, &options);
    uint32_t count = 1;
    vkEnumeratePhysicalDevices(gpu.instance, &count, &gpu.physical);
    expect(count == 1, "there is no Vulkan device");
    if (libraries &&
        !gpu_has_extension(gpu.physical, VK_EXT_GRAPHICS_PIPELINE_LIBRARY_EXTENSION_NAME)) {
        printf("ignored: skipped, the device has no VK_EXT_graphics_pipeline_library\n");
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
    };
    VkPhysicalDeviceVulkan12Features features12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .pNext = &features13,
        .imagelessFramebuffer = VK_TRUE,
    };
    const char *const device_extensions[] = {
        VK_KHR_PIPELINE_LIBRARY_EXTENSION_NAME,
        VK_EXT_GRAPHICS_PIPELINE_LIBRARY_EXTENSION_NAME,
    };
    options.features = &features12;
    options.device_extensions = device_extensions;
    options.device_extension_count = libraries ? 2 : 0;
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
        printf("ignored: pipeline libraries passed\n");
    } else {
        run_parts("ignored", parts, ARRAY_SIZE(parts));
    }
    vkDestroyPipelineLayout(gpu.device, push_layout, NULL);
    gpu_finish(&gpu);
    return 0;
}
