/* SPDX-License-Identifier: MIT
 *
 * Graphics pipelines in which states are dynamic, ignored or absent.
 */
#include "shapes.h"

#include <stdlib.h>
#include <string.h>

#include "colour_frag.h"
#include "picture.h"
#include "square_mesh.h"
#include "triangle_vert.h"

static const VkExtent2D extent = {16, 16};
static const VkFormat colour_format = VK_FORMAT_R8G8B8A8_UNORM;

/* With a mesh or a vertex shader, and garbage wherever such a pipeline has no state of its own. */
static VkPipeline create_pipeline(VkPipelineLayout layout, VkShaderStageFlagBits first_stage,
                                  struct shader_code first, VkSampleCountFlagBits samples)
{
    const VkShaderModule modules[] = {
        shader_init(&gpu, first.words, first.size),
        shader_init(&gpu, colour_frag, sizeof(colour_frag)),
    };
    const bool mesh = first_stage == VK_SHADER_STAGE_MESH_BIT_EXT;
    const VkPipelineInputAssemblyStateCreateInfo assembly = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO,
        .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST,
    };
    VkPipeline pipeline;
    must(vkCreateGraphicsPipelines(
        gpu.device, VK_NULL_HANDLE, 1,
        &(VkGraphicsPipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
            .pNext =
                &(VkPipelineRenderingCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_RENDERING_CREATE_INFO,
                    .colorAttachmentCount = 1,
                    .pColorAttachmentFormats = &colour_format,
                },
            .stageCount = 2,
            .pStages =
                (const VkPipelineShaderStageCreateInfo[]){
                    {
                        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                        .stage = first_stage,
                        .module = modules[0],
                        .pName = "main",
                    },
                    {
                        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                        .stage = VK_SHADER_STAGE_FRAGMENT_BIT,
                        .module = modules[1],
                        .pName = "main",
                    },
                },
            /* Dynamic, or of a kind of pipeline that has none. */
            .pVertexInputState = GARBAGE_POINTER,
            .pInputAssemblyState = mesh ? GARBAGE_POINTER : &assembly,
            .pTessellationState = GARBAGE_POINTER,
            .pViewportState =
                &(VkPipelineViewportStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
                    .viewportCount = 1,
                    .pViewports = GARBAGE_POINTER,
                    .scissorCount = 1,
                    .pScissors = GARBAGE_POINTER,
                },
            .pRasterizationState =
                &(VkPipelineRasterizationStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
                    .lineWidth = 1.0f,
                },
            .pMultisampleState =
                &(VkPipelineMultisampleStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
                    .rasterizationSamples = samples,
                    .pSampleMask = &(const VkSampleMask){1}, /* the first one alone */
                },
            .pDepthStencilState = GARBAGE_POINTER, /* no such attachment */
            .pColorBlendState =
                &(VkPipelineColorBlendStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
                    .attachmentCount = 1,
                    .pAttachments = &(VkPipelineColorBlendAttachmentState){.colorWriteMask = 15},
                },
            .pDynamicState =
                &(VkPipelineDynamicStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_DYNAMIC_STATE_CREATE_INFO,
                    .dynamicStateCount = mesh ? 2 : 3,
                    .pDynamicStates =
                        (const VkDynamicState[]){
                            VK_DYNAMIC_STATE_VIEWPORT,
                            VK_DYNAMIC_STATE_SCISSOR,
                            VK_DYNAMIC_STATE_VERTEX_INPUT_EXT,
                        },
                },
            .layout = layout,
        },
        NULL, &pipeline));
    vkDestroyShaderModule(gpu.device, modules[0], NULL);
    vkDestroyShaderModule(gpu.device, modules[1], NULL);
    return pipeline;
}

static const VkImageSubresourceRange whole = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};
static const struct image_use use_nothing = {VK_IMAGE_LAYOUT_UNDEFINED,
                                             VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, 0};
static const struct image_use use_colour = {VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                                            VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
                                            VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT};
static const struct image_use use_copy = {VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                                          VK_PIPELINE_STAGE_TRANSFER_BIT,
                                          VK_ACCESS_TRANSFER_READ_BIT};

/* Draws into black and expects this red in the middle of the left half, and black on the right. */
static void draw_and_check(VkPipeline pipeline, VkSampleCountFlagBits samples,
                           void (*draw)(VkCommandBuffer commands), uint8_t red, const char *what)
{
    struct image target, resolved = {0};
    image_init(&gpu, &target,
               &(struct image_options){
                   .format = colour_format,
                   .extent = extent,
                   .samples = samples,
                   .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
               });
    const bool resolves = samples != VK_SAMPLE_COUNT_1_BIT;
    if (resolves)
        image_init(
            &gpu, &resolved,
            &(struct image_options){
                .format = colour_format,
                .extent = extent,
                .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
            });
    const struct image *result = resolves ? &resolved : &target;
    const VkCommandBuffer commands = commands_begin(&gpu);
    image_barrier(commands, target.handle, &whole, &use_nothing, &use_colour);
    if (resolves)
        image_barrier(commands, resolved.handle, &whole, &use_nothing, &use_colour);
    vkCmdBeginRendering(
        commands,
        &(VkRenderingInfo){
            .sType = VK_STRUCTURE_TYPE_RENDERING_INFO,
            .renderArea = {.extent = extent},
            .layerCount = 1,
            .colorAttachmentCount = 1,
            .pColorAttachments =
                &(VkRenderingAttachmentInfo){
                    .sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
                    .imageView = target.view,
                    .imageLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                    .resolveMode = resolves ? VK_RESOLVE_MODE_AVERAGE_BIT : VK_RESOLVE_MODE_NONE,
                    .resolveImageView = resolved.view,
                    .resolveImageLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                    .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
                    .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
                },
        });
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
    set_viewport(commands, extent);
    draw(commands);
    vkCmdEndRendering(commands);
    image_barrier(commands, result->handle, &whole, &use_colour, &use_copy);
    commands_finish(&gpu, commands);
    struct picture picture;
    picture_init_from_image(&gpu, &picture, result->handle, colour_format, extent);
    const uint8_t *left = picture.pixels + (8 * 16 + 4) * 4, *right = left + 8 * 4;
    expect(abs(left[0] - red) <= 1 && right[0] == 0, "%s: red is %u and %u instead of %u and 0",
           what, left[0], right[0], red);
    picture_finish(&picture);
    if (resolves)
        image_finish(&gpu, &resolved);
    image_finish(&gpu, &target);
}

static struct buffer vertices;

static void set_vertex_input(VkCommandBuffer commands)
{
    LOAD(vkCmdSetVertexInputEXT);
    vkCmdSetVertexInputEXT_(
        commands, 2,
        (const VkVertexInputBindingDescription2EXT[]){
            {
                .sType = VK_STRUCTURE_TYPE_VERTEX_INPUT_BINDING_DESCRIPTION_2_EXT,
                .binding = 0,
                .stride = 8,
                .divisor = 1,
            },
            {
                .sType = VK_STRUCTURE_TYPE_VERTEX_INPUT_BINDING_DESCRIPTION_2_EXT,
                .binding = 1,
                .stride = 12,
                .divisor = 1,
            },
        },
        2,
        (const VkVertexInputAttributeDescription2EXT[]){
            {
                .sType = VK_STRUCTURE_TYPE_VERTEX_INPUT_ATTRIBUTE_DESCRIPTION_2_EXT,
                .location = 0,
                .binding = 0,
                .format = VK_FORMAT_R32G32_SFLOAT,
            },
            {
                .sType = VK_STRUCTURE_TYPE_VERTEX_INPUT_ATTRIBUTE_DESCRIPTION_2_EXT,
                .location = 1,
                .binding = 1,
                .format = VK_FORMAT_R32G32B32_SFLOAT,
            },
        });
}

static void draw_bound(VkCommandBuffer commands)
{
    set_vertex_input(commands);
    /* Sizes and strides are optional. */
    vkCmdBindVertexBuffers2(commands, 0, 2, (const VkBuffer[]){vertices.handle, vertices.handle},
                            (const VkDeviceSize[]){0, 48}, NULL, NULL);
    vkCmdDraw(commands, 6, 1, 0, 0);
}

static void draw_without_colours(VkCommandBuffer commands)
{
    set_vertex_input(commands);
    vkCmdBindVertexBuffers(commands, 0, 2, (const VkBuffer[]){vertices.handle, VK_NULL_HANDLE},
                           (const VkDeviceSize[]){0, 0});
    vkCmdDraw(commands, 6, 1, 0, 0);
}

void shapes_vertex_input(void)
{
    static const float data[] = {
        -1, -1, 0, -1, -1, 1, -1, 1, 0, -1, 0, 1,                   /* places: the left half */
        1,  0,  0, 1,  0,  0, 1,  0, 0, 1,  0, 0, 1, 0, 0, 1, 0, 0, /* red */
    };
    buffer_init_host(&gpu, &vertices, sizeof(data), VK_BUFFER_USAGE_VERTEX_BUFFER_BIT);
    memcpy(vertices.map, data, sizeof(data));
    const struct shader_code code = {triangle_vert, sizeof(triangle_vert)};
    const VkPipelineLayout layout = shapes_create_layout(0, NULL);
    const VkPipeline one =
        create_pipeline(layout, VK_SHADER_STAGE_VERTEX_BIT, code, VK_SAMPLE_COUNT_1_BIT);
    const VkPipeline four =
        create_pipeline(layout, VK_SHADER_STAGE_VERTEX_BIT, code, VK_SAMPLE_COUNT_4_BIT);
    draw_and_check(one, VK_SAMPLE_COUNT_1_BIT, draw_bound, 255, "dynamic vertex input");
    draw_and_check(one, VK_SAMPLE_COUNT_1_BIT, draw_without_colours, 0, "no buffer");
    draw_and_check(four, VK_SAMPLE_COUNT_4_BIT, draw_bound, 64, "one sample of four");
    vkDestroyPipeline(gpu.device, one, NULL);
    vkDestroyPipeline(gpu.device, four, NULL);
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
    buffer_finish(&gpu, &vertices);
}

static void draw_mesh(VkCommandBuffer commands)
{
    LOAD(vkCmdDrawMeshTasksEXT);
    vkCmdDrawMeshTasksEXT_(commands, 1, 1, 1);
}

void shapes_mesh(void)
{
    const VkPipelineLayout layout = shapes_create_layout(0, NULL);
    const VkPipeline pipeline = create_pipeline(
        layout, VK_SHADER_STAGE_MESH_BIT_EXT,
        (struct shader_code){square_mesh, sizeof(square_mesh)}, VK_SAMPLE_COUNT_1_BIT);
    draw_and_check(pipeline, VK_SAMPLE_COUNT_1_BIT, draw_mesh, 255, "a mesh");
    vkDestroyPipeline(gpu.device, pipeline, NULL);
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
}
