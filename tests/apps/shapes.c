/* SPDX-License-Identifier: MIT
 *
 * What the registry describes badly, or what extensions make ignored: shapes PART
 *
 *   vertex-input   states that are dynamic, absent buffers, sample masks
 *   mesh           states that pipelines with mesh shaders do not have
 *   host-copy      vkCopyMemoryToImage and back, to the last byte before a page that is not there
 *   descriptors    descriptors in buffers: unions with pointers, and bytes that come back
 *   launch         shader group handles, which are bytes that go into a buffer
 */
#include "shapes.h"

#include <stdio.h>
#include <string.h>

struct gpu gpu;

VkPipelineLayout shapes_create_layout(uint32_t set_count, const VkDescriptorSetLayout *set)
{
    VkPipelineLayout layout;
    must(vkCreatePipelineLayout(
        gpu.device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .setLayoutCount = set_count,
            .pSetLayouts = set,
            .pushConstantRangeCount = 1,
            .pPushConstantRanges = &(VkPushConstantRange){VK_SHADER_STAGE_COMPUTE_BIT, 0, 16},
        },
        NULL, &layout));
    return layout;
}

static VkPhysicalDeviceRobustness2FeaturesEXT null_descriptor = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT,
    .nullDescriptor = VK_TRUE,
};
static VkPhysicalDeviceVertexInputDynamicStateFeaturesEXT vertex_input = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VERTEX_INPUT_DYNAMIC_STATE_FEATURES_EXT,
    .pNext = &null_descriptor,
    .vertexInputDynamicState = VK_TRUE,
};
static VkPhysicalDeviceMeshShaderFeaturesEXT mesh_shader = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MESH_SHADER_FEATURES_EXT,
    .meshShader = VK_TRUE,
};
static VkPhysicalDeviceHostImageCopyFeaturesEXT host_image_copy = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_HOST_IMAGE_COPY_FEATURES_EXT,
    .hostImageCopy = VK_TRUE,
};
static VkPhysicalDeviceDescriptorBufferFeaturesEXT descriptor_buffer = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_BUFFER_FEATURES_EXT,
    .descriptorBuffer = VK_TRUE,
};
static VkPhysicalDeviceAccelerationStructureFeaturesKHR acceleration_structure = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ACCELERATION_STRUCTURE_FEATURES_KHR,
    .accelerationStructure = VK_TRUE,
};
static VkPhysicalDeviceRayTracingPipelineFeaturesKHR ray_tracing = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_RAY_TRACING_PIPELINE_FEATURES_KHR,
    .pNext = &acceleration_structure,
    .rayTracingPipeline = VK_TRUE,
};

static const struct part {
    const char *name;
    void (*run)(void);
    void *features;
    const char *extensions[5];
} parts[] = {
    {
        "vertex-input",
        shapes_vertex_input,
        &vertex_input,
        {VK_EXT_VERTEX_INPUT_DYNAMIC_STATE_EXTENSION_NAME, VK_EXT_ROBUSTNESS_2_EXTENSION_NAME},
    },
    {"mesh", shapes_mesh, &mesh_shader, {VK_EXT_MESH_SHADER_EXTENSION_NAME}},
    {"host-copy", shapes_host_copy, &host_image_copy, {VK_EXT_HOST_IMAGE_COPY_EXTENSION_NAME}},
    {
        "descriptors",
        shapes_descriptors,
        &descriptor_buffer,
        {VK_EXT_DESCRIPTOR_BUFFER_EXTENSION_NAME},
    },
    {
        "launch",
        shapes_launch,
        &ray_tracing,
        {VK_KHR_RAY_TRACING_PIPELINE_EXTENSION_NAME, VK_KHR_ACCELERATION_STRUCTURE_EXTENSION_NAME,
         VK_KHR_DEFERRED_HOST_OPERATIONS_EXTENSION_NAME, VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME},
    },
};

int main(int argc, char **argv)
{
    const struct part *part = NULL;
    for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(parts); i++)
        if (strcmp(argv[1], parts[i].name) == 0)
            part = &parts[i];
    if (!part) {
        fprintf(stderr, "usage: shapes vertex-input|mesh|host-copy|descriptors|launch\n");
        return 2;
    }
    uint32_t extension_count = 0;
    while (part->extensions[extension_count])
        extension_count++;
    VkPhysicalDeviceVulkan13Features core13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
        .pNext = part->features,
        .dynamicRendering = VK_TRUE,
        .maintenance4 = VK_TRUE,
    };
    const struct gpu_options options = {
        .name = "shapes",
        .device_extensions = part->extensions,
        .device_extension_count = extension_count,
        .features =
            &(VkPhysicalDeviceVulkan12Features){
                .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
                .pNext = &core13,
                .bufferDeviceAddress = VK_TRUE,
            },
    };
    gpu_init_instance(&gpu, &options);
    uint32_t count = 1;
    vkEnumeratePhysicalDevices(gpu.instance, &count, &gpu.physical);
    expect(count == 1, "there is no device");
    for (uint32_t i = 0; i < extension_count; i++) {
        if (!gpu_has_extension(gpu.physical, part->extensions[i])) {
            printf("shapes: this device has no %s\n", part->extensions[i]);
            return EXIT_SKIPPED;
        }
    }
    gpu_init_device(&gpu, &options);
    part->run();
    gpu_finish(&gpu);
    printf("shapes: %s is right\n", part->name);
    return 0;
}
