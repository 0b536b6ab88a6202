/* SPDX-License-Identifier: MIT
 *
 * Off-screen pictures, the same on every run: scene triangle|textured|depth|multi OUT.png
 */
#include "common.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boxes_vert.h"
#include "colour_frag.h"
#include "picture.h"
#include "textured_frag.h"
#include "textured_vert.h"
#include "triangle_vert.h"

#define CODE(name) ((struct shader_code){name, sizeof(name)})

static const VkFormat colour_format = VK_FORMAT_R8G8B8A8_UNORM;
static const VkExtent2D extent = {320, 240};

static const struct image_use use_nothing = {
    VK_IMAGE_LAYOUT_UNDEFINED,
    VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT,
    0,
};
static const struct image_use use_copy_source = {
    VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
    VK_PIPELINE_STAGE_TRANSFER_BIT,
    VK_ACCESS_TRANSFER_READ_BIT,
};
static const struct image_use use_copy_target = {
    VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
    VK_PIPELINE_STAGE_TRANSFER_BIT,
    VK_ACCESS_TRANSFER_WRITE_BIT,
};
static const struct image_use use_sampled = {
    VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL,
    VK_PIPELINE_STAGE_FRAGMENT_SHADER_BIT,
    VK_ACCESS_SHADER_READ_BIT,
};
static const struct image_use use_colour = {
    VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
    VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
    VK_ACCESS_COLOR_ATTACHMENT_READ_BIT | VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT,
};
static const struct image_use use_depth = {
    VK_IMAGE_LAYOUT_DEPTH_STENCIL_ATTACHMENT_OPTIMAL,
    VK_PIPELINE_STAGE_EARLY_FRAGMENT_TESTS_BIT | VK_PIPELINE_STAGE_LATE_FRAGMENT_TESTS_BIT,
    VK_ACCESS_DEPTH_STENCIL_ATTACHMENT_READ_BIT | VK_ACCESS_DEPTH_STENCIL_ATTACHMENT_WRITE_BIT,
};
static const VkImageSubresourceRange whole_colour = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};

/* Column-major, like GLSL's. */
struct matrix {
    float m[16];
};

static struct matrix multiply(const struct matrix *a, const struct matrix *b)
{
    struct matrix product = {0};
    for (int column = 0; column < 4; column++) {
        for (int row = 0; row < 4; row++)
            for (int i = 0; i < 4; i++)
                product.m[column * 4 + row] += a->m[i * 4 + row] * b->m[column * 4 + i];
    }
    return product;
}

static struct matrix perspective(float near, float far)
{
    const float aspect = (float)extent.width / (float)extent.height;
    return (struct matrix){{
        [0] = 1.5f / aspect,
        [5] = 1.5f,
        [10] = far / (near - far),
        [11] = -1.0f,
        [14] = near * far / (near - far),
    }};
}

static struct matrix translation(float x, float y, float z)
{
    return (struct matrix){{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, x, y, z, 1}};
}

static struct matrix rotation_y(float angle)
{
    const float c = cosf(angle), s = sinf(angle);
    return (struct matrix){{c, 0, -s, 0, 0, 1, 0, 0, s, 0, c, 0, 0, 0, 0, 1}};
}

static struct matrix rotation_x(float angle)
{
    const float c = cosf(angle), s = sinf(angle);
    return (struct matrix){{1, 0, 0, 0, 0, c, s, 0, 0, -s, c, 0, 0, 0, 0, 1}};
}

/* The target of the scenes with a render pass. It ends ready to be copied. */
struct target {
    struct image image;
    VkRenderPass pass;
    VkFramebuffer framebuffer;
};

static void target_init(const struct gpu *gpu, struct target *target)
{
    image_init(gpu, &target->image,
               &(struct image_options){
                   .format = colour_format,
                   .extent = extent,
                   .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
               });
    must(vkCreateRenderPass(
        gpu->device,
        &(VkRenderPassCreateInfo){
            .sType = VK_STRUCTURE_TYPE_RENDER_PASS_CREATE_INFO,
            .attachmentCount = 1,
            .pAttachments =
                &(VkAttachmentDescription){
                    .format = colour_format,
                    .samples = VK_SAMPLE_COUNT_1_BIT,
                    .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
                    .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
                    .stencilLoadOp = VK_ATTACHMENT_LOAD_OP_DONT_CARE,
                    .stencilStoreOp = VK_ATTACHMENT_STORE_OP_DONT_CARE,
                    .initialLayout = VK_IMAGE_LAYOUT_UNDEFINED,
                    .finalLayout = VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                },
            .subpassCount = 1,
            .pSubpasses =
                &(VkSubpassDescription){
                    .pipelineBindPoint = VK_PIPELINE_BIND_POINT_GRAPHICS,
                    .colorAttachmentCount = 1,
                    .pColorAttachments =
                        &(VkAttachmentReference){
                            .layout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                        },
                },
            .dependencyCount = 1,
            .pDependencies =
                &(VkSubpassDependency){
                    .srcSubpass = 0,
                    .dstSubpass = VK_SUBPASS_EXTERNAL,
                    .srcStageMask = VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
                    .dstStageMask = VK_PIPELINE_STAGE_TRANSFER_BIT,
                    .srcAccessMask = VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT,
                    .dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT,
                },
        },
        NULL, &target->pass));
    must(vkCreateFramebuffer(gpu->device,
                             &(VkFramebufferCreateInfo){
                                 .sType = VK_STRUCTURE_TYPE_FRAMEBUFFER_CREATE_INFO,
                                 .renderPass = target->pass,
                                 .attachmentCount = 1,
                                 .pAttachments = &target->image.view,
                                 .width = extent.width,
                                 .height = extent.height,
                                 .layers = 1,
                             },
                             NULL, &target->framebuffer));
}

static void target_finish(const struct gpu *gpu, struct target *target)
{
    vkDestroyFramebuffer(gpu->device, target->framebuffer, NULL);
    vkDestroyRenderPass(gpu->device, target->pass, NULL);
    image_finish(gpu, &target->image);
}

static void target_begin(const struct target *target, VkCommandBuffer commands)
{
    vkCmdBeginRenderPass(commands,
                         &(VkRenderPassBeginInfo){
                             .sType = VK_STRUCTURE_TYPE_RENDER_PASS_BEGIN_INFO,
                             .renderPass = target->pass,
                             .framebuffer = target->framebuffer,
                             .renderArea = {.extent = extent},
                             .clearValueCount = 1,
                             .pClearValues = &(VkClearValue){.color = {{0.1f, 0.15f, 0.3f, 1.0f}}},
                         },
                         VK_SUBPASS_CONTENTS_INLINE);
    set_viewport(commands, extent);
}

struct flat_vertex {
    float position[2];
    float colour[3];
};

static VkPipeline flat_pipeline_init(const struct gpu *gpu, const struct target *target,
                                     VkPipelineLayout *layout)
{
    must(vkCreatePipelineLayout(
        gpu->device,
        &(VkPipelineLayoutCreateInfo){.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO}, NULL,
        layout));
    return graphics_pipeline_init(
        gpu,
        &(struct graphics_options){
            .layout = *layout,
            .vertex = CODE(triangle_vert),
            .fragment = CODE(colour_frag),
            .vertex_input =
                &(VkPipelineVertexInputStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO,
                    .vertexBindingDescriptionCount = 1,
                    .pVertexBindingDescriptions =
                        &(VkVertexInputBindingDescription){
                            .stride = sizeof(struct flat_vertex),
                        },
                    .vertexAttributeDescriptionCount = 2,
                    .pVertexAttributeDescriptions =
                        (const VkVertexInputAttributeDescription[]){
                            {0, 0, VK_FORMAT_R32G32_SFLOAT, offsetof(struct flat_vertex, position)},
                            {1, 0, VK_FORMAT_R32G32B32_SFLOAT,
                             offsetof(struct flat_vertex, colour)},
                        },
                },
            .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST,
            .render_pass = target->pass,
        });
}

static void draw_triangle(const struct gpu *gpu, struct picture *picture)
{
    static const struct flat_vertex vertices[] = {
        {{0.0f, -0.8f}, {1, 0, 0}},
        {{0.7f, 0.7f}, {0, 1, 0}},
        {{-0.7f, 0.7f}, {0, 0, 1}},
    };
    struct target target;
    target_init(gpu, &target);
    struct buffer vertex_buffer;
    buffer_init_host(gpu, &vertex_buffer, sizeof(vertices), VK_BUFFER_USAGE_VERTEX_BUFFER_BIT);
    memcpy(vertex_buffer.map, vertices, sizeof(vertices));

    VkPipelineLayout layout;
    const VkPipeline pipeline = flat_pipeline_init(gpu, &target, &layout);

    const VkCommandBuffer commands = commands_begin(gpu);
    target_begin(&target, commands);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
    vkCmdBindVertexBuffers(commands, 0, 1, &vertex_buffer.handle, &(const VkDeviceSize){0});
    vkCmdDraw(commands, ARRAY_SIZE(vertices), 1, 0, 0);
    vkCmdEndRenderPass(commands);
    commands_finish(gpu, commands);
    picture_init_from_image(gpu, picture, target.image.handle, colour_format, extent);

    vkDestroyPipeline(gpu->device, pipeline, NULL);
    vkDestroyPipelineLayout(gpu->device, layout, NULL);
    buffer_finish(gpu, &vertex_buffer);
    target_finish(gpu, &target);
}

/* Many draws in one command: a row of triangles for each way to lay their parameters out. Between
 * the parameters lies what would draw elsewhere, if the stride were not heeded. */
static void draw_multi(const struct gpu *gpu, struct picture *picture)
{
    enum {
        ROWS = 5,
        COLUMNS = 6,
        TRIANGLES = ROWS * COLUMNS
    };
    const PFN_vkCmdDrawMultiEXT draw_multi =
        (PFN_vkCmdDrawMultiEXT)vkGetDeviceProcAddr(gpu->device, "vkCmdDrawMultiEXT");
    const PFN_vkCmdDrawMultiIndexedEXT draw_multi_indexed =
        (PFN_vkCmdDrawMultiIndexedEXT)vkGetDeviceProcAddr(gpu->device, "vkCmdDrawMultiIndexedEXT");

    struct target target;
    target_init(gpu, &target);
    struct buffer vertex_buffer, index_buffer;
    buffer_init_host(gpu, &vertex_buffer, 3 * TRIANGLES * sizeof(struct flat_vertex),
                     VK_BUFFER_USAGE_VERTEX_BUFFER_BIT);
    buffer_init_host(gpu, &index_buffer, 3 * TRIANGLES * sizeof(uint32_t),
                     VK_BUFFER_USAGE_INDEX_BUFFER_BIT);
    struct flat_vertex *vertex = vertex_buffer.map;
    uint32_t *indices = index_buffer.map;
    for (uint32_t i = 0; i < 3 * TRIANGLES; i++) {
        const float x = (float)(i / 3 % COLUMNS) / COLUMNS * 2 - 1;
        const float y = (float)(i / 3 / COLUMNS) / ROWS * 2 - 1;
        vertex[i] = (struct flat_vertex){
            .position = {x + (i % 3 == 1 ? 0.3f : 0.05f), y + (i % 3 == 2 ? 0.35f : 0.05f)},
            .colour = {i % 3 == 0, i % 3 == 1, (float)(i % 7) / 7},
        };
        indices[i] = i;
    }

    VkPipelineLayout layout;
    const VkPipeline pipeline = flat_pipeline_init(gpu, &target, &layout);
    const VkCommandBuffer commands = commands_begin(gpu);
    target_begin(&target, commands);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
    vkCmdBindVertexBuffers(commands, 0, 1, &vertex_buffer.handle, &(const VkDeviceSize){0});
    vkCmdBindIndexBuffer(commands, index_buffer.handle, 0, VK_INDEX_TYPE_UINT32);

    /* The top row without gaps, every other triangle missing. */
    VkMultiDrawInfoEXT dense[COLUMNS / 2];
    for (uint32_t i = 0; i < COLUMNS / 2; i++)
        dense[i] = (VkMultiDrawInfoEXT){.firstVertex = i * 6, .vertexCount = 3};
    draw_multi(commands, COLUMNS / 2, dense, 1, 0, sizeof(dense[0]));

    struct {
        VkMultiDrawInfoEXT draw;
        VkMultiDrawInfoEXT gap;
    } sparse[COLUMNS];
    for (uint32_t i = 0; i < COLUMNS; i++) {
        sparse[i].draw =
            (VkMultiDrawInfoEXT){.firstVertex = (COLUMNS + i) * 3, .vertexCount = i == 2 ? 0 : 3};
        sparse[i].gap = (VkMultiDrawInfoEXT){.firstVertex = 0, .vertexCount = 6};
    }
    draw_multi(commands, COLUMNS, &sparse[0].draw, 1, 0, sizeof(sparse[0]));

    struct {
        VkMultiDrawIndexedInfoEXT draw;
        uint32_t gap;
    } indexed[COLUMNS];
    for (uint32_t i = 0; i < COLUMNS; i++) {
        indexed[i].draw = (VkMultiDrawIndexedInfoEXT){
            .firstIndex = (2 * COLUMNS + i) * 3,
            .indexCount = 3,
            .vertexOffset = i == 4 ? -3 : 0,
        };
        indexed[i].gap = 3;
    }
    draw_multi_indexed(commands, COLUMNS, &indexed[0].draw, 1, 0, sizeof(indexed[0]), NULL);
    /* One offset for all of them, in place of their own: the row below. */
    draw_multi_indexed(commands, COLUMNS, &indexed[0].draw, 1, 0, sizeof(indexed[0]),
                       &(const int32_t){COLUMNS * 3});
    /* Nothing at all, and one, whose stride means nothing. */
    draw_multi(commands, 0, NULL, 1, 0, 0);
    draw_multi(commands, 1,
               &(VkMultiDrawInfoEXT){.firstVertex = (TRIANGLES - 1) * 3, .vertexCount = 3}, 1, 0,
               0);
    vkCmdEndRenderPass(commands);
    commands_finish(gpu, commands);
    picture_init_from_image(gpu, picture, target.image.handle, colour_format, extent);

    vkDestroyPipeline(gpu->device, pipeline, NULL);
    vkDestroyPipelineLayout(gpu->device, layout, NULL);
    buffer_finish(gpu, &index_buffer);
    buffer_finish(gpu, &vertex_buffer);
    target_finish(gpu, &target);
}

/* A checkered picture, uploaded by a staging buffer, with levels made by blits. */
static void texture_init(const struct gpu *gpu, struct image *texture)
{
    enum {
        SIZE = 128,
        LEVELS = 8
    };
    struct buffer staging;
    buffer_init_host(gpu, &staging, SIZE * SIZE * 4, VK_BUFFER_USAGE_TRANSFER_SRC_BIT);
    uint8_t *texels = staging.map;
    for (uint32_t y = 0; y < SIZE; y++) {
        for (uint32_t x = 0; x < SIZE; x++) {
            const bool dark = ((x / 16) ^ (y / 16)) & 1;
            const uint8_t noise = mix32(y * SIZE + x) & 31;
            *texels++ = dark ? noise : 255 - noise;
            *texels++ = dark ? 40 : (uint8_t)(x * 2);
            *texels++ = dark ? 90 : (uint8_t)(y * 2);
            *texels++ = 255;
        }
    }
    image_init(gpu, texture,
               &(struct image_options){
                   .format = colour_format,
                   .extent = {SIZE, SIZE},
                   .levels = LEVELS,
                   .usage = VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT |
                            VK_IMAGE_USAGE_TRANSFER_DST_BIT,
               });

    const VkCommandBuffer commands = commands_begin(gpu);
    VkImageSubresourceRange range = {VK_IMAGE_ASPECT_COLOR_BIT, 0, LEVELS, 0, 1};
    image_barrier(commands, texture->handle, &range, &use_nothing, &use_copy_target);
    vkCmdCopyBufferToImage(commands, staging.handle, texture->handle,
                           VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, 1,
                           &(VkBufferImageCopy){
                               .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                               .imageExtent = {SIZE, SIZE, 1},
                           });
    range.levelCount = 1;
    for (uint32_t level = 1; level < LEVELS; level++) {
        range.baseMipLevel = level - 1;
        image_barrier(commands, texture->handle, &range, &use_copy_target, &use_copy_source);
        const int32_t from = SIZE >> (level - 1), to = SIZE >> level;
        vkCmdBlitImage(commands, texture->handle, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                       texture->handle, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, 1,
                       &(VkImageBlit){
                           .srcSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, level - 1, 0, 1},
                           .srcOffsets = {{0, 0, 0}, {from, from, 1}},
                           .dstSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, level, 0, 1},
                           .dstOffsets = {{0, 0, 0}, {to, to, 1}},
                       },
                       VK_FILTER_LINEAR);
    }
    range = (VkImageSubresourceRange){VK_IMAGE_ASPECT_COLOR_BIT, 0, LEVELS - 1, 0, 1};
    image_barrier(commands, texture->handle, &range, &use_copy_source, &use_sampled);
    range = (VkImageSubresourceRange){VK_IMAGE_ASPECT_COLOR_BIT, LEVELS - 1, 1, 0, 1};
    image_barrier(commands, texture->handle, &range, &use_copy_target, &use_sampled);
    commands_finish(gpu, commands);
    buffer_finish(gpu, &staging);
}

struct object {
    struct matrix transform;
    float tint[4];
};

static void draw_textured(const struct gpu *gpu, struct picture *picture)
{
    static const struct vertex {
        float position[3];
        float texture_position[2];
    } vertices[] = {
        {{-1, 0, -1}, {0, 0}},
        {{1, 0, -1}, {4, 0}},
        {{1, 0, 1}, {4, 4}},
        {{-1, 0, 1}, {0, 4}},
    };
    static const uint16_t indices[] = {0, 1, 2, 0, 2, 3};
    enum {
        OBJECT_COUNT = 2
    };

    struct target target;
    target_init(gpu, &target);
    struct image texture;
    texture_init(gpu, &texture);
    VkSampler sampler;
    must(vkCreateSampler(gpu->device,
                         &(VkSamplerCreateInfo){
                             .sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO,
                             .magFilter = VK_FILTER_LINEAR,
                             .minFilter = VK_FILTER_LINEAR,
                             .mipmapMode = VK_SAMPLER_MIPMAP_MODE_LINEAR,
                             .addressModeU = VK_SAMPLER_ADDRESS_MODE_REPEAT,
                             .addressModeV = VK_SAMPLER_ADDRESS_MODE_MIRRORED_REPEAT,
                             .maxLod = VK_LOD_CLAMP_NONE,
                         },
                         NULL, &sampler));

    /* Vertices and indices in one buffer, objects at dynamic offsets in another. */
    struct buffer geometry, uniforms;
    buffer_init_host(gpu, &geometry, sizeof(vertices) + sizeof(indices),
                     VK_BUFFER_USAGE_VERTEX_BUFFER_BIT | VK_BUFFER_USAGE_INDEX_BUFFER_BIT);
    memcpy(geometry.map, vertices, sizeof(vertices));
    memcpy((char *)geometry.map + sizeof(vertices), indices, sizeof(indices));
    const VkDeviceSize alignment = gpu->properties.limits.minUniformBufferOffsetAlignment;
    const VkDeviceSize stride = (sizeof(struct object) + alignment - 1) / alignment * alignment;
    buffer_init_host(gpu, &uniforms, stride * OBJECT_COUNT, VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT);
    const struct matrix projection = perspective(0.5f, 30.0f);
    const struct matrix floor = {{6, 0, 0, 0, 0, 1, 0, 0, 0, 0, 6, 0, 0, 1, -7, 1}};
    const struct matrix place = translation(0.2f, -0.2f, -3.0f);
    const struct matrix turn = rotation_y(0.7f), tilt = rotation_x(1.9f);
    struct matrix upright = multiply(&turn, &tilt);
    upright = multiply(&place, &upright);
    struct object objects[OBJECT_COUNT] = {
        {multiply(&projection, &floor), {1, 1, 1, 1}},
        {multiply(&projection, &upright), {0.6f, 1.0f, 0.5f, 1}},
    };
    for (size_t i = 0; i < OBJECT_COUNT; i++)
        memcpy((char *)uniforms.map + stride * i, &objects[i], sizeof(objects[i]));

    VkDescriptorSetLayout set_layout;
    must(vkCreateDescriptorSetLayout(
        gpu->device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = 2,
            .pBindings =
                (const VkDescriptorSetLayoutBinding[]){
                    {0, VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER_DYNAMIC, 1,
                     VK_SHADER_STAGE_VERTEX_BIT | VK_SHADER_STAGE_FRAGMENT_BIT, NULL},
                    {1, VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER, 1, VK_SHADER_STAGE_FRAGMENT_BIT,
                     NULL},
                },
        },
        NULL, &set_layout));
    const VkPipelineLayout layout = pipeline_layout_init(gpu, &set_layout, 0, 0);
    VkDescriptorPool pool;
    must(vkCreateDescriptorPool(gpu->device,
                                &(VkDescriptorPoolCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                    .maxSets = 1,
                                    .poolSizeCount = 2,
                                    .pPoolSizes =
                                        (const VkDescriptorPoolSize[]){
                                            {VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER_DYNAMIC, 1},
                                            {VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER, 1},
                                        },
                                },
                                NULL, &pool));
    VkDescriptorSet set;
    must(vkAllocateDescriptorSets(gpu->device,
                                  &(VkDescriptorSetAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                      .descriptorPool = pool,
                                      .descriptorSetCount = 1,
                                      .pSetLayouts = &set_layout,
                                  },
                                  &set));
    vkUpdateDescriptorSets(
        gpu->device, 2,
        (const VkWriteDescriptorSet[]){
            {
                .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                .dstSet = set,
                .dstBinding = 0,
                .descriptorCount = 1,
                .descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER_DYNAMIC,
                .pBufferInfo = &(VkDescriptorBufferInfo){uniforms.handle, 0, sizeof(struct object)},
            },
            {
                .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                .dstSet = set,
                .dstBinding = 1,
                .descriptorCount = 1,
                .descriptorType = VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER,
                .pImageInfo =
                    &(VkDescriptorImageInfo){
                        sampler,
                        texture.view,
                        VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL,
                    },
            },
        },
        0, NULL);
    const VkPipeline pipeline = graphics_pipeline_init(
        gpu,
        &(struct graphics_options){
            .layout = layout,
            .vertex = CODE(textured_vert),
            .fragment = CODE(textured_frag),
            .vertex_input =
                &(VkPipelineVertexInputStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO,
                    .vertexBindingDescriptionCount = 1,
                    .pVertexBindingDescriptions =
                        &(VkVertexInputBindingDescription){
                            .stride = sizeof(struct vertex),
                        },
                    .vertexAttributeDescriptionCount = 2,
                    .pVertexAttributeDescriptions =
                        (const VkVertexInputAttributeDescription[]){
                            {0, 0, VK_FORMAT_R32G32B32_SFLOAT, offsetof(struct vertex, position)},
                            {1, 0, VK_FORMAT_R32G32_SFLOAT,
                             offsetof(struct vertex, texture_position)},
                        },
                },
            .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST,
            .render_pass = target.pass,
        });

    const VkCommandBuffer commands = commands_begin(gpu);
    target_begin(&target, commands);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
    vkCmdBindVertexBuffers(commands, 0, 1, &geometry.handle, &(const VkDeviceSize){0});
    vkCmdBindIndexBuffer(commands, geometry.handle, sizeof(vertices), VK_INDEX_TYPE_UINT16);
    for (uint32_t i = 0; i < OBJECT_COUNT; i++) {
        vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, layout, 0, 1, &set, 1,
                                &(const uint32_t){(uint32_t)stride * i});
        vkCmdDrawIndexed(commands, ARRAY_SIZE(indices), 1, 0, 0, 0);
    }
    vkCmdEndRenderPass(commands);
    commands_finish(gpu, commands);
    picture_init_from_image(gpu, picture, target.image.handle, colour_format, extent);

    vkDestroyPipeline(gpu->device, pipeline, NULL);
    vkDestroyDescriptorPool(gpu->device, pool, NULL);
    vkDestroyPipelineLayout(gpu->device, layout, NULL);
    vkDestroyDescriptorSetLayout(gpu->device, set_layout, NULL);
    buffer_finish(gpu, &uniforms);
    buffer_finish(gpu, &geometry);
    vkDestroySampler(gpu->device, sampler, NULL);
    image_finish(gpu, &texture);
    target_finish(gpu, &target);
}

struct boxes_push {
    struct matrix transform;
    float colour[4];
    float step[4];
};

static void draw_boxes(VkCommandBuffer commands, VkPipelineLayout layout, uint32_t row)
{
    const struct matrix projection = perspective(1.0f, 60.0f);
    const struct matrix place =
        translation(-4.0f + (float)row, -2.2f + 1.1f * (float)row, -9.0f - 0.8f * (float)row);
    const struct matrix turn = rotation_y(0.3f + 0.4f * (float)row);
    struct boxes_push push = {
        .transform = multiply(&place, &turn),
        .colour = {(row & 1) ? 1.0f : 0.2f, (row & 2) ? 0.9f : 0.3f, 0.5f, 1.0f},
        .step = {1.7f, 0.4f, -0.5f, 0.0f},
    };
    push.transform = multiply(&projection, &push.transform);
    vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_VERTEX_BIT, 0, sizeof(push), &push);
    vkCmdDraw(commands, 36, 5, 0, row);
}

/* Rows of boxes that go through each other, so that the picture depends on the
 * depth test; half of them from a secondary command buffer, multisampled. */
static void draw_depth(const struct gpu *gpu, struct picture *picture)
{
    const VkFormat depth_format = VK_FORMAT_D32_SFLOAT;
    const VkSampleCountFlagBits samples = VK_SAMPLE_COUNT_4_BIT;
    struct image colour, depth, resolved;
    image_init(gpu, &colour,
               &(struct image_options){
                   .format = colour_format,
                   .extent = extent,
                   .samples = samples,
                   .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT,
               });
    image_init(gpu, &depth,
               &(struct image_options){
                   .format = depth_format,
                   .extent = extent,
                   .samples = samples,
                   .usage = VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT,
               });
    image_init(gpu, &resolved,
               &(struct image_options){
                   .format = colour_format,
                   .extent = extent,
                   .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
               });
    const VkPipelineLayout layout =
        pipeline_layout_init(gpu, NULL, VK_SHADER_STAGE_VERTEX_BIT, sizeof(struct boxes_push));
    const VkPipeline pipeline =
        graphics_pipeline_init(gpu, &(struct graphics_options){
                                        .layout = layout,
                                        .vertex = CODE(boxes_vert),
                                        .fragment = CODE(colour_frag),
                                        .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST,
                                        .samples = samples,
                                        .colour_format = colour_format,
                                        .depth_format = depth_format,
                                    });

    VkCommandBuffer secondary;
    must(vkAllocateCommandBuffers(gpu->device,
                                  &(VkCommandBufferAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                      .commandPool = gpu->pool,
                                      .level = VK_COMMAND_BUFFER_LEVEL_SECONDARY,
                                      .commandBufferCount = 1,
                                  },
                                  &secondary));
    const VkCommandBufferInheritanceRenderingInfo inheritance = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_INHERITANCE_RENDERING_INFO,
        .colorAttachmentCount = 1,
        .pColorAttachmentFormats = &colour_format,
        .depthAttachmentFormat = depth_format,
        .rasterizationSamples = samples,
    };
    must(vkBeginCommandBuffer(
        secondary, &(VkCommandBufferBeginInfo){
                       .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                       .flags = VK_COMMAND_BUFFER_USAGE_RENDER_PASS_CONTINUE_BIT,
                       .pInheritanceInfo =
                           &(VkCommandBufferInheritanceInfo){
                               .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_INHERITANCE_INFO,
                               .pNext = &inheritance,
                           },
                   }));
    vkCmdBindPipeline(secondary, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
    set_viewport(secondary, extent);
    draw_boxes(secondary, layout, 0);
    draw_boxes(secondary, layout, 2);
    commands_end(secondary);

    const VkCommandBuffer commands = commands_begin(gpu);
    image_barrier(commands, colour.handle, &whole_colour, &use_nothing, &use_colour);
    image_barrier(commands, resolved.handle, &whole_colour, &use_nothing, &use_colour);
    image_barrier(commands, depth.handle,
                  &(VkImageSubresourceRange){VK_IMAGE_ASPECT_DEPTH_BIT, 0, 1, 0, 1}, &use_nothing,
                  &use_depth);
    VkRenderingAttachmentInfo colour_attachment = {
        .sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
        .imageView = colour.view,
        .imageLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
        .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
        .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
        .clearValue = {.color = {{0.05f, 0.1f, 0.1f, 1.0f}}},
    };
    VkRenderingAttachmentInfo depth_attachment = {
        .sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
        .imageView = depth.view,
        .imageLayout = VK_IMAGE_LAYOUT_DEPTH_STENCIL_ATTACHMENT_OPTIMAL,
        .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
        .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
        .clearValue = {.depthStencil = {1.0f, 0}},
    };
    VkRenderingInfo rendering = {
        .sType = VK_STRUCTURE_TYPE_RENDERING_INFO,
        .flags = VK_RENDERING_CONTENTS_SECONDARY_COMMAND_BUFFERS_BIT,
        .renderArea = {.extent = extent},
        .layerCount = 1,
        .colorAttachmentCount = 1,
        .pColorAttachments = &colour_attachment,
        .pDepthAttachment = &depth_attachment,
    };
    vkCmdBeginRendering(commands, &rendering);
    vkCmdExecuteCommands(commands, 1, &secondary);
    vkCmdEndRendering(commands);

    const VkPipelineStageFlags attachment_stages = use_colour.stages | use_depth.stages;
    memory_barrier(commands, attachment_stages, use_colour.access | use_depth.access,
                   attachment_stages, use_colour.access | use_depth.access);
    colour_attachment.loadOp = VK_ATTACHMENT_LOAD_OP_LOAD;
    colour_attachment.resolveMode = VK_RESOLVE_MODE_AVERAGE_BIT;
    colour_attachment.resolveImageView = resolved.view;
    colour_attachment.resolveImageLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL;
    depth_attachment.loadOp = VK_ATTACHMENT_LOAD_OP_LOAD;
    depth_attachment.storeOp = VK_ATTACHMENT_STORE_OP_DONT_CARE;
    rendering.flags = 0;
    vkCmdBeginRendering(commands, &rendering);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
    set_viewport(commands, extent);
    draw_boxes(commands, layout, 1);
    draw_boxes(commands, layout, 3);
    vkCmdEndRendering(commands);
    image_barrier(commands, resolved.handle, &whole_colour, &use_colour, &use_copy_source);
    commands_finish(gpu, commands);
    picture_init_from_image(gpu, picture, resolved.handle, colour_format, extent);

    vkFreeCommandBuffers(gpu->device, gpu->pool, 1, &secondary);
    vkDestroyPipeline(gpu->device, pipeline, NULL);
    vkDestroyPipelineLayout(gpu->device, layout, NULL);
    image_finish(gpu, &resolved);
    image_finish(gpu, &depth);
    image_finish(gpu, &colour);
}

static const struct scene {
    const char *name;
    void (*draw)(const struct gpu *gpu, struct picture *picture);
    const char *extension; /* NULL: none */
} scenes[] = {
    {"triangle", draw_triangle, NULL},
    {"textured", draw_textured, NULL},
    {"depth", draw_depth, NULL},
    {"multi", draw_multi, VK_EXT_MULTI_DRAW_EXTENSION_NAME},
};

int main(int argc, char **argv)
{
    const struct scene *scene = NULL;
    for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(scenes); i++)
        if (strcmp(argv[1], scenes[i].name) == 0)
            scene = &scenes[i];
    if (!scene) {
        fprintf(stderr, "usage: scene triangle|textured|depth|multi OUT.png\n");
        return 2;
    }

    VkPhysicalDeviceMultiDrawFeaturesEXT multi_draw = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MULTI_DRAW_FEATURES_EXT,
        .multiDraw = VK_TRUE,
    };
    const struct gpu_options options = {
        .name = "scene",
        .device_extensions = &scene->extension,
        .device_extension_count = scene->extension ? 1 : 0,
        .features =
            &(VkPhysicalDeviceVulkan13Features){
                .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
                .pNext = scene->extension ? &multi_draw : NULL,
                .dynamicRendering = VK_TRUE,
            },
    };
    struct gpu gpu;
    gpu_init_instance(&gpu, &options);
    uint32_t count = 1;
    vkEnumeratePhysicalDevices(gpu.instance, &count, &gpu.physical);
    expect(count == 1, "there is no device");
    if (scene->extension && !gpu_has_extension(gpu.physical, scene->extension)) {
        printf("scene: this device has no %s\n", scene->extension);
        return EXIT_SKIPPED;
    }
    gpu_init_device(&gpu, &options);
    struct picture picture;
    scene->draw(&gpu, &picture);
    gpu_finish(&gpu);

    /* All of the scenes are shaded: a picture with few colours is a broken one. */
    const uint32_t colours = picture_count_colours(&picture, 64);
    expect(colours >= 24, "the picture has only %u colours", colours);
    picture_write(&picture, argv[2]);
    printf("scene: %s, %ux%u, checksum %016" PRIx64 "\n", scene->name, picture.width,
           picture.height, picture_checksum(&picture));
    picture_finish(&picture);
    return 0;
}
