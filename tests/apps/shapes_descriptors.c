/* SPDX-License-Identifier: MIT
 *
 * Descriptors that are bytes in buffers.
 */
#include "shapes.h"

#include <string.h>

#include "sum_comp.h"

void shapes_descriptors(void)
{
    LOAD(vkGetDescriptorSetLayoutSizeEXT);
    LOAD(vkGetDescriptorSetLayoutBindingOffsetEXT);
    LOAD(vkGetDescriptorEXT);
    LOAD(vkCmdBindDescriptorBuffersEXT);
    LOAD(vkCmdSetDescriptorBufferOffsetsEXT);
    VkPhysicalDeviceDescriptorBufferPropertiesEXT limits = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_BUFFER_PROPERTIES_EXT,
    };
    vkGetPhysicalDeviceProperties2(gpu.physical,
                                   &(VkPhysicalDeviceProperties2){
                                       .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                       .pNext = &limits,
                                   });
    VkDescriptorSetLayout set_layout;
    must(vkCreateDescriptorSetLayout(
        gpu.device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .flags = VK_DESCRIPTOR_SET_LAYOUT_CREATE_DESCRIPTOR_BUFFER_BIT_EXT,
            .bindingCount = 2,
            .pBindings =
                (const VkDescriptorSetLayoutBinding[]){
                    {0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL},
                    {1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL},
                },
        },
        NULL, &set_layout));
    VkDeviceSize size = 0;
    vkGetDescriptorSetLayoutSizeEXT_(gpu.device, set_layout, &size);
    expect(size, "a layout of no size");

    enum {
        COUNT = 256
    };
    struct buffer set, source, total;
    const VkDeviceAddress set_address =
        buffer_init_addressed(&gpu, &set, size + limits.descriptorBufferOffsetAlignment,
                              VK_BUFFER_USAGE_RESOURCE_DESCRIPTOR_BUFFER_BIT_EXT);
    const VkDeviceAddress addresses[2] = {
        buffer_init_addressed(&gpu, &source, COUNT * 4, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT),
        buffer_init_addressed(&gpu, &total, 4, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT),
    };
    uint32_t sum = 0;
    for (uint32_t i = 0; i < COUNT; i++)
        sum += ((uint32_t *)source.map)[i] = mix32(i + 1);
    *(uint32_t *)total.map = 0;
    for (uint32_t i = 0; i < 2; i++) {
        const VkDescriptorAddressInfoEXT address = {
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_ADDRESS_INFO_EXT,
            .address = addresses[i],
            .range = i == 0 ? COUNT * 4 : 4,
        };
        VkDeviceSize offset;
        vkGetDescriptorSetLayoutBindingOffsetEXT_(gpu.device, set_layout, i, &offset);
        vkGetDescriptorEXT_(gpu.device,
                            &(VkDescriptorGetInfoEXT){
                                .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_GET_INFO_EXT,
                                .type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                .data.pStorageBuffer = &address,
                            },
                            limits.storageBufferDescriptorSize,
                            (char *)set.map + limits.descriptorBufferOffsetAlignment + offset);
    }
    /* The union's other members: a pointer to a handle, and a handle in a struct. */
    VkSampler sampler;
    must(vkCreateSampler(gpu.device,
                         &(VkSamplerCreateInfo){.sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO},
                         NULL, &sampler));
    uint8_t bytes[2][512];
    expect(limits.samplerDescriptorSize < sizeof(bytes[0]), "samplers of %zu bytes",
           limits.samplerDescriptorSize);
    memset(bytes, 0xee, sizeof(bytes));
    for (uint32_t i = 0; i < 2; i++)
        vkGetDescriptorEXT_(gpu.device,
                            &(VkDescriptorGetInfoEXT){
                                .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_GET_INFO_EXT,
                                .type = VK_DESCRIPTOR_TYPE_SAMPLER,
                                .data.pSampler = &sampler,
                            },
                            limits.samplerDescriptorSize, bytes[i]);
    expect(memcmp(bytes[0], bytes[1], sizeof(bytes[0])) == 0, "a sampler has two descriptors");
    expect(bytes[0][limits.samplerDescriptorSize] == 0xee, "more bytes came back than were asked");

    const VkPipelineLayout layout = shapes_create_layout(1, &set_layout);
    const VkShaderModule module = shader_init(&gpu, sum_comp, sizeof(sum_comp));
    VkPipeline pipeline;
    must(vkCreateComputePipelines(
        gpu.device, VK_NULL_HANDLE, 1,
        &(VkComputePipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
            .flags = VK_PIPELINE_CREATE_DESCRIPTOR_BUFFER_BIT_EXT,
            .stage =
                {
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                    .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                    .module = module,
                    .pName = "main",
                    .pSpecializationInfo =
                        &(VkSpecializationInfo){
                            1,
                            &(VkSpecializationMapEntry){0, 0, 4},
                            4,
                            &(const uint32_t){64},
                        },
                },
            .layout = layout,
        },
        NULL, &pipeline));
    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    vkCmdBindDescriptorBuffersEXT_(
        commands, 1,
        &(VkDescriptorBufferBindingInfoEXT){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_BUFFER_BINDING_INFO_EXT,
            .address = set_address,
            .usage = VK_BUFFER_USAGE_RESOURCE_DESCRIPTOR_BUFFER_BIT_EXT |
                     VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT,
        });
    vkCmdSetDescriptorBufferOffsetsEXT_(commands, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1,
                                        &(const uint32_t){0},
                                        &limits.descriptorBufferOffsetAlignment);
    vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, 4,
                       &(const uint32_t){COUNT});
    vkCmdDispatch(commands, COUNT / 64, 1, 1);
    memory_barrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                   VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    commands_finish(&gpu, commands);
    expect(*(uint32_t *)total.map == sum, "the sum is %#x instead of %#x", *(uint32_t *)total.map,
           sum);

    vkDestroyPipeline(gpu.device, pipeline, NULL);
    vkDestroyShaderModule(gpu.device, module, NULL);
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
    vkDestroySampler(gpu.device, sampler, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, set_layout, NULL);
    buffer_finish(&gpu, &total);
    buffer_finish(&gpu, &source);
    buffer_finish(&gpu, &set);
}
