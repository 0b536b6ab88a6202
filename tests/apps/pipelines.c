/* SPDX-License-Identifier: MIT
 *
 * Pipelines: caches, feedback, and specialisation.
 */
#include "common.h"

#include <stdlib.h>
#include <string.h>

#include "mix_comp.h"
#include "sum_comp.h"

static struct gpu gpu;

static VkPipelineLayout create_compute_layout(VkDescriptorSetLayout *set_layout)
{
    *set_layout = set_layout_of_two(&gpu, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                    VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, VK_SHADER_STAGE_COMPUTE_BIT);
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
           "it gave %s with handle %p", result_name(result), (void *)(uintptr_t)refused);
    vkDestroyPipeline(gpu.device, refused, NULL);

    for (uint32_t i = 0; i < 2; i++) {
        vkDestroyPipeline(gpu.device, pipelines[i], NULL);
        vkDestroyShaderModule(gpu.device, modules[i], NULL);
    }
    vkDestroyPipelineCache(gpu.device, cache, NULL);
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, set_layout, NULL);
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

static const struct program_part parts[] = {
    {"specialisation", test_specialization},
    {"pipeline caches and feedback", test_pipeline_cache},
};

int main(void)
{
    const VkPhysicalDeviceVulkan13Features features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
        .pipelineCreationCacheControl = VK_TRUE,
    };
    gpu_init(&gpu, &(struct gpu_options){.name = "pipelines", .features = &features});
    run_parts("pipelines", parts, ARRAY_SIZE(parts));
    gpu_finish(&gpu);
    return 0;
}
