/* SPDX-License-Identifier: MIT
 *
 * Shader group handles, which are bytes that go into a buffer.
 */
#include "shapes.h"

#include <string.h>

#include "launch_rgen.h"

void shapes_launch(void)
{
    LOAD(vkCreateRayTracingPipelinesKHR);
    LOAD(vkGetRayTracingShaderGroupHandlesKHR);
    LOAD(vkCmdTraceRaysKHR);
    VkPhysicalDeviceRayTracingPipelinePropertiesKHR limits = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_RAY_TRACING_PIPELINE_PROPERTIES_KHR,
    };
    vkGetPhysicalDeviceProperties2(gpu.physical,
                                   &(VkPhysicalDeviceProperties2){
                                       .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                       .pNext = &limits,
                                   });
    enum {
        WIDTH = 5,
        HEIGHT = 3
    };
    VkDescriptorSetLayout set_layout;
    must(vkCreateDescriptorSetLayout(
        gpu.device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .flags = VK_DESCRIPTOR_SET_LAYOUT_CREATE_PUSH_DESCRIPTOR_BIT_KHR,
            .bindingCount = 1,
            .pBindings = &(VkDescriptorSetLayoutBinding){0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1,
                                                         VK_SHADER_STAGE_RAYGEN_BIT_KHR, NULL},
        },
        NULL, &set_layout));
    const VkPipelineLayout layout = shapes_create_layout(1, &set_layout);
    const VkShaderModule module = shader_init(&gpu, launch_rgen, sizeof(launch_rgen));
    VkPipeline pipeline;
    must(vkCreateRayTracingPipelinesKHR_(
        gpu.device, VK_NULL_HANDLE, VK_NULL_HANDLE, 1,
        &(VkRayTracingPipelineCreateInfoKHR){
            .sType = VK_STRUCTURE_TYPE_RAY_TRACING_PIPELINE_CREATE_INFO_KHR,
            .stageCount = 1,
            .pStages =
                &(VkPipelineShaderStageCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                    .stage = VK_SHADER_STAGE_RAYGEN_BIT_KHR,
                    .module = module,
                    .pName = "main",
                },
            .groupCount = 1,
            .pGroups =
                &(VkRayTracingShaderGroupCreateInfoKHR){
                    .sType = VK_STRUCTURE_TYPE_RAY_TRACING_SHADER_GROUP_CREATE_INFO_KHR,
                    .type = VK_RAY_TRACING_SHADER_GROUP_TYPE_GENERAL_KHR,
                    .generalShader = 0,
                    .closestHitShader = VK_SHADER_UNUSED_KHR,
                    .anyHitShader = VK_SHADER_UNUSED_KHR,
                    .intersectionShader = VK_SHADER_UNUSED_KHR,
                },
            .maxPipelineRayRecursionDepth = 1,
            .layout = layout,
        },
        NULL, &pipeline));
    struct buffer table, result;
    const VkDeviceAddress address =
        buffer_init_addressed(&gpu, &table, 4096, VK_BUFFER_USAGE_SHADER_BINDING_TABLE_BIT_KHR);
    const VkDeviceAddress start = (address + limits.shaderGroupBaseAlignment - 1) /
                                  limits.shaderGroupBaseAlignment * limits.shaderGroupBaseAlignment;
    must(vkGetRayTracingShaderGroupHandlesKHR_(gpu.device, pipeline, 0, 1,
                                               limits.shaderGroupHandleSize,
                                               (char *)table.map + (start - address)));
    buffer_init_host(&gpu, &result, WIDTH * HEIGHT * 4, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);

    LOAD(vkCmdPushDescriptorSetKHR);
    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_RAY_TRACING_KHR, pipeline);
    vkCmdPushDescriptorSetKHR_(
        commands, VK_PIPELINE_BIND_POINT_RAY_TRACING_KHR, layout, 0, 1,
        &(VkWriteDescriptorSet){
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .descriptorCount = 1,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .pBufferInfo = &(VkDescriptorBufferInfo){result.handle, 0, VK_WHOLE_SIZE},
        });
    const VkStridedDeviceAddressRegionKHR none = {0};
    vkCmdTraceRaysKHR_(commands,
                       &(VkStridedDeviceAddressRegionKHR){start, limits.shaderGroupHandleSize,
                                                          limits.shaderGroupHandleSize},
                       &none, &none, &none, WIDTH, HEIGHT, 1);
    memory_barrier(commands, VK_PIPELINE_STAGE_RAY_TRACING_SHADER_BIT_KHR,
                   VK_ACCESS_SHADER_WRITE_BIT, VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    commands_finish(&gpu, commands);
    const uint32_t *ids = result.map;
    for (uint32_t i = 0; i < WIDTH * HEIGHT; i++)
        expect(ids[i] == i / WIDTH * 1000 + i % WIDTH, "ray %u says %u", i, ids[i]);

    vkDestroyPipeline(gpu.device, pipeline, NULL);
    vkDestroyShaderModule(gpu.device, module, NULL);
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, set_layout, NULL);
    buffer_finish(&gpu, &result);
    buffer_finish(&gpu, &table);
}
