/* SPDX-License-Identifier: MIT
 *
 * Descriptors of every kind, written in every way: by writes whose ignored members are garbage, by
 * copies, by templates, pushed, after they were bound, and from pools that come and go.
 */
#include "common.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bindless_comp.h"
#include "descriptors_comp.h"
#include "push_descriptors_comp.h"

enum {
    RESULT_COUNT = 12,
    IMAGE_COUNT = 5,
    UNUSED = 77, /* what results hold before the shader runs */
};

/* Which image is what. */
enum {
    IMAGE_COMBINED_0,
    IMAGE_COMBINED_1,
    IMAGE_SAMPLED,
    IMAGE_STORAGE,
    IMAGE_IMMUTABLE,
};

static struct gpu gpu;
static struct buffer results, uniforms, texels, dynamics;
static struct image images[IMAGE_COUNT];
static VkBufferView storage_view, uniform_view;
static VkSampler sampler;
static VkDeviceSize dynamic_stride;
static VkDescriptorSetLayout set_layout;
static VkPipelineLayout layout;
static VkPipeline pipeline;
static uint32_t run_count; /* the shader adds one to two of its sources each time */

static const uint32_t inline_words[8] = {1, 2, 3, 4, 5, 6, 8888, 8};

static const VkDescriptorPoolSize pool_sizes[] = {
    {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 40},
    {VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, 10},
    {VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER, 10},
    {VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, 10},
    {VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER, 30},
    {VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE, 10},
    {VK_DESCRIPTOR_TYPE_SAMPLER, 10},
    {VK_DESCRIPTOR_TYPE_STORAGE_IMAGE, 10},
    {VK_DESCRIPTOR_TYPE_INLINE_UNIFORM_BLOCK, 10 * sizeof(inline_words)},
    {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER_DYNAMIC, 10},
    {VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER_DYNAMIC, 10},
};

static VkDescriptorPool create_pool(uint32_t max_sets, VkDescriptorPoolCreateFlags flags)
{
    VkDescriptorPool pool;
    must(vkCreateDescriptorPool(
        gpu.device,
        &(VkDescriptorPoolCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .pNext =
                &(VkDescriptorPoolInlineUniformBlockCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_INLINE_UNIFORM_BLOCK_CREATE_INFO,
                    .maxInlineUniformBlockBindings = 10,
                },
            .flags = flags,
            .maxSets = max_sets,
            .poolSizeCount = ARRAY_SIZE(pool_sizes),
            .pPoolSizes = pool_sizes,
        },
        NULL, &pool));
    return pool;
}

static VkDescriptorSet allocate_set(VkDescriptorPool pool, VkDescriptorSetLayout from)
{
    VkDescriptorSet set;
    must(vkAllocateDescriptorSets(gpu.device,
                                  &(VkDescriptorSetAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                      .descriptorPool = pool,
                                      .descriptorSetCount = 1,
                                      .pSetLayouts = &from,
                                  },
                                  &set));
    return set;
}

static void create_resources(void)
{
    buffer_init_host(&gpu, &results, 1024, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    buffer_init_host(&gpu, &uniforms, 1024, VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT);
    buffer_init_host(&gpu, &texels, 1024,
                     VK_BUFFER_USAGE_STORAGE_TEXEL_BUFFER_BIT |
                         VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT);
    const VkPhysicalDeviceLimits *limits = &gpu.properties.limits;
    dynamic_stride = limits->minUniformBufferOffsetAlignment;
    if (dynamic_stride < limits->minStorageBufferOffsetAlignment)
        dynamic_stride = limits->minStorageBufferOffsetAlignment;
    buffer_init_host(&gpu, &dynamics, 8 * dynamic_stride,
                     VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT);
    for (uint32_t i = 0; i < 8; i++)
        *(uint32_t *)((char *)dynamics.map + i * dynamic_stride) = 9000 + i;
    for (uint32_t i = 0; i < 1024 / 4; i++) {
        ((uint32_t *)uniforms.map)[i] = 1000 + i;
        ((uint32_t *)texels.map)[i] = 2000 + i;
    }
    const VkBufferViewCreateInfo view = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO,
        .buffer = texels.handle,
        .format = VK_FORMAT_R32_UINT,
        .range = 256,
    };
    must(vkCreateBufferView(gpu.device, &view, NULL, &storage_view));
    VkBufferViewCreateInfo rest = view;
    rest.offset = 512;
    rest.range = VK_WHOLE_SIZE;
    must(vkCreateBufferView(gpu.device, &rest, NULL, &uniform_view));
    must(vkCreateSampler(gpu.device,
                         &(VkSamplerCreateInfo){
                             .sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO,
                             .addressModeU = VK_SAMPLER_ADDRESS_MODE_CLAMP_TO_EDGE,
                             .addressModeV = VK_SAMPLER_ADDRESS_MODE_CLAMP_TO_EDGE,
                         },
                         NULL, &sampler));

    const VkCommandBuffer commands = commands_begin(&gpu);
    const VkImageSubresourceRange whole = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};
    for (uint32_t i = 0; i < IMAGE_COUNT; i++) {
        image_init(&gpu, &images[i],
                   &(struct image_options){
                       .format = VK_FORMAT_R32_UINT,
                       .extent = {2, 2},
                       .usage = VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_STORAGE_BIT |
                                VK_IMAGE_USAGE_TRANSFER_DST_BIT,
                   });
        const struct image_use cleared = {
            VK_IMAGE_LAYOUT_GENERAL,
            VK_PIPELINE_STAGE_TRANSFER_BIT,
            VK_ACCESS_TRANSFER_WRITE_BIT,
        };
        image_barrier(commands, images[i].handle, &whole,
                      &(struct image_use){
                          VK_IMAGE_LAYOUT_UNDEFINED,
                          VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT,
                          0,
                      },
                      &cleared);
        vkCmdClearColorImage(commands, images[i].handle, VK_IMAGE_LAYOUT_GENERAL,
                             &(VkClearColorValue){.uint32 = {3000 + i}}, 1, &whole);
        image_barrier(commands, images[i].handle, &whole, &cleared,
                      &(struct image_use){
                          VK_IMAGE_LAYOUT_GENERAL,
                          VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                          VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT,
                      });
    }
    commands_finish(&gpu, commands);
}

static void destroy_resources(void)
{
    for (uint32_t i = 0; i < IMAGE_COUNT; i++)
        image_finish(&gpu, &images[i]);
    vkDestroySampler(gpu.device, sampler, NULL);
    vkDestroyBufferView(gpu.device, uniform_view, NULL);
    vkDestroyBufferView(gpu.device, storage_view, NULL);
    buffer_finish(&gpu, &dynamics);
    buffer_finish(&gpu, &texels);
    buffer_finish(&gpu, &uniforms);
    buffer_finish(&gpu, &results);
}

static VkDescriptorSetLayoutBinding binding(uint32_t number, VkDescriptorType type, uint32_t count)
{
    /* pImmutableSamplers is ignored for all types without a sampler. */
    const bool has_sampler =
        type == VK_DESCRIPTOR_TYPE_SAMPLER || type == VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER;
    return (VkDescriptorSetLayoutBinding){
        .binding = number,
        .descriptorType = type,
        .descriptorCount = count,
        .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
        .pImmutableSamplers = has_sampler ? NULL : GARBAGE_POINTER,
    };
}

static VkPipelineLayout create_pipeline_layout(VkDescriptorSetLayout set, uint32_t push_size)
{
    VkPipelineLayout created;
    must(vkCreatePipelineLayout(
        gpu.device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .setLayoutCount = 1,
            .pSetLayouts = &set,
            .pushConstantRangeCount = push_size > 0,
            .pPushConstantRanges =
                push_size > 0 ? &(VkPushConstantRange){VK_SHADER_STAGE_COMPUTE_BIT, 0, push_size}
                              : GARBAGE_POINTER,
        },
        NULL, &created));
    return created;
}

static void create_pipeline(void)
{
    VkDescriptorSetLayoutBinding bindings[] = {
        /* Not in order, with holes, and with a binding of no descriptors. */
        binding(13, VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER, 1),
        binding(0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1),
        binding(1, VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, 1),
        binding(2, VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER, 1),
        binding(3, VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, 1),
        binding(4, VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER, 2),
        binding(5, VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE, 1),
        binding(6, VK_DESCRIPTOR_TYPE_SAMPLER, 1),
        binding(7, VK_DESCRIPTOR_TYPE_STORAGE_IMAGE, 1),
        binding(8, VK_DESCRIPTOR_TYPE_INLINE_UNIFORM_BLOCK, sizeof(inline_words)),
        binding(9, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER_DYNAMIC, 1),
        binding(10, VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER_DYNAMIC, 1),
        binding(11, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 0),
    };
    bindings[0].pImmutableSamplers = &sampler;
    bindings[7].pImmutableSamplers = &sampler;
    must(vkCreateDescriptorSetLayout(
        gpu.device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = ARRAY_SIZE(bindings),
            .pBindings = bindings,
        },
        NULL, &set_layout));
    layout = create_pipeline_layout(set_layout, 0);
    pipeline =
        compute_pipeline_init(&gpu, layout, descriptors_comp, sizeof(descriptors_comp), NULL);
}

static void dispatch(VkCommandBuffer commands, VkDescriptorSet set, uint32_t storage_slot,
                     uint32_t uniform_slot)
{
    const uint32_t offsets[] = {
        (uint32_t)(storage_slot * dynamic_stride),
        (uint32_t)(uniform_slot * dynamic_stride),
    };
    vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1, &set,
                            ARRAY_SIZE(offsets), offsets);
    vkCmdDispatch(commands, 1, 1, 1);
    memory_barrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                   VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_HOST_BIT,
                   VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
                       VK_ACCESS_HOST_READ_BIT);
}

static void expect_results(const char *how, uint32_t storage_slot, uint32_t uniform_slot)
{
    const uint32_t wanted[RESULT_COUNT] = {
        /* See uniform_info(): the fifth word behind its offset. */
        [0] = 1000 + 5 + (uint32_t)gpu.properties.limits.minUniformBufferOffsetAlignment / 4,
        [1] = 2000 + 3 + run_count,
        [2] = 2000 + 512 / 4 + 2,
        [3] = 3000 + IMAGE_COMBINED_0,
        [4] = 3000 + IMAGE_COMBINED_1,
        [5] = 3000 + IMAGE_SAMPLED,
        [6] = 3000 + IMAGE_SAMPLED,
        [7] = 3000 + IMAGE_STORAGE + run_count,
        [8] = 8888,
        [9] = 9000 + storage_slot,
        [10] = 9000 + uniform_slot,
        [11] = 3000 + IMAGE_IMMUTABLE,
    };
    const uint32_t *got = results.map;
    for (uint32_t i = 0; i < RESULT_COUNT; i++)
        expect(got[i] == wanted[i], "%s: descriptor %u gives %u, not %u", how, i, got[i],
               wanted[i]);
    run_count++;
}

static void run(const char *how, VkDescriptorSet set)
{
    for (uint32_t i = 0; i < RESULT_COUNT; i++)
        ((uint32_t *)results.map)[i] = UNUSED;
    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    dispatch(commands, set, 3, 5);
    commands_finish(&gpu, commands);
    expect_results(how, 3, 5);
}

static VkDescriptorImageInfo image_info(VkSampler with, uint32_t image)
{
    return (VkDescriptorImageInfo){with, images[image].view, VK_IMAGE_LAYOUT_GENERAL};
}

static VkDescriptorBufferInfo uniform_info(void)
{
    return (VkDescriptorBufferInfo){
        .buffer = uniforms.handle,
        .offset = gpu.properties.limits.minUniformBufferOffsetAlignment,
        .range = 32,
    };
}

/* A write with garbage in all three arrays, of which the caller sets the one that counts. */
static VkWriteDescriptorSet write_of(VkDescriptorSet set, uint32_t number, uint32_t element,
                                     VkDescriptorType type)
{
    return (VkWriteDescriptorSet){
        .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
        .dstSet = set,
        .dstBinding = number,
        .dstArrayElement = element,
        .descriptorCount = 1,
        .descriptorType = type,
        .pImageInfo = GARBAGE_POINTER,
        .pBufferInfo = GARBAGE_POINTER,
        .pTexelBufferView = GARBAGE_POINTER,
    };
}

static void write_inline_block(VkDescriptorSet set)
{
    VkWriteDescriptorSet write = write_of(set, 8, 0, VK_DESCRIPTOR_TYPE_INLINE_UNIFORM_BLOCK);
    write.descriptorCount = sizeof(inline_words);
    write.pNext = &(VkWriteDescriptorSetInlineUniformBlock){
        .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET_INLINE_UNIFORM_BLOCK,
        .dataSize = sizeof(inline_words),
        .pData = inline_words,
    };
    vkUpdateDescriptorSets(gpu.device, 1, &write, 0, GARBAGE_POINTER);
}

enum calls {
    TOGETHER,
    ONE_BY_ONE
};

static void write_set(VkDescriptorSet set, enum calls calls)
{
    const VkSampler no_sampler = (VkSampler)GARBAGE_HANDLE;
    const VkDescriptorBufferInfo result_info = {results.handle, 0, VK_WHOLE_SIZE};
    const VkDescriptorBufferInfo uniform = uniform_info();
    const VkDescriptorBufferInfo dynamic_info = {dynamics.handle, 0, 4};
    const VkDescriptorImageInfo combined[] = {
        image_info(sampler, IMAGE_COMBINED_0),
        image_info(sampler, IMAGE_COMBINED_1),
    };
    /* The sampler counts only for samplers and combined ones without an immutable sampler. */
    const VkDescriptorImageInfo sampled = image_info(no_sampler, IMAGE_SAMPLED);
    const VkDescriptorImageInfo storage = image_info(no_sampler, IMAGE_STORAGE);
    const VkDescriptorImageInfo immutable = image_info(no_sampler, IMAGE_IMMUTABLE);
    const VkWriteDescriptorSetInlineUniformBlock inline_block = {
        .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET_INLINE_UNIFORM_BLOCK,
        .dataSize = sizeof(inline_words),
        .pData = inline_words,
    };

    VkWriteDescriptorSet writes[13];
    uint32_t count = 0;
    writes[count] = write_of(set, 0, 0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER);
    writes[count++].pBufferInfo = &result_info;
    writes[count] = write_of(set, 1, 0, VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER);
    writes[count++].pBufferInfo = &uniform;
    writes[count] = write_of(set, 2, 0, VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER);
    writes[count++].pTexelBufferView = &storage_view;
    writes[count] = write_of(set, 3, 0, VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER);
    writes[count++].pTexelBufferView = &uniform_view;
    writes[count] = write_of(set, 4, 1, VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER);
    writes[count++].pImageInfo = &combined[1];
    writes[count] = write_of(set, 4, 0, VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER);
    writes[count++].pImageInfo = &combined[0];
    writes[count] = write_of(set, 5, 0, VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE);
    writes[count++].pImageInfo = &sampled;
    writes[count] = write_of(set, 7, 0, VK_DESCRIPTOR_TYPE_STORAGE_IMAGE);
    writes[count++].pImageInfo = &storage;
    writes[count] = write_of(set, 8, 0, VK_DESCRIPTOR_TYPE_INLINE_UNIFORM_BLOCK);
    writes[count].descriptorCount = sizeof(inline_words);
    writes[count++].pNext = &inline_block;
    writes[count] = write_of(set, 9, 0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER_DYNAMIC);
    writes[count++].pBufferInfo = &dynamic_info;
    writes[count] = write_of(set, 10, 0, VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER_DYNAMIC);
    writes[count++].pBufferInfo = &dynamic_info;
    writes[count] = write_of(set, 13, 0, VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER);
    writes[count++].pImageInfo = &immutable;
    if (calls == TOGETHER)
        vkUpdateDescriptorSets(gpu.device, count, writes, 0, GARBAGE_POINTER);
    for (uint32_t i = 0; calls == ONE_BY_ONE && i < count; i++)
        vkUpdateDescriptorSets(gpu.device, 1, &writes[i], 0, GARBAGE_POINTER);
}

static void test_writes(void)
{
    const VkDescriptorPool pool = create_pool(2, 0);
    const VkDescriptorSet set = allocate_set(pool, set_layout);
    const VkDescriptorSet other = allocate_set(pool, set_layout);
    vkUpdateDescriptorSets(gpu.device, 0, GARBAGE_POINTER, 0, GARBAGE_POINTER);
    write_set(set, TOGETHER);
    run("writes", set);
    /* Again, over what is there. */
    write_set(set, TOGETHER);
    run("second writes", set);
    write_set(other, ONE_BY_ONE);
    run("writes one by one", other);
    /* More than fits any buffer on their way, and the last one counts. */
    for (uint32_t i = 0; i < 50000; i++) {
        VkWriteDescriptorSet write =
            write_of(other, 9, 0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER_DYNAMIC);
        write.pBufferInfo =
            &(VkDescriptorBufferInfo){i < 49999 ? results.handle : dynamics.handle, 0, 4};
        vkUpdateDescriptorSets(gpu.device, 1, &write, 0, NULL);
    }
    run("very many writes", other);

    /* Other dynamic offsets in the same command buffer. */
    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    dispatch(commands, set, 0, 1);
    dispatch(commands, set, 7, 2);
    run_count++;
    commands_finish(&gpu, commands);
    expect_results("dynamic offsets", 7, 2);
    vkDestroyDescriptorPool(gpu.device, pool, NULL);
}

static void test_copies(void)
{
    const VkDescriptorPool pool = create_pool(2, 0);
    const VkDescriptorSet from = allocate_set(pool, set_layout);
    const VkDescriptorSet to = allocate_set(pool, set_layout);
    write_set(from, TOGETHER);
    static const struct {
        uint32_t number;
        uint32_t count;
    } copied[] = {
        {0, 1}, {1, 1},  {2, 1},  {3, 1}, {4, 2}, {5, 1}, {7, 1}, {8, sizeof(inline_words)},
        {9, 1}, {10, 1}, {13, 1},
    };
    VkCopyDescriptorSet copies[ARRAY_SIZE(copied)];
    for (size_t i = 0; i < ARRAY_SIZE(copied); i++)
        copies[i] = (VkCopyDescriptorSet){
            .sType = VK_STRUCTURE_TYPE_COPY_DESCRIPTOR_SET,
            .srcSet = from,
            .srcBinding = copied[i].number,
            .dstSet = to,
            .dstBinding = copied[i].number,
            .descriptorCount = copied[i].count,
        };
    vkUpdateDescriptorSets(gpu.device, 0, GARBAGE_POINTER, ARRAY_SIZE(copies), copies);
    run("copies", to);
    vkDestroyDescriptorPool(gpu.device, pool, NULL);
}

/* What a template reads, with gaps that it has to step over. */
struct template_data {
    uint8_t gap[24];
    VkDescriptorBufferInfo result;
    struct {
        VkDescriptorImageInfo info;
        uint64_t gap[3];
    } combined[2];
    VkBufferView storage_texels;
    uint64_t another_gap;
    VkBufferView uniform_texels;
    VkDescriptorImageInfo sampled;
    VkDescriptorImageInfo storage;
    VkDescriptorImageInfo immutable;
    VkDescriptorBufferInfo uniform;
    uint32_t inline_words[8];
    VkDescriptorBufferInfo dynamic;
};

static void test_template(void)
{
#define ENTRY(number, type, count, member, step)                                                  \
    {                                                                                             \
        number, 0, count, VK_DESCRIPTOR_TYPE_##type, offsetof(struct template_data, member), step \
    }
    static const VkDescriptorUpdateTemplateEntry entries[] = {
        ENTRY(0, STORAGE_BUFFER, 1, result, 0),
        ENTRY(1, UNIFORM_BUFFER, 1, uniform, 0),
        ENTRY(2, STORAGE_TEXEL_BUFFER, 1, storage_texels, 0),
        ENTRY(3, UNIFORM_TEXEL_BUFFER, 1, uniform_texels, 0),
        ENTRY(4, COMBINED_IMAGE_SAMPLER, 2, combined,
              sizeof(((struct template_data *)NULL)->combined[0])),
        ENTRY(5, SAMPLED_IMAGE, 1, sampled, 0),
        ENTRY(7, STORAGE_IMAGE, 1, storage, 0),
        ENTRY(9, STORAGE_BUFFER_DYNAMIC, 1, dynamic, 0),
        ENTRY(10, UNIFORM_BUFFER_DYNAMIC, 1, dynamic, 0),
        ENTRY(13, COMBINED_IMAGE_SAMPLER, 1, immutable, 0),
        ENTRY(8, INLINE_UNIFORM_BLOCK, sizeof(inline_words), inline_words, 0),
    };
#undef ENTRY
    /* With all of them, and without the last one. */
    VkDescriptorUpdateTemplate templates[2];
    for (uint32_t i = 0; i < 2; i++)
        must(vkCreateDescriptorUpdateTemplate(
            gpu.device,
            &(VkDescriptorUpdateTemplateCreateInfo){
                .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_UPDATE_TEMPLATE_CREATE_INFO,
                .descriptorUpdateEntryCount = ARRAY_SIZE(entries) - i,
                .pDescriptorUpdateEntries = entries,
                .templateType = VK_DESCRIPTOR_UPDATE_TEMPLATE_TYPE_DESCRIPTOR_SET,
                .descriptorSetLayout = set_layout,
                /* Only for pushed descriptors. */
                .pipelineBindPoint = VK_PIPELINE_BIND_POINT_COMPUTE,
                .pipelineLayout = (VkPipelineLayout)GARBAGE_HANDLE,
                .set = 12345,
            },
            NULL, &templates[i]));

    const VkSampler no_sampler = (VkSampler)GARBAGE_HANDLE;
    struct template_data data;
    memset(&data, 0xee, sizeof(data));
    data.result = (VkDescriptorBufferInfo){results.handle, 0, VK_WHOLE_SIZE};
    data.combined[0].info = image_info(sampler, IMAGE_COMBINED_0);
    data.combined[1].info = image_info(sampler, IMAGE_COMBINED_1);
    data.storage_texels = storage_view;
    data.uniform_texels = uniform_view;
    data.sampled = image_info(no_sampler, IMAGE_SAMPLED);
    data.storage = image_info(no_sampler, IMAGE_STORAGE);
    data.immutable = image_info(no_sampler, IMAGE_IMMUTABLE);
    data.uniform = uniform_info();
    memcpy(data.inline_words, inline_words, sizeof(inline_words));
    data.dynamic = (VkDescriptorBufferInfo){dynamics.handle, 0, 4};

    const VkDescriptorPool pool = create_pool(2, 0);
    const VkDescriptorSet set = allocate_set(pool, set_layout);
    const VkDescriptorSet other = allocate_set(pool, set_layout);
    vkUpdateDescriptorSetWithTemplate(gpu.device, set, templates[0], &data);
    vkUpdateDescriptorSetWithTemplate(gpu.device, other, templates[1], &data);
    memset(&data, 0xee, sizeof(data)); /* it was read, not remembered */
    write_inline_block(other);
    run("template", set);
    run("template and a write", other);
    vkDestroyDescriptorPool(gpu.device, pool, NULL);
    for (uint32_t i = 0; i < 2; i++)
        vkDestroyDescriptorUpdateTemplate(gpu.device, templates[i], NULL);
}

struct pushed_data {
    VkDescriptorImageInfo combined[2];
    VkDescriptorBufferInfo uniform;
    VkBufferView view;
};

static void expect_pushed(uint32_t slot, uint32_t uniform, uint32_t first, uint32_t second,
                          uint32_t texel)
{
    const uint32_t wanted[] = {uniform, 3000 + first, 3000 + second, texel};
    const uint32_t *got = (const uint32_t *)results.map + 4 * slot;
    for (uint32_t i = 0; i < 4; i++)
        expect(got[i] == wanted[i], "push %u: descriptor %u gives %u, not %u", slot, i, got[i],
               wanted[i]);
}

static void dispatch_pushed(VkCommandBuffer commands, VkPipelineLayout pushed_layout, uint32_t slot)
{
    vkCmdPushConstants(commands, pushed_layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(slot),
                       &slot);
    vkCmdDispatch(commands, 1, 1, 1);
}

static void test_pushed(void)
{
    const PFN_vkCmdPushDescriptorSetKHR push =
        (PFN_vkCmdPushDescriptorSetKHR)vkGetDeviceProcAddr(gpu.device, "vkCmdPushDescriptorSetKHR");
    const PFN_vkCmdPushDescriptorSetWithTemplateKHR push_template =
        (PFN_vkCmdPushDescriptorSetWithTemplateKHR)vkGetDeviceProcAddr(
            gpu.device, "vkCmdPushDescriptorSetWithTemplateKHR");
    expect(push && push_template, "VK_KHR_push_descriptor is there without its commands");

    const VkDescriptorSetLayoutBinding bindings[] = {
        binding(0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1),
        binding(1, VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, 1),
        binding(2, VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER, 2),
        binding(4, VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER, 1),
    };
    VkDescriptorSetLayout pushed_set;
    must(vkCreateDescriptorSetLayout(
        gpu.device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .flags = VK_DESCRIPTOR_SET_LAYOUT_CREATE_PUSH_DESCRIPTOR_BIT_KHR,
            .bindingCount = ARRAY_SIZE(bindings),
            .pBindings = bindings,
        },
        NULL, &pushed_set));
    const VkPipelineLayout pushed_layout = create_pipeline_layout(pushed_set, sizeof(uint32_t));
    const VkPipeline pushed_pipeline = compute_pipeline_init(
        &gpu, pushed_layout, push_descriptors_comp, sizeof(push_descriptors_comp), NULL);

    static const VkDescriptorUpdateTemplateEntry entries[] = {
        {2, 0, 2, VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER, offsetof(struct pushed_data, combined),
         sizeof(VkDescriptorImageInfo)},
        {1, 0, 1, VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, offsetof(struct pushed_data, uniform), 0},
        {4, 0, 1, VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER, offsetof(struct pushed_data, view), 0},
    };
    VkDescriptorUpdateTemplate template;
    must(vkCreateDescriptorUpdateTemplate(
        gpu.device,
        &(VkDescriptorUpdateTemplateCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_UPDATE_TEMPLATE_CREATE_INFO,
            .descriptorUpdateEntryCount = ARRAY_SIZE(entries),
            .pDescriptorUpdateEntries = entries,
            .templateType = VK_DESCRIPTOR_UPDATE_TEMPLATE_TYPE_PUSH_DESCRIPTORS_KHR,
            .descriptorSetLayout = (VkDescriptorSetLayout)GARBAGE_HANDLE,
            .pipelineBindPoint = VK_PIPELINE_BIND_POINT_COMPUTE,
            .pipelineLayout = pushed_layout,
            .set = 0,
        },
        NULL, &template));

    /* dstSet is ignored when descriptors are pushed. */
    const VkDescriptorSet no_set = (VkDescriptorSet)GARBAGE_HANDLE;
    const VkDescriptorBufferInfo result_info = {results.handle, 0, VK_WHOLE_SIZE};
    VkDescriptorBufferInfo uniform = {uniforms.handle, 0, 16};
    VkDescriptorImageInfo combined[] = {
        image_info(sampler, IMAGE_COMBINED_0),
        image_info(sampler, IMAGE_COMBINED_1),
    };
    VkWriteDescriptorSet writes[] = {
        write_of(no_set, 0, 0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER),
        write_of(no_set, 1, 0, VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER),
        write_of(no_set, 2, 0, VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER),
        write_of(no_set, 4, 0, VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER),
    };
    writes[0].pBufferInfo = &result_info;
    writes[1].pBufferInfo = &uniform;
    writes[2].pImageInfo = combined;
    writes[2].descriptorCount = 2;
    writes[3].pTexelBufferView = &storage_view;

    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pushed_pipeline);
    push(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pushed_layout, 0, ARRAY_SIZE(writes), writes);
    dispatch_pushed(commands, pushed_layout, 0);

    /* One of them anew, the others stay. What was passed may change at once. */
    const VkDeviceSize aligned = gpu.properties.limits.minUniformBufferOffsetAlignment;
    uniform.offset = aligned;
    push(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pushed_layout, 0, 1, &writes[1]);
    memset(combined, 0xee, sizeof(combined));
    memset(&uniform, 0xee, sizeof(uniform));
    dispatch_pushed(commands, pushed_layout, 1);

    struct pushed_data data = {
        .combined = {image_info(sampler, IMAGE_SAMPLED), image_info(sampler, IMAGE_IMMUTABLE)},
        .uniform = {uniforms.handle, 2 * aligned, 16},
        .view = storage_view,
    };
    push_template(commands, template, pushed_layout, 0, &data);
    memset(&data, 0xee, sizeof(data));
    dispatch_pushed(commands, pushed_layout, 2);
    memory_barrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                   VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    commands_finish(&gpu, commands);

    const uint32_t step = (uint32_t)aligned / 4;
    const uint32_t texel = ((const uint32_t *)texels.map)[0];
    expect_pushed(0, 1000, IMAGE_COMBINED_0, IMAGE_COMBINED_1, texel);
    expect_pushed(1, 1000 + step, IMAGE_COMBINED_0, IMAGE_COMBINED_1, texel);
    expect_pushed(2, 1000 + 2 * step, IMAGE_SAMPLED, IMAGE_IMMUTABLE, texel);

    vkDestroyDescriptorUpdateTemplate(gpu.device, template, NULL);
    vkDestroyPipeline(gpu.device, pushed_pipeline, NULL);
    vkDestroyPipelineLayout(gpu.device, pushed_layout, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, pushed_set, NULL);
}

struct bindless_push {
    VkDeviceAddress address;
    uint32_t index;
};

/* A set with a variable count, mostly unbound, written after it was bound; and a buffer that the
 * shader knows only by its address. */
static void test_bindless(void)
{
    enum {
        MAXIMUM = 32,
        COUNT = 20,
        INDEX = 17
    };
    VkDescriptorSetLayoutBinding bindings[] = {
        binding(0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1),
        binding(1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, MAXIMUM),
    };
    /* No garbage here: the validation layer of Debian 12 reads it in
     * vkGetDescriptorSetLayoutSupport. */
    bindings[0].pImmutableSamplers = bindings[1].pImmutableSamplers = NULL;
    const VkDescriptorSetLayoutCreateInfo create_info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .pNext =
            &(VkDescriptorSetLayoutBindingFlagsCreateInfo){
                .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_BINDING_FLAGS_CREATE_INFO,
                .bindingCount = 2,
                .pBindingFlags =
                    (const VkDescriptorBindingFlags[]){
                        0,
                        VK_DESCRIPTOR_BINDING_PARTIALLY_BOUND_BIT |
                            VK_DESCRIPTOR_BINDING_UPDATE_AFTER_BIND_BIT |
                            VK_DESCRIPTOR_BINDING_VARIABLE_DESCRIPTOR_COUNT_BIT,
                    },
            },
        .flags = VK_DESCRIPTOR_SET_LAYOUT_CREATE_UPDATE_AFTER_BIND_POOL_BIT,
        .bindingCount = ARRAY_SIZE(bindings),
        .pBindings = bindings,
    };
    VkDescriptorSetVariableDescriptorCountLayoutSupport variable = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_VARIABLE_DESCRIPTOR_COUNT_LAYOUT_SUPPORT,
    };
    VkDescriptorSetLayoutSupport support = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_SUPPORT,
        .pNext = &variable,
    };
    vkGetDescriptorSetLayoutSupport(gpu.device, &create_info, &support);
    expect(support.supported && variable.maxVariableDescriptorCount >= MAXIMUM,
           "the layout is not supported (%u, %u)", support.supported,
           variable.maxVariableDescriptorCount);

    VkDescriptorSetLayout bindless_set;
    must(vkCreateDescriptorSetLayout(gpu.device, &create_info, NULL, &bindless_set));
    const VkPipelineLayout bindless_layout =
        create_pipeline_layout(bindless_set, sizeof(struct bindless_push));
    const VkPipeline bindless_pipeline =
        compute_pipeline_init(&gpu, bindless_layout, bindless_comp, sizeof(bindless_comp), NULL);
    const VkDescriptorPool pool = create_pool(1, VK_DESCRIPTOR_POOL_CREATE_UPDATE_AFTER_BIND_BIT);
    VkDescriptorSet set;
    must(vkAllocateDescriptorSets(
        gpu.device,
        &(VkDescriptorSetAllocateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
            .pNext =
                &(VkDescriptorSetVariableDescriptorCountAllocateInfo){
                    .sType =
                        VK_STRUCTURE_TYPE_DESCRIPTOR_SET_VARIABLE_DESCRIPTOR_COUNT_ALLOCATE_INFO,
                    .descriptorSetCount = 1,
                    .pDescriptorCounts = &(const uint32_t){COUNT},
                },
            .descriptorPool = pool,
            .descriptorSetCount = 1,
            .pSetLayouts = &bindless_set,
        },
        &set));

    /* A buffer with an address, in memory that says so. */
    VkBuffer addressed;
    must(vkCreateBuffer(
        gpu.device,
        &(VkBufferCreateInfo){
            .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
            .size = 64,
            .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT,
        },
        NULL, &addressed));
    VkMemoryRequirements needs;
    vkGetBufferMemoryRequirements(gpu.device, addressed, &needs);
    VkDeviceMemory memory;
    must(vkAllocateMemory(
        gpu.device,
        &(VkMemoryAllocateInfo){
            .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
            .pNext =
                &(VkMemoryAllocateFlagsInfo){
                    .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
                    .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT,
                },
            .allocationSize = needs.size,
            .memoryTypeIndex = find_memory_type(
                &gpu, needs.memoryTypeBits,
                VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, 0),
        },
        NULL, &memory));
    must(vkBindBufferMemory(gpu.device, addressed, memory, 0));
    uint32_t *words;
    must(vkMapMemory(gpu.device, memory, 0, VK_WHOLE_SIZE, 0, (void **)&words));
    for (uint32_t i = 0; i < 16; i++)
        words[i] = 5000 + i;
    const VkDeviceAddress address = vkGetBufferDeviceAddress(
        gpu.device, &(VkBufferDeviceAddressInfo){
                        .sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                        .buffer = addressed,
                    });
    expect(address != 0, "the buffer has no address");

    VkWriteDescriptorSet write = write_of(set, 0, 0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER);
    write.pBufferInfo = &(VkDescriptorBufferInfo){results.handle, 0, VK_WHOLE_SIZE};
    vkUpdateDescriptorSets(gpu.device, 1, &write, 0, NULL);

    const VkCommandBuffer commands = commands_begin(&gpu);
    const struct bindless_push push = {address, INDEX};
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, bindless_pipeline);
    vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, bindless_layout, 0, 1, &set,
                            0, GARBAGE_POINTER);
    vkCmdPushConstants(commands, bindless_layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(push),
                       &push);
    vkCmdDispatch(commands, 1, 1, 1);
    memory_barrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                   VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    /* Bound already, and only now written. */
    write = write_of(set, 1, INDEX, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER);
    write.pBufferInfo = &(VkDescriptorBufferInfo){dynamics.handle, 4 * dynamic_stride, 4};
    vkUpdateDescriptorSets(gpu.device, 1, &write, 0, NULL);
    commands_finish(&gpu, commands);

    const uint32_t *got = results.map;
    expect(got[0] == 9004, "the array gives %u, not 9004", got[0]);
    expect(got[1] == 5003, "the address gives %u, not 5003", got[1]);
    expect(words[4] == 9004 + 5003, "the shader wrote %u to the address, not %u", words[4],
           9004 + 5003);
    vkDestroyBuffer(gpu.device, addressed, NULL);
    vkFreeMemory(gpu.device, memory, NULL);
    vkDestroyDescriptorPool(gpu.device, pool, NULL);
    vkDestroyPipeline(gpu.device, bindless_pipeline, NULL);
    vkDestroyPipelineLayout(gpu.device, bindless_layout, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, bindless_set, NULL);
}

static void test_pools(void)
{
    /* Sets that come and go one by one. The handles may be used again, the contents must not. */
    VkDescriptorPool pool = create_pool(3, VK_DESCRIPTOR_POOL_CREATE_FREE_DESCRIPTOR_SET_BIT);
    for (uint32_t round = 0; round < 30; round++) {
        VkDescriptorSet sets[3];
        must(vkAllocateDescriptorSets(
            gpu.device,
            &(VkDescriptorSetAllocateInfo){
                .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                .descriptorPool = pool,
                .descriptorSetCount = 3,
                .pSetLayouts = (const VkDescriptorSetLayout[]){set_layout, set_layout, set_layout},
            },
            sets));
        expect(sets[0] != sets[1] && sets[1] != sets[2] && sets[0] != sets[2],
               "two sets have one handle");
        write_set(sets[1], TOGETHER);
        if (round % 10 == 0)
            run("a set among others", sets[1]);
        const VkDescriptorSet freed[] = {sets[2], VK_NULL_HANDLE, sets[0]};
        must(vkFreeDescriptorSets(gpu.device, pool, 3, freed));
        if (round % 10 == 5)
            run("a set whose neighbours are gone", sets[1]);
        must(vkFreeDescriptorSets(gpu.device, pool, 1, &sets[1]));
    }
    vkDestroyDescriptorPool(gpu.device, pool, NULL);

    /* All at once: reset, and destroy with sets in it. */
    pool = create_pool(3, 0);
    for (uint32_t round = 0; round < 20; round++) {
        VkDescriptorSet set = VK_NULL_HANDLE;
        for (uint32_t i = 0; i < 3; i++)
            set = allocate_set(pool, set_layout);
        write_set(set, TOGETHER);
        if (round % 7 == 0)
            run("a set of a pool that was reset", set);
        must(vkResetDescriptorPool(gpu.device, pool, 0));
    }
    allocate_set(pool, set_layout);
    vkDestroyDescriptorPool(gpu.device, pool, NULL);

    /* A pool that is empty may say so, and then the array holds null handles. */
    pool = create_pool(2, 0);
    for (uint32_t i = 0; i < 100; i++) {
        VkDescriptorSet set = (VkDescriptorSet)GARBAGE_HANDLE;
        const VkResult result =
            vkAllocateDescriptorSets(gpu.device,
                                     &(VkDescriptorSetAllocateInfo){
                                         .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                         .descriptorPool = pool,
                                         .descriptorSetCount = 1,
                                         .pSetLayouts = &set_layout,
                                     },
                                     &set);
        expect(result == VK_SUCCESS || result == VK_ERROR_OUT_OF_POOL_MEMORY ||
                   result == VK_ERROR_FRAGMENTED_POOL,
               "allocating from an empty pool gave %s", result_name(result));
        expect(i >= 2 || result == VK_SUCCESS, "set %u of 2 could not be allocated", i);
        if (result != VK_SUCCESS) {
            expect(set == VK_NULL_HANDLE, "a failed allocation left a handle");
            break;
        }
    }
    vkDestroyDescriptorPool(gpu.device, pool, NULL);
}

static void test_empty_layouts(void)
{
    VkDescriptorSetLayout empty;
    must(vkCreateDescriptorSetLayout(
        gpu.device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = 0,
            .pBindings = GARBAGE_POINTER,
        },
        NULL, &empty));
    VkPipelineLayout nothing;
    must(vkCreatePipelineLayout(gpu.device,
                                &(VkPipelineLayoutCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                    .setLayoutCount = 0,
                                    .pSetLayouts = GARBAGE_POINTER,
                                    .pushConstantRangeCount = 0,
                                    .pPushConstantRanges = GARBAGE_POINTER,
                                },
                                NULL, &nothing));
    const VkDescriptorPool pool = create_pool(1, 0);
    expect(allocate_set(pool, empty) != VK_NULL_HANDLE, "a set of an empty layout has no handle");
    vkDestroyDescriptorPool(gpu.device, pool, NULL);
    vkDestroyPipelineLayout(gpu.device, nothing, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, empty, NULL);
}

static const struct test {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"writes with garbage in ignored members", test_writes},
    {"copies", test_copies},
    {"update templates", test_template},
    {"pushed descriptors", test_pushed},
    {"variable counts, late writes, addresses", test_bindless},
    {"pools", test_pools},
    {"empty layouts", test_empty_layouts},
};

int main(void)
{
    gpu_init(&gpu,
             &(struct gpu_options){
                 .name = "descriptors",
                 .device_extensions = (const char *const[]){VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME},
                 .device_extension_count = 1,
                 .features =
                     &(VkPhysicalDeviceVulkan12Features){
                         .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
                         .pNext =
                             &(VkPhysicalDeviceVulkan13Features){
                                 .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
                                 .inlineUniformBlock = VK_TRUE,
                             },
                         .descriptorIndexing = VK_TRUE,
                         .shaderStorageBufferArrayNonUniformIndexing = VK_TRUE,
                         .descriptorBindingStorageBufferUpdateAfterBind = VK_TRUE,
                         .descriptorBindingPartiallyBound = VK_TRUE,
                         .descriptorBindingVariableDescriptorCount = VK_TRUE,
                         .runtimeDescriptorArray = VK_TRUE,
                         .bufferDeviceAddress = VK_TRUE,
                     },
             });
    create_resources();
    create_pipeline();
    printf("descriptors:\n");
    for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
        section(tests[i].name);
        tests[i].run();
    }
    vkDestroyPipeline(gpu.device, pipeline, NULL);
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, set_layout, NULL);
    destroy_resources();
    gpu_finish(&gpu);
    printf("descriptors: %zu tests passed\n", ARRAY_SIZE(tests));
    return 0;
}
