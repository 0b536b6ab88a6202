/* SPDX-License-Identifier: MIT
 *
 * Pipelines, and the command buffers that use them.
 */
#ifndef TESTS_RECORDING_H
#define TESTS_RECORDING_H

#include "gpu.h"

/* Bindings 0 and 1, of one descriptor each. */
VkDescriptorSetLayout set_layout_of_two(const struct gpu *gpu, VkDescriptorType first,
                                        VkDescriptorType second, VkShaderStageFlags stages);
/* set and stages with push_size may each be missing: NULL, or 0. */
VkPipelineLayout pipeline_layout_init(const struct gpu *gpu, const VkDescriptorSetLayout *set,
                                      VkShaderStageFlags stages, uint32_t push_size);
VkShaderModule shader_init(const struct gpu *gpu, const uint32_t *code, size_t size);
/* Its entry point is main. */
VkPipelineShaderStageCreateInfo stage_of(VkShaderStageFlagBits stage, VkShaderModule module);
VkPipeline compute_pipeline_init(const struct gpu *gpu, VkPipelineLayout layout,
                                 const uint32_t *code, size_t size,
                                 const VkSpecializationInfo *specialization);

struct shader_code {
    const uint32_t *words;
    size_t size;
};

/* A pipeline of a vertex and a fragment shader with one colour attachment and
 * dynamic viewport and scissor. Without render_pass it is for dynamic
 * rendering with colour_format and depth_format. */
struct graphics_options {
    VkPipelineCreateFlags flags;
    VkPipelineLayout layout;
    VkShaderStageFlagBits first_stage; /* 0: the vertex shader is one, else it is of this stage */
    struct shader_code vertex;
    struct shader_code fragment;
    const VkPipelineVertexInputStateCreateInfo *vertex_input; /* NULL: no buffers */
    VkPrimitiveTopology topology;
    VkCullModeFlags cull;
    VkSampleCountFlagBits samples; /* 0: one */
    VkRenderPass render_pass;
    VkFormat colour_format;
    VkFormat depth_format; /* with a render pass: anything but UNDEFINED tests depth */
};

VkPipeline graphics_pipeline_init(const struct gpu *gpu, const struct graphics_options *options);
void set_viewport(VkCommandBuffer commands, VkExtent2D extent);

VkFence fence_create(const struct gpu *gpu, VkFenceCreateFlags flags);

VkCommandBuffer commands_begin(const struct gpu *gpu);
void commands_end(VkCommandBuffer commands);
void commands_submit(const struct gpu *gpu, VkCommandBuffer commands, VkFence fence);
/* Ends, submits, waits and frees. */
void commands_finish(const struct gpu *gpu, VkCommandBuffer commands);

struct image_use {
    VkImageLayout layout;
    VkPipelineStageFlags stages;
    VkAccessFlags access;
};

void image_barrier(VkCommandBuffer commands, VkImage image, const VkImageSubresourceRange *range,
                   const struct image_use *from, const struct image_use *to);
void memory_barrier(VkCommandBuffer commands, VkPipelineStageFlags from_stages,
                    VkAccessFlags from_access, VkPipelineStageFlags to_stages,
                    VkAccessFlags to_access);

#endif
