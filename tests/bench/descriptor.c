// Updates of descriptor sets, in each way that Vulkan has.
#include "bench.h"

#include <stddef.h>

// Binding 0 is an array of uniform buffers, binding 1 an image with its sampler.
enum {
    WIDE = 16,
    MANY = 1024, // descriptors as bytes that are asked for in turn
};

// What a template reads.
struct data {
    VkDescriptorBufferInfo buffers[WIDE];
};

static VkDescriptorSetLayout set_layout;
static VkDescriptorPool pool;
static VkDescriptorSet sets[2];
static struct buffer buffers[2];
static struct image image;
static VkSampler sampler;
static VkDescriptorUpdateTemplate template_1;
static VkDescriptorUpdateTemplate template_16;
static struct data data[2];
static VkWriteDescriptorSet writes[2][WIDE];
static VkDescriptorSetLayout push_set_layout;
static VkPipelineLayout push_layout;
static VkPipeline push_pipeline;
static struct buffer addressed;
static VkDeviceAddress address;
static VkPhysicalDeviceDescriptorBufferPropertiesEXT sizes;

static VkDescriptorUpdateTemplate template_init(uint32_t count)
{
    VkDescriptorUpdateTemplate update;
    must(vkCreateDescriptorUpdateTemplate(
        gpu.device,
        &(VkDescriptorUpdateTemplateCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_UPDATE_TEMPLATE_CREATE_INFO,
            .descriptorUpdateEntryCount = 1,
            .pDescriptorUpdateEntries =
                &(VkDescriptorUpdateTemplateEntry){
                    .descriptorCount = count,
                    .descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER,
                    .offset = offsetof(struct data, buffers),
                    .stride = sizeof(VkDescriptorBufferInfo),
                },
            .templateType = VK_DESCRIPTOR_UPDATE_TEMPLATE_TYPE_DESCRIPTOR_SET,
            .descriptorSetLayout = set_layout,
        },
        NULL, &update));
    return update;
}

static VkDescriptorSetLayout set_layout_init(VkDescriptorSetLayoutCreateFlags flags,
                                             uint32_t buffer_count, uint32_t binding_count)
{
    VkDescriptorSetLayout layout;
    must(vkCreateDescriptorSetLayout(
        gpu.device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .flags = flags,
            .bindingCount = binding_count,
            .pBindings =
                (const VkDescriptorSetLayoutBinding[]){
                    {
                        .descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER,
                        .descriptorCount = buffer_count,
                        .stageFlags = VK_SHADER_STAGE_FRAGMENT_BIT,
                    },
                    {
                        .binding = 1,
                        .descriptorType = VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER,
                        .descriptorCount = 1,
                        .stageFlags = VK_SHADER_STAGE_FRAGMENT_BIT,
                    },
                },
        },
        NULL, &layout));
    return layout;
}

static void push_init(void)
{
    push_set_layout =
        set_layout_init(VK_DESCRIPTOR_SET_LAYOUT_CREATE_PUSH_DESCRIPTOR_BIT_KHR, 1, 1);
    must(vkCreatePipelineLayout(gpu.device,
                                &(VkPipelineLayoutCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                    .setLayoutCount = 1,
                                    .pSetLayouts = &push_set_layout,
                                    .pushConstantRangeCount = 1,
                                    .pPushConstantRanges =
                                        &(VkPushConstantRange){
                                            .stageFlags = VK_SHADER_STAGE_VERTEX_BIT,
                                            .size = 16,
                                        },
                                },
                                NULL, &push_layout));
    push_pipeline = stage_pipeline(push_layout);
}

static void bytes_init(void)
{
    sizes = (VkPhysicalDeviceDescriptorBufferPropertiesEXT){
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_BUFFER_PROPERTIES_EXT,
    };
    vkGetPhysicalDeviceProperties2(gpu.physical,
                                   &(VkPhysicalDeviceProperties2){
                                       .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                       .pNext = &sizes,
                                   });
    address = buffer_init_addressed(&gpu, &addressed, MANY * 256,
                                    VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT |
                                        VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT);
}

static void init(void)
{
    set_layout = set_layout_init(0, WIDE, 2);
    must(vkCreateDescriptorPool(gpu.device,
                                &(VkDescriptorPoolCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                    .maxSets = 2,
                                    .poolSizeCount = 2,
                                    .pPoolSizes =
                                        (const VkDescriptorPoolSize[]){
                                            {VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, 2 * WIDE},
                                            {VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER, 2},
                                        },
                                },
                                NULL, &pool));
    must(vkAllocateDescriptorSets(
        gpu.device,
        &(VkDescriptorSetAllocateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
            .descriptorPool = pool,
            .descriptorSetCount = 2,
            .pSetLayouts = (const VkDescriptorSetLayout[]){set_layout, set_layout},
        },
        sets));
    for (uint32_t i = 0; i < 2; i++) {
        buffer_init_host(&gpu, &buffers[i], 4096, VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT);
        for (uint32_t j = 0; j < WIDE; j++) {
            data[i].buffers[j] = (VkDescriptorBufferInfo){buffers[i].handle, j * 256, 256};
            writes[i][j] = (VkWriteDescriptorSet){
                .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                .dstSet = sets[0],
                .dstArrayElement = j,
                .descriptorCount = 1,
                .descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER,
                .pBufferInfo = &data[i].buffers[j],
            };
        }
    }
    image_init(&gpu, &image,
               &(struct image_options){
                   .format = VK_FORMAT_R8G8B8A8_UNORM,
                   .extent = {16, 16},
                   .usage = VK_IMAGE_USAGE_SAMPLED_BIT,
               });
    must(vkCreateSampler(gpu.device,
                         &(VkSamplerCreateInfo){.sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO},
                         NULL, &sampler));
    template_1 = template_init(1);
    template_16 = template_init(WIDE);
    // What is copied from.
    data[0].buffers[0].range = 128;
    vkUpdateDescriptorSetWithTemplate(gpu.device, sets[1], template_16, &data[0]);
    if (bench_has_push_descriptor())
        push_init();
    if (bench_has_descriptor_buffer())
        bytes_init();
}

static void finish(void)
{
    vkDestroyPipeline(gpu.device, push_pipeline, NULL);
    vkDestroyPipelineLayout(gpu.device, push_layout, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, push_set_layout, NULL);
    vkDestroyDescriptorUpdateTemplate(gpu.device, template_1, NULL);
    vkDestroyDescriptorUpdateTemplate(gpu.device, template_16, NULL);
    vkDestroySampler(gpu.device, sampler, NULL);
    image_finish(&gpu, &image);
    for (uint32_t i = 0; i < 2; i++)
        buffer_finish(&gpu, &buffers[i]);
    vkDestroyDescriptorPool(gpu.device, pool, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, set_layout, NULL);
}

static void write_1(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        vk.UpdateDescriptorSets(gpu.device, 1, writes[i & 1], 0, NULL);
}

static void write_16(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        vk.UpdateDescriptorSets(gpu.device, WIDE, writes[i & 1], 0, NULL);
}

static void write_image(uint32_t count)
{
    const VkDescriptorImageInfo info = {
        .sampler = sampler,
        .imageView = image.view,
        .imageLayout = VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL,
    };
    const VkWriteDescriptorSet write = {
        .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
        .dstSet = sets[0],
        .dstBinding = 1,
        .descriptorCount = 1,
        .descriptorType = VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER,
        .pImageInfo = &info,
    };
    for (uint32_t i = 0; i < count; i++)
        vk.UpdateDescriptorSets(gpu.device, 1, &write, 0, NULL);
}

static void by_template_1(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        vk.UpdateDescriptorSetWithTemplate(gpu.device, sets[0], template_1, &data[i & 1]);
}

static void by_template_16(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        vk.UpdateDescriptorSetWithTemplate(gpu.device, sets[0], template_16, &data[i & 1]);
}

static void copy(uint32_t count)
{
    const VkCopyDescriptorSet copy = {
        .sType = VK_STRUCTURE_TYPE_COPY_DESCRIPTOR_SET,
        .srcSet = sets[1],
        .dstSet = sets[0],
        .descriptorCount = 1,
    };
    for (uint32_t i = 0; i < count; i++)
        vk.UpdateDescriptorSets(gpu.device, 0, NULL, 1, &copy);
}

static void bytes_of(VkDescriptorType type, VkFormat format, size_t size, uint32_t count)
{
    uint8_t bytes[1024];
    for (uint32_t i = 0; i < count; i++) {
        const VkDescriptorAddressInfoEXT info = {
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_ADDRESS_INFO_EXT,
            .address = address + i % MANY * 256,
            .range = 256,
            .format = format,
        };
        vk.GetDescriptorEXT(gpu.device,
                            &(VkDescriptorGetInfoEXT){
                                .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_GET_INFO_EXT,
                                .type = type,
                                .data.pUniformBuffer = &info,
                            },
                            size, bytes);
    }
}

static void bytes_buffer(uint32_t count)
{
    bytes_of(VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, VK_FORMAT_UNDEFINED,
             sizes.uniformBufferDescriptorSize, count);
}

static void bytes_texels(uint32_t count)
{
    bytes_of(VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, VK_FORMAT_R32_UINT,
             sizes.uniformTexelBufferDescriptorSize, count);
}

static void bytes_image(uint32_t count)
{
    uint8_t bytes[1024];
    const VkDescriptorImageInfo info = {sampler, image.view,
                                        VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL};
    for (uint32_t i = 0; i < count; i++)
        vk.GetDescriptorEXT(gpu.device,
                            &(VkDescriptorGetInfoEXT){
                                .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_GET_INFO_EXT,
                                .type = VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER,
                                .data.pCombinedImageSampler = &info,
                            },
                            sizes.combinedImageSamplerDescriptorSize, bytes);
}

static const char *no_bytes(void)
{
    return bench_has_descriptor_buffer() ? NULL : "no VK_EXT_descriptor_buffer";
}

static void push(VkCommandBuffer commands, uint32_t count)
{
    vk.CmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, push_pipeline);
    for (uint32_t i = 0; i < count; i++) {
        vk.CmdPushDescriptorSetKHR(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, push_layout, 0, 1,
                                   writes[i & 1]);
        vk.CmdDraw(commands, 3, 1, 0, 0);
    }
}

static const char *no_push(void)
{
    return bench_has_push_descriptor() ? NULL : "no VK_KHR_push_descriptor";
}

// clang-format off
static const struct bench_case cases[] = {
    {"descriptor_write",       "descriptor", "update",              .repeat = write_1,        .count = 1000},
    {"descriptor_write_16",    "descriptor", "update of 16",        .repeat = write_16,       .count = 200},
    {"descriptor_write_image", "descriptor", "update",              .repeat = write_image,    .count = 1000},
    {"descriptor_template",    "descriptor", "update",              .repeat = by_template_1,  .count = 1000},
    {"descriptor_template_16", "descriptor", "update of 16",        .repeat = by_template_16, .count = 200},
    {"descriptor_copy",        "descriptor", "update",              .repeat = copy,           .count = 1000},
    {"descriptor_bytes",       "descriptor bytes", "descriptor",   .repeat = bytes_buffer,   .count = MANY, .missing = no_bytes},
    {"descriptor_bytes_texels","descriptor bytes", "descriptor",   .repeat = bytes_texels,   .count = MANY, .missing = no_bytes},
    {"descriptor_bytes_image", "descriptor bytes", "descriptor",   .repeat = bytes_image,    .count = MANY, .missing = no_bytes},
    {"descriptor_push",        "descriptor", "update + draw",       .record = push,           .place = INSIDE, .count = 2000, .missing = no_push},
};
// clang-format on

const struct suite suite_descriptor = {
    .cases = cases,
    .case_count = ARRAY_SIZE(cases),
    .init = init,
    .finish = finish,
};
