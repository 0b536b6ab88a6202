// Objects: made and destroyed, and what is asked before making them.
#include "bench.h"

// Formats 1 to 184 are those of Vulkan 1.0.
enum {
    FORMAT_COUNT = VK_FORMAT_ASTC_12x12_SRGB_BLOCK
};

static struct image image;
static VkPipelineLayout layout;
static VkDescriptorSetLayout compute_set_layout;
static VkPipelineLayout compute_layout;
static VkShaderModule compute_shader;

static void init(void)
{
    image_init(&gpu, &image,
               &(struct image_options){
                   .format = VK_FORMAT_R8G8B8A8_UNORM,
                   .extent = {16, 16},
                   .usage = VK_IMAGE_USAGE_SAMPLED_BIT,
               });
    layout = stage.layout;
    must(vkCreateDescriptorSetLayout(
        gpu.device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = 1,
            .pBindings =
                &(VkDescriptorSetLayoutBinding){
                    .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                    .descriptorCount = 1,
                    .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
                },
        },
        NULL, &compute_set_layout));
    must(vkCreatePipelineLayout(gpu.device,
                                &(VkPipelineLayoutCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                    .setLayoutCount = 1,
                                    .pSetLayouts = &compute_set_layout,
                                },
                                NULL, &compute_layout));
    compute_shader = shader_init(&gpu, compute_shader_code.words, compute_shader_code.size);
}

static void finish(void)
{
    vkDestroyShaderModule(gpu.device, compute_shader, NULL);
    vkDestroyPipelineLayout(gpu.device, compute_layout, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, compute_set_layout, NULL);
    image_finish(&gpu, &image);
}

static void create_buffer(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        VkBuffer buffer;
        must(vk.CreateBuffer(gpu.device,
                             &(VkBufferCreateInfo){
                                 .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                 .size = 65536,
                                 .usage = VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT,
                             },
                             NULL, &buffer));
        VkMemoryRequirements requirements;
        vk.GetBufferMemoryRequirements(gpu.device, buffer, &requirements);
        vk.DestroyBuffer(gpu.device, buffer, NULL);
    }
}

static void create_image(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        VkImage made;
        must(vk.CreateImage(gpu.device,
                            &(VkImageCreateInfo){
                                .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                                .imageType = VK_IMAGE_TYPE_2D,
                                .format = VK_FORMAT_R8G8B8A8_UNORM,
                                .extent = {256, 256, 1},
                                .mipLevels = 1,
                                .arrayLayers = 1,
                                .samples = VK_SAMPLE_COUNT_1_BIT,
                                .tiling = VK_IMAGE_TILING_OPTIMAL,
                                .usage = VK_IMAGE_USAGE_SAMPLED_BIT,
                            },
                            NULL, &made));
        VkMemoryRequirements requirements;
        vk.GetImageMemoryRequirements(gpu.device, made, &requirements);
        vk.DestroyImage(gpu.device, made, NULL);
    }
}

static void create_view(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        VkImageView view;
        must(vk.CreateImageView(gpu.device,
                                &(VkImageViewCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                                    .image = image.handle,
                                    .viewType = VK_IMAGE_VIEW_TYPE_2D,
                                    .format = image.format,
                                    .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1},
                                },
                                NULL, &view));
        vk.DestroyImageView(gpu.device, view, NULL);
    }
}

static void create_sampler(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        VkSampler sampler;
        must(vk.CreateSampler(gpu.device,
                              &(VkSamplerCreateInfo){
                                  .sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO,
                              },
                              NULL, &sampler));
        vk.DestroySampler(gpu.device, sampler, NULL);
    }
}

// With its two shader modules, as applications make them.
static uint64_t create_graphics_pipeline(void)
{
    const uint64_t started = now_ns();
    const VkPipeline pipeline = stage_pipeline(layout);
    vk.DestroyPipeline(gpu.device, pipeline, NULL);
    return now_ns() - started;
}

static uint64_t create_compute_pipeline(void)
{
    const uint64_t started = now_ns();
    VkPipeline pipeline;
    must(vk.CreateComputePipelines(
        gpu.device, VK_NULL_HANDLE, 1,
        &(VkComputePipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
            .stage =
                {
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                    .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                    .module = compute_shader,
                    .pName = "main",
                },
            .layout = compute_layout,
        },
        NULL, &pipeline));
    vk.DestroyPipeline(gpu.device, pipeline, NULL);
    return now_ns() - started;
}

static void format_properties(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        VkFormatProperties2 properties = {.sType = VK_STRUCTURE_TYPE_FORMAT_PROPERTIES_2};
        vkGetPhysicalDeviceFormatProperties2(gpu.physical, (VkFormat)(1 + i % FORMAT_COUNT),
                                             &properties);
    }
}

static void image_format_properties(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        VkImageFormatProperties2 properties = {
            .sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2,
        };
        vkGetPhysicalDeviceImageFormatProperties2(
            gpu.physical,
            &(VkPhysicalDeviceImageFormatInfo2){
                .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
                .format = (VkFormat)(1 + i % FORMAT_COUNT),
                .type = VK_IMAGE_TYPE_2D,
                .tiling = VK_IMAGE_TILING_OPTIMAL,
                .usage = VK_IMAGE_USAGE_SAMPLED_BIT,
            },
            &properties);
    }
}

// What an application does before it can begin, and the end of it. Applications do not start one
// right after another, and who prepares for the next may use the time between them.
static uint64_t instance_device(void)
{
    struct gpu another;
    sleep_ms(500);
    const uint64_t started = now_ns();
    gpu_init(&another, &(struct gpu_options){.name = "another"});
    const uint64_t taken = now_ns() - started;
    gpu_finish(&another);
    return taken;
}

static uint64_t instance_device_destroy(void)
{
    struct gpu another;
    gpu_init(&another, &(struct gpu_options){.name = "another"});
    const uint64_t started = now_ns();
    gpu_finish(&another);
    return now_ns() - started;
}

// clang-format off
static const struct bench_case cases[] = {
    {"create_buffer",           "object",   "buffer",   .repeat = create_buffer,           .count = 100},
    {"create_image",            "object",   "image",    .repeat = create_image,            .count = 100},
    {"create_view",             "object",   "view",     .repeat = create_view,             .count = 100},
    {"create_sampler",          "object",   "sampler",  .repeat = create_sampler,          .count = 100},
    {"graphics_pipeline",       "object",   "pipeline", .once = create_graphics_pipeline,  .count = 1},
    {"compute_pipeline",        "object",   "pipeline", .once = create_compute_pipeline,   .count = 1},
    {"format_properties",       "format",   "query",    .repeat = format_properties,       .count = FORMAT_COUNT},
    {"image_format_properties", "format",   "query",    .repeat = image_format_properties, .count = FORMAT_COUNT},
    {"instance_device",         "instance", "creation", .once = instance_device,           .count = 1},
    {"instance_device_destroy", "instance", "destruction", .once = instance_device_destroy, .count = 1},
};
// clang-format on

const struct suite suite_object = {
    .cases = cases,
    .case_count = ARRAY_SIZE(cases),
    .init = init,
    .finish = finish,
};
