/* SPDX-License-Identifier: MIT
 *
 * A hundred pipelines of different kinds, and what the driver says of the code that it made of them. Nothing
 * is submitted and no memory allocated, so that a driver without a GPU, which only compiles, will do.
 */
#include "common.h"

#include <stdio.h>
#include <string.h>

#include "colour_frag.h"
#include "frame_vert.h"
#include "launch_rgen.h"
#include "mix_comp.h"
#include "square_mesh.h"
#include "sum_comp.h"
#include "textured_frag.h"
#include "textured_vert.h"
#include "triangle_vert.h"

#define CODE(name)   ((struct shader_code){(name), sizeof(name)})
#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

enum {
    EXECUTABLES_MAX = 8,
    STATISTICS_MAX = 64
};

static struct gpu gpu;
static bool tells, has_mesh, has_rays;
static PFN_vkGetPipelineExecutablePropertiesKHR get_executables;
static PFN_vkGetPipelineExecutableStatisticsKHR get_statistics;

/* ---- What is made */

/* Of one kind. */
static struct sum {
    uint32_t pipelines, executables, statistics;
    uint64_t hash;
} sum;
static uint32_t all;

static void add(const char *name, uint64_t value)
{
    sum.hash = (sum.hash ^ fnv1a(name, strlen(name)) ^ value) * UINT64_C(1099511628211);
    sum.statistics++;
}

static VkPipelineCreateFlags flags(void)
{
    return tells ? VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR : 0;
}

/* Looks at a pipeline, and destroys it. */
static void finish(VkPipeline pipeline)
{
    VkPipelineExecutablePropertiesKHR executables[EXECUTABLES_MAX];
    uint32_t count = tells ? EXECUTABLES_MAX : 0;
    for (uint32_t i = 0; i < EXECUTABLES_MAX; i++)
        executables[i] = (VkPipelineExecutablePropertiesKHR){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR};
    if (tells)
        must(get_executables(gpu.device,
                             &(VkPipelineInfoKHR){
                                 .sType = VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR,
                                 .pipeline = pipeline,
                             },
                             &count, executables));
    for (uint32_t e = 0; e < count; e++) {
        VkPipelineExecutableStatisticKHR statistics[STATISTICS_MAX];
        for (uint32_t i = 0; i < STATISTICS_MAX; i++)
            statistics[i] = (VkPipelineExecutableStatisticKHR){
                .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR};
        uint32_t told = STATISTICS_MAX;
        must(get_statistics(gpu.device,
                            &(VkPipelineExecutableInfoKHR){
                                .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR,
                                .pipeline = pipeline,
                                .executableIndex = e,
                            },
                            &told, statistics));
        for (uint32_t i = 0; i < told; i++)
            add(statistics[i].name,
                statistics[i].format == VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR
                    ? statistics[i].value.b32
                    : statistics[i].value.u64);
    }
    sum.executables += count;
    sum.pipelines++;
    vkDestroyPipeline(gpu.device, pipeline, NULL);
}

/* ---- Kinds */

static void compute(struct shader_code code, uint32_t operations)
{
    static const VkSpecializationMapEntry entries[] = {{0, 0, 4}, {1, 4, 4}, {2, 8, 4}};
    const VkDescriptorSetLayout set =
        set_layout_of_two(&gpu, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                          VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, VK_SHADER_STAGE_COMPUTE_BIT);
    const VkPipelineLayout layout =
        pipeline_layout_init(&gpu, &set, VK_SHADER_STAGE_COMPUTE_BIT, 12);
    const VkShaderModule module = shader_init(&gpu, code.words, code.size);
    for (uint32_t size = 16; size <= 128; size *= 2)
        for (uint32_t operation = 0; operation < operations; operation++) {
            const uint32_t values[] = {size, operation / 2, operation % 2};
            const VkSpecializationInfo special = {
                .mapEntryCount = operations > 1 ? 3 : 1,
                .pMapEntries = entries,
                .dataSize = sizeof(values),
                .pData = values,
            };
            VkPipelineShaderStageCreateInfo stage = stage_of(VK_SHADER_STAGE_COMPUTE_BIT, module);
            stage.pSpecializationInfo = &special;
            VkPipeline pipeline;
            must(vkCreateComputePipelines(
                gpu.device, VK_NULL_HANDLE, 1,
                &(VkComputePipelineCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
                    .flags = flags(),
                    .stage = stage,
                    .layout = layout,
                },
                NULL, &pipeline));
            finish(pipeline);
        }
    vkDestroyShaderModule(gpu.device, module, NULL);
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, set, NULL);
}

static void mix(void)
{
    compute(CODE(mix_comp), 6);
}

static void add_up(void)
{
    compute(CODE(sum_comp), 1);
}

/* Each format with each topology, culled or not. */
static void draw(struct graphics_options options, const VkPrimitiveTopology *topologies,
                 uint32_t topology_count)
{
    static const VkFormat formats[] = {
        VK_FORMAT_R8G8B8A8_UNORM,
        VK_FORMAT_B8G8R8A8_SRGB,
        VK_FORMAT_R16G16B16A16_SFLOAT,
        VK_FORMAT_A2B10G10R10_UNORM_PACK32,
    };
    options.flags = flags();
    for (uint32_t f = 0; f < COUNT(formats); f++)
        for (uint32_t t = 0; t < topology_count; t++)
            for (uint32_t samples = 1; samples <= 4; samples *= 4) {
                options.colour_format = formats[f];
                options.topology = topologies[t];
                options.samples = (VkSampleCountFlagBits)samples;
                options.cull = t % 2 ? VK_CULL_MODE_BACK_BIT : VK_CULL_MODE_NONE;
                finish(graphics_pipeline_init(&gpu, &options));
            }
    vkDestroyPipelineLayout(gpu.device, options.layout, NULL);
}

static const VkPrimitiveTopology topologies[] = {
    VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST,
    VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP,
    VK_PRIMITIVE_TOPOLOGY_LINE_LIST,
};

static void frames(void)
{
    draw(
        (struct graphics_options){
            .layout = pipeline_layout_init(&gpu, NULL, VK_SHADER_STAGE_VERTEX_BIT, 4),
            .vertex = CODE(frame_vert),
            .fragment = CODE(colour_frag),
        },
        topologies, 3);
}

static const VkVertexInputAttributeDescription attributes[] = {
    {.location = 0, .format = VK_FORMAT_R32G32B32_SFLOAT},
    {.location = 1, .format = VK_FORMAT_R16G16B16A16_SNORM, .offset = 12},
};
static const VkVertexInputBindingDescription binding = {.stride = 20};
static const VkPipelineVertexInputStateCreateInfo vertex_input = {
    .sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO,
    .vertexBindingDescriptionCount = 1,
    .pVertexBindingDescriptions = &binding,
    .vertexAttributeDescriptionCount = 2,
    .pVertexAttributeDescriptions = attributes,
};

static void triangles(void)
{
    draw(
        (struct graphics_options){
            .layout = pipeline_layout_init(&gpu, NULL, 0, 0),
            .vertex = CODE(triangle_vert),
            .fragment = CODE(colour_frag),
            .vertex_input = &vertex_input,
            .depth_format = VK_FORMAT_D32_SFLOAT,
        },
        topologies, 2);
}

static void textures(void)
{
    const VkDescriptorSetLayout set = set_layout_of_two(
        &gpu, VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER,
        VK_SHADER_STAGE_VERTEX_BIT | VK_SHADER_STAGE_FRAGMENT_BIT);
    draw(
        (struct graphics_options){
            .layout = pipeline_layout_init(&gpu, &set, 0, 0),
            .vertex = CODE(textured_vert),
            .fragment = CODE(textured_frag),
            .vertex_input = &vertex_input,
        },
        topologies, 2);
    vkDestroyDescriptorSetLayout(gpu.device, set, NULL);
}

static void meshes(void)
{
    if (has_mesh)
        draw(
            (struct graphics_options){
                .layout = pipeline_layout_init(&gpu, NULL, 0, 0),
                .first_stage = VK_SHADER_STAGE_MESH_BIT_EXT,
                .vertex = CODE(square_mesh),
                .fragment = CODE(colour_frag),
            },
            topologies, 1);
}

static void rays(void)
{
    if (!has_rays)
        return;
    const PFN_vkCreateRayTracingPipelinesKHR create =
        (PFN_vkCreateRayTracingPipelinesKHR)vkGetDeviceProcAddr(gpu.device,
                                                                "vkCreateRayTracingPipelinesKHR");
    const VkDescriptorSetLayout set =
        set_layout_of_two(&gpu, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                          VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, VK_SHADER_STAGE_RAYGEN_BIT_KHR);
    const VkPipelineLayout layout = pipeline_layout_init(&gpu, &set, 0, 0);
    const VkShaderModule module = shader_init(&gpu, launch_rgen, sizeof(launch_rgen));
    const VkPipelineShaderStageCreateInfo stage = stage_of(VK_SHADER_STAGE_RAYGEN_BIT_KHR, module);
    for (uint32_t groups = 1; groups <= 8; groups++) {
        VkRayTracingShaderGroupCreateInfoKHR group[8];
        for (uint32_t i = 0; i < groups; i++)
            group[i] = (VkRayTracingShaderGroupCreateInfoKHR){
                .sType = VK_STRUCTURE_TYPE_RAY_TRACING_SHADER_GROUP_CREATE_INFO_KHR,
                .type = VK_RAY_TRACING_SHADER_GROUP_TYPE_GENERAL_KHR,
                .closestHitShader = VK_SHADER_UNUSED_KHR,
                .anyHitShader = VK_SHADER_UNUSED_KHR,
                .intersectionShader = VK_SHADER_UNUSED_KHR,
            };
        VkPipeline pipeline;
        must(create(gpu.device, VK_NULL_HANDLE, VK_NULL_HANDLE, 1,
                    &(VkRayTracingPipelineCreateInfoKHR){
                        .sType = VK_STRUCTURE_TYPE_RAY_TRACING_PIPELINE_CREATE_INFO_KHR,
                        .flags = flags(),
                        .stageCount = 1,
                        .pStages = &stage,
                        .groupCount = groups,
                        .pGroups = group,
                        .maxPipelineRayRecursionDepth = 1,
                        .layout = layout,
                    },
                    NULL, &pipeline));
        finish(pipeline);
    }
    vkDestroyShaderModule(gpu.device, module, NULL);
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, set, NULL);
}

/* ---- All of it */

static void open_device(void)
{
    static const char *const for_rays[] = {VK_KHR_RAY_TRACING_PIPELINE_EXTENSION_NAME,
                                           VK_KHR_ACCELERATION_STRUCTURE_EXTENSION_NAME,
                                           VK_KHR_DEFERRED_HOST_OPERATIONS_EXTENSION_NAME};
    VkPhysicalDeviceVulkan13Features core13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
        .dynamicRendering = VK_TRUE,
        .maintenance4 = VK_TRUE,
    };
    VkPhysicalDeviceVulkan12Features core12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .pNext = &core13,
        .bufferDeviceAddress = VK_TRUE,
    };
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executables = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
        .pipelineExecutableInfo = VK_TRUE,
    };
    VkPhysicalDeviceMeshShaderFeaturesEXT mesh = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MESH_SHADER_FEATURES_EXT,
        .meshShader = VK_TRUE,
    };
    VkPhysicalDeviceAccelerationStructureFeaturesKHR structures = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ACCELERATION_STRUCTURE_FEATURES_KHR,
        .accelerationStructure = VK_TRUE,
    };
    VkPhysicalDeviceRayTracingPipelineFeaturesKHR ray_tracing = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_RAY_TRACING_PIPELINE_FEATURES_KHR,
        .pNext = &structures,
        .rayTracingPipeline = VK_TRUE,
    };
    const char *extensions[8];
    uint32_t count = 0;
    void *chain = &core12;
    VkPhysicalDevice physical;
    uint32_t one = 1;
    vkEnumeratePhysicalDevices(gpu.instance, &one, &physical);
    expect(one == 1, "there is no Vulkan device");
    tells = gpu_has_extension(physical, VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME);
    if (tells) {
        extensions[count++] = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME;
        executables.pNext = chain;
        chain = &executables;
    }
    has_mesh = gpu_has_extension(physical, VK_EXT_MESH_SHADER_EXTENSION_NAME);
    if (has_mesh) {
        extensions[count++] = VK_EXT_MESH_SHADER_EXTENSION_NAME;
        mesh.pNext = chain;
        chain = &mesh;
    }
    has_rays = gpu_has_extension(physical, VK_KHR_RAY_TRACING_PIPELINE_EXTENSION_NAME);
    if (has_rays) {
        for (uint32_t i = 0; i < COUNT(for_rays); i++)
            extensions[count++] = for_rays[i];
        structures.pNext = chain;
        chain = &ray_tracing;
    }
    gpu_init_device(&gpu, &(struct gpu_options){
                              .device_extensions = extensions,
                              .device_extension_count = count,
                              .features = chain,
                          });
    get_executables = (PFN_vkGetPipelineExecutablePropertiesKHR)vkGetDeviceProcAddr(
        gpu.device, "vkGetPipelineExecutablePropertiesKHR");
    get_statistics = (PFN_vkGetPipelineExecutableStatisticsKHR)vkGetDeviceProcAddr(
        gpu.device, "vkGetPipelineExecutableStatisticsKHR");
}

int main(void)
{
    static const struct program_part kinds[] = {
        {"mix", mix},           {"add_up", add_up}, {"frames", frames}, {"triangles", triangles},
        {"textures", textures}, {"meshes", meshes}, {"rays", rays},
    };
    gpu_init_instance(&gpu, &(struct gpu_options){.name = "compiles"});
    open_device();
    for (uint32_t i = 0; i < COUNT(kinds); i++) {
        sum = (struct sum){0};
        kinds[i].run();
        printf("%s: %u pipelines of %u executables, %u statistics: %016llx\n", kinds[i].name,
               sum.pipelines, sum.executables, sum.statistics, (unsigned long long)sum.hash);
        all += sum.pipelines;
    }
    vkDestroyCommandPool(gpu.device, gpu.pool, NULL);
    vkDestroyDevice(gpu.device, NULL);
    vkDestroyInstance(gpu.instance, NULL);
    printf("compiles: %u pipelines\n", all);
    return 0;
}
