/* SPDX-License-Identifier: MIT */
#include "recording.h"

#include "common.h"

VkDescriptorSetLayout set_layout_of_two(const struct gpu *gpu, VkDescriptorType first,
                                        VkDescriptorType second, VkShaderStageFlags stages)
{
    VkDescriptorSetLayout layout;
    must(vkCreateDescriptorSetLayout(
        gpu->device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = 2,
            .pBindings =
                (const VkDescriptorSetLayoutBinding[]){
                    {0, first, 1, stages, NULL},
                    {1, second, 1, stages, NULL},
                },
        },
        NULL, &layout));
    return layout;
}

VkPipelineLayout pipeline_layout_init(const struct gpu *gpu, const VkDescriptorSetLayout *set,
                                      VkShaderStageFlags stages, uint32_t push_size)
{
    VkPipelineLayout layout;
    must(vkCreatePipelineLayout(
        gpu->device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .setLayoutCount = set != NULL,
            .pSetLayouts = set,
            .pushConstantRangeCount = push_size > 0,
            .pPushConstantRanges = &(VkPushConstantRange){.stageFlags = stages, .size = push_size},
        },
        NULL, &layout));
    return layout;
}

VkShaderModule shader_init(const struct gpu *gpu, const uint32_t *code, size_t size)
{
    VkShaderModule module;
    must(vkCreateShaderModule(gpu->device,
                              &(VkShaderModuleCreateInfo){
                                  .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                  .codeSize = size,
                                  .pCode = code,
                              },
                              NULL, &module));
    return module;
}

VkPipelineShaderStageCreateInfo stage_of(VkShaderStageFlagBits stage, VkShaderModule module)
{
    return (VkPipelineShaderStageCreateInfo){
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
        .stage = stage,
        .module = module,
        .pName = "main",
    };
}

VkPipeline compute_pipeline_init(const struct gpu *gpu, VkPipelineLayout layout,
                                 const uint32_t *code, size_t size,
                                 const VkSpecializationInfo *specialization)
{
    const VkShaderModule module = shader_init(gpu, code, size);
    VkPipeline pipeline;
    must(vkCreateComputePipelines(
        gpu->device, VK_NULL_HANDLE, 1,
        &(VkComputePipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
            .stage =
                {
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                    .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                    .module = module,
                    .pName = "main",
                    .pSpecializationInfo = specialization,
                },
            .layout = layout,
        },
        NULL, &pipeline));
    vkDestroyShaderModule(gpu->device, module, NULL);
    return pipeline;
}

VkPipeline graphics_pipeline_init(const struct gpu *gpu, const struct graphics_options *options)
{
    const VkShaderModule vertex = shader_init(gpu, options->vertex.words, options->vertex.size);
    const VkShaderModule fragment =
        shader_init(gpu, options->fragment.words, options->fragment.size);
    const VkBool32 tests_depth = options->depth_format != VK_FORMAT_UNDEFINED;
    const VkPipelineRenderingCreateInfo rendering = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_RENDERING_CREATE_INFO,
        .colorAttachmentCount = 1,
        .pColorAttachmentFormats = &options->colour_format,
        .depthAttachmentFormat = options->depth_format,
    };
    const VkPipelineVertexInputStateCreateInfo no_vertex_input = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO,
    };
    VkPipeline pipeline;
    must(vkCreateGraphicsPipelines(
        gpu->device, VK_NULL_HANDLE, 1,
        &(VkGraphicsPipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
            .pNext = options->render_pass ? NULL : &rendering,
            .flags = options->flags,
            .stageCount = 2,
            .pStages =
                (const VkPipelineShaderStageCreateInfo[]){
                    {
                        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                        .stage = options->first_stage ? options->first_stage
                                                      : VK_SHADER_STAGE_VERTEX_BIT,
                        .module = vertex,
                        .pName = "main",
                    },
                    {
                        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                        .stage = VK_SHADER_STAGE_FRAGMENT_BIT,
                        .module = fragment,
                        .pName = "main",
                    },
                },
            .pVertexInputState = options->vertex_input ? options->vertex_input : &no_vertex_input,
            .pInputAssemblyState =
                &(VkPipelineInputAssemblyStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO,
                    .topology = options->topology,
                },
            .pViewportState =
                &(VkPipelineViewportStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
                    .viewportCount = 1,
                    .scissorCount = 1,
                },
            .pRasterizationState =
                &(VkPipelineRasterizationStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
                    .cullMode = options->cull,
                    .frontFace = VK_FRONT_FACE_COUNTER_CLOCKWISE,
                    .lineWidth = 1.0f,
                },
            .pMultisampleState =
                &(VkPipelineMultisampleStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
                    .rasterizationSamples =
                        options->samples ? options->samples : VK_SAMPLE_COUNT_1_BIT,
                },
            .pDepthStencilState =
                &(VkPipelineDepthStencilStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_DEPTH_STENCIL_STATE_CREATE_INFO,
                    .depthTestEnable = tests_depth,
                    .depthWriteEnable = tests_depth,
                    .depthCompareOp = VK_COMPARE_OP_LESS,
                },
            .pColorBlendState =
                &(VkPipelineColorBlendStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
                    .attachmentCount = 1,
                    .pAttachments =
                        &(VkPipelineColorBlendAttachmentState){
                            .colorWriteMask = VK_COLOR_COMPONENT_R_BIT | VK_COLOR_COMPONENT_G_BIT |
                                              VK_COLOR_COMPONENT_B_BIT | VK_COLOR_COMPONENT_A_BIT,
                        },
                },
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
            .layout = options->layout,
            .renderPass = options->render_pass,
        },
        NULL, &pipeline));
    vkDestroyShaderModule(gpu->device, vertex, NULL);
    vkDestroyShaderModule(gpu->device, fragment, NULL);
    return pipeline;
}

void set_viewport(VkCommandBuffer commands, VkExtent2D extent)
{
    vkCmdSetViewport(commands, 0, 1,
                     &(VkViewport){
                         .width = (float)extent.width,
                         .height = (float)extent.height,
                         .maxDepth = 1.0f,
                     });
    vkCmdSetScissor(commands, 0, 1, &(VkRect2D){.extent = extent});
}

VkFence fence_create(const struct gpu *gpu, VkFenceCreateFlags flags)
{
    VkFence fence;
    must(vkCreateFence(
        gpu->device,
        &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO, .flags = flags}, NULL,
        &fence));
    return fence;
}

VkCommandBuffer commands_begin(const struct gpu *gpu)
{
    VkCommandBuffer commands;
    must(vkAllocateCommandBuffers(gpu->device,
                                  &(VkCommandBufferAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                      .commandPool = gpu->pool,
                                      .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                      .commandBufferCount = 1,
                                  },
                                  &commands));
    must(vkBeginCommandBuffer(commands, &(VkCommandBufferBeginInfo){
                                            .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
                                        }));
    return commands;
}

void commands_end(VkCommandBuffer commands)
{
    must(vkEndCommandBuffer(commands));
}

void commands_submit(const struct gpu *gpu, VkCommandBuffer commands, VkFence fence)
{
    must(vkQueueSubmit(gpu->queue, 1,
                       &(VkSubmitInfo){
                           .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                           .commandBufferCount = 1,
                           .pCommandBuffers = &commands,
                       },
                       fence));
}

void commands_finish(const struct gpu *gpu, VkCommandBuffer commands)
{
    commands_end(commands);
    VkFence fence;
    must(vkCreateFence(gpu->device,
                       &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO}, NULL,
                       &fence));
    commands_submit(gpu, commands, fence);
    must(vkWaitForFences(gpu->device, 1, &fence, VK_TRUE, LONG_NS));
    vkDestroyFence(gpu->device, fence, NULL);
    vkFreeCommandBuffers(gpu->device, gpu->pool, 1, &commands);
}

void image_barrier(VkCommandBuffer commands, VkImage image, const VkImageSubresourceRange *range,
                   const struct image_use *from, const struct image_use *to)
{
    vkCmdPipelineBarrier(commands, from->stages, to->stages, 0, 0, NULL, 0, NULL, 1,
                         &(VkImageMemoryBarrier){
                             .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
                             .srcAccessMask = from->access,
                             .dstAccessMask = to->access,
                             .oldLayout = from->layout,
                             .newLayout = to->layout,
                             .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                             .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                             .image = image,
                             .subresourceRange = *range,
                         });
}

void memory_barrier(VkCommandBuffer commands, VkPipelineStageFlags from_stages,
                    VkAccessFlags from_access, VkPipelineStageFlags to_stages,
                    VkAccessFlags to_access)
{
    vkCmdPipelineBarrier(commands, from_stages, to_stages, 0, 1,
                         &(VkMemoryBarrier){
                             .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                             .srcAccessMask = from_access,
                             .dstAccessMask = to_access,
                         },
                         0, NULL, 0, NULL);
}
