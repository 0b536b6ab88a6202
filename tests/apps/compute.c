/* SPDX-License-Identifier: MIT
 *
 * A million integers go through a chain of dispatches, are added up on the GPU, come back, and are
 * computed again on the CPU.
 */
#include "common.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mix_comp.h"
#include "sum_comp.h"

enum {
    ELEMENT_COUNT = 1 << 20,
    STEP_COUNT = 9,
    SUM_GROUP_SIZE = 256,
};

struct push {
    uint32_t count;
    uint32_t factor;
    uint32_t addend;
};

static const struct variant {
    uint32_t group_size;
    uint32_t operation;
    VkBool32 invert;
} variants[] = {
    {64, 0, VK_FALSE},
    {128, 1, VK_TRUE},
    {32, 2, VK_FALSE},
};

static struct push step_push(uint32_t step)
{
    return (struct push){
        .count = ELEMENT_COUNT,
        .factor = mix32(step) | 1,
        .addend = mix32(step + 100),
    };
}

static void step_on_cpu(uint32_t step, const uint32_t *source, uint32_t *target)
{
    const struct variant *variant = &variants[step % ARRAY_SIZE(variants)];
    const struct push push = step_push(step);
    for (uint32_t i = 0; i < ELEMENT_COUNT; i++) {
        uint32_t value = source[i];
        if (variant->operation == 0)
            value = value * push.factor + push.addend;
        else if (variant->operation == 1)
            value = ((value ^ (value >> 15)) * push.factor) ^ push.addend;
        else
            value += source[(i + push.addend) % ELEMENT_COUNT] * push.factor;
        target[i] = variant->invert ? ~value : value;
    }
}

struct program {
    struct gpu gpu;
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkPipeline mix[ARRAY_SIZE(variants)];
    VkPipeline sum;
    struct buffer staging;  /* the numbers, going up and coming down */
    struct buffer data[2];  /* each step reads one and writes the other */
    struct buffer total;    /* what sum.comp found */
    struct buffer indirect; /* group counts of the last step */
    VkDescriptorPool pool;
    VkDescriptorSet step_sets[2];
    VkDescriptorSet sum_set;
};

static void create_pipelines(struct program *p)
{
    p->set_layout =
        set_layout_of_two(&p->gpu, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                          VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, VK_SHADER_STAGE_COMPUTE_BIT);
    p->layout = pipeline_layout_init(&p->gpu, &p->set_layout, VK_SHADER_STAGE_COMPUTE_BIT,
                                     sizeof(struct push));

    const VkSpecializationMapEntry entries[] = {
        {0, offsetof(struct variant, group_size), sizeof(uint32_t)},
        {1, offsetof(struct variant, operation), sizeof(uint32_t)},
        {2, offsetof(struct variant, invert), sizeof(VkBool32)},
    };
    for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
        p->mix[i] = compute_pipeline_init(&p->gpu, p->layout, mix_comp, sizeof(mix_comp),
                                          &(VkSpecializationInfo){
                                              .mapEntryCount = ARRAY_SIZE(entries),
                                              .pMapEntries = entries,
                                              .dataSize = sizeof(variants[i]),
                                              .pData = &variants[i],
                                          });
    p->sum = compute_pipeline_init(&p->gpu, p->layout, sum_comp, sizeof(sum_comp),
                                   &(VkSpecializationInfo){
                                       .mapEntryCount = 1,
                                       .pMapEntries = entries,
                                       .dataSize = sizeof(uint32_t),
                                       .pData = &(const uint32_t){SUM_GROUP_SIZE},
                                   });
}

static void write_set(struct program *p, VkDescriptorSet set, const struct buffer *source,
                      const struct buffer *target)
{
    const VkDescriptorBufferInfo buffers[] = {
        {source->handle, 0, VK_WHOLE_SIZE},
        {target->handle, 0, target->size},
    };
    vkUpdateDescriptorSets(p->gpu.device, 1,
                           &(VkWriteDescriptorSet){
                               .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                               .dstSet = set,
                               .descriptorCount = ARRAY_SIZE(buffers),
                               .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                               .pBufferInfo = buffers,
                           },
                           0, NULL);
}

static void create_buffers(struct program *p)
{
    const VkDeviceSize size = ELEMENT_COUNT * sizeof(uint32_t);
    buffer_init_host(&p->gpu, &p->staging, size,
                     VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    for (int i = 0; i < 2; i++)
        buffer_init_device(&p->gpu, &p->data[i], size,
                           VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                               VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    buffer_init_host(&p->gpu, &p->total, sizeof(uint32_t),
                     VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    buffer_init_host(&p->gpu, &p->indirect, sizeof(VkDispatchIndirectCommand),
                     VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT);

    must(vkCreateDescriptorPool(
        p->gpu.device,
        &(VkDescriptorPoolCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .maxSets = 3,
            .poolSizeCount = 1,
            .pPoolSizes = &(VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 6},
        },
        NULL, &p->pool));
    VkDescriptorSet sets[3];
    must(vkAllocateDescriptorSets(
        p->gpu.device,
        &(VkDescriptorSetAllocateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
            .descriptorPool = p->pool,
            .descriptorSetCount = 3,
            .pSetLayouts =
                (const VkDescriptorSetLayout[]){p->set_layout, p->set_layout, p->set_layout},
        },
        sets));
    memcpy(p->step_sets, sets, sizeof(p->step_sets));
    p->sum_set = sets[2];
    write_set(p, p->step_sets[0], &p->data[0], &p->data[1]);
    write_set(p, p->step_sets[1], &p->data[1], &p->data[0]);
    write_set(p, p->sum_set, &p->data[STEP_COUNT % 2], &p->total);
}

static void compute_to_compute(VkCommandBuffer commands)
{
    memory_barrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                   VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_READ_BIT);
}

static void run_on_gpu(struct program *p)
{
    const VkCommandBuffer commands = commands_begin(&p->gpu);
    const VkBufferCopy whole = {0, 0, p->staging.size};
    vkCmdCopyBuffer(commands, p->staging.handle, p->data[0].handle, 1, &whole);
    vkCmdFillBuffer(commands, p->total.handle, 0, VK_WHOLE_SIZE, 0);
    memory_barrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                   VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                   VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);

    for (uint32_t step = 0; step < STEP_COUNT; step++) {
        const size_t variant = step % ARRAY_SIZE(variants);
        const struct push push = step_push(step);
        vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, p->mix[variant]);
        vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, p->layout, 0, 1,
                                &p->step_sets[step % 2], 0, NULL);
        /* In two parts, as an engine that updates only what changed would. */
        vkCmdPushConstants(commands, p->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(push.count),
                           &push.count);
        vkCmdPushConstants(commands, p->layout, VK_SHADER_STAGE_COMPUTE_BIT,
                           offsetof(struct push, factor), sizeof(push) - sizeof(push.count),
                           &push.factor);
        const uint32_t groups = ELEMENT_COUNT / variants[variant].group_size;
        if (step == STEP_COUNT - 1) {
            *(VkDispatchIndirectCommand *)p->indirect.map =
                (VkDispatchIndirectCommand){groups, 1, 1};
            vkCmdDispatchIndirect(commands, p->indirect.handle, 0);
        } else {
            vkCmdDispatch(commands, groups, 1, 1);
        }
        compute_to_compute(commands);
    }

    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, p->sum);
    vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, p->layout, 0, 1, &p->sum_set,
                            0, NULL);
    vkCmdPushConstants(commands, p->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(uint32_t),
                       &(const uint32_t){ELEMENT_COUNT});
    vkCmdDispatch(commands, ELEMENT_COUNT / SUM_GROUP_SIZE, 1, 1);

    memory_barrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                   VK_PIPELINE_STAGE_TRANSFER_BIT | VK_PIPELINE_STAGE_HOST_BIT,
                   VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_HOST_READ_BIT);
    vkCmdCopyBuffer(commands, p->data[STEP_COUNT % 2].handle, p->staging.handle, 1, &whole);
    memory_barrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                   VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    commands_finish(&p->gpu, commands);
}

static void check(const struct program *p, const uint32_t *input)
{
    uint32_t *arrays[2] = {
        malloc(ELEMENT_COUNT * sizeof(uint32_t)),
        malloc(ELEMENT_COUNT * sizeof(uint32_t)),
    };
    memcpy(arrays[0], input, ELEMENT_COUNT * sizeof(uint32_t));
    for (uint32_t step = 0; step < STEP_COUNT; step++)
        step_on_cpu(step, arrays[step % 2], arrays[(step + 1) % 2]);

    const uint32_t *wanted = arrays[STEP_COUNT % 2];
    const uint32_t *got = p->staging.map;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < ELEMENT_COUNT; i++) {
        expect(got[i] == wanted[i], "element %u is %#x, not %#x", i, got[i], wanted[i]);
        sum += wanted[i];
    }
    const uint32_t total = *(const uint32_t *)p->total.map;
    expect(total == sum, "the GPU's sum is %#x, not %#x", total, sum);
    printf("compute: %d elements, %d dispatches, sum of all %#010x correct\n", ELEMENT_COUNT,
           STEP_COUNT + 1, sum);
    free(arrays[0]);
    free(arrays[1]);
}

int main(void)
{
    struct program program = {0};
    struct program *p = &program;
    gpu_init(&p->gpu, &(struct gpu_options){.name = "compute"});
    printf("compute: on %s\n", p->gpu.properties.deviceName);
    create_pipelines(p);
    create_buffers(p);

    uint32_t *input = malloc(ELEMENT_COUNT * sizeof(*input));
    for (uint32_t i = 0; i < ELEMENT_COUNT; i++)
        input[i] = mix32(i);
    memcpy(p->staging.map, input, ELEMENT_COUNT * sizeof(*input));
    run_on_gpu(p);
    check(p, input);
    free(input);

    vkDestroyDescriptorPool(p->gpu.device, p->pool, NULL);
    buffer_finish(&p->gpu, &p->indirect);
    buffer_finish(&p->gpu, &p->total);
    buffer_finish(&p->gpu, &p->data[1]);
    buffer_finish(&p->gpu, &p->data[0]);
    buffer_finish(&p->gpu, &p->staging);
    vkDestroyPipeline(p->gpu.device, p->sum, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
        vkDestroyPipeline(p->gpu.device, p->mix[i], NULL);
    vkDestroyPipelineLayout(p->gpu.device, p->layout, NULL);
    vkDestroyDescriptorSetLayout(p->gpu.device, p->set_layout, NULL);
    gpu_finish(&p->gpu);
    return 0;
}
