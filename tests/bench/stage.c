// The device that is measured, and the stage that most recording cases draw on.
#include "bench.h"

#include <string.h>

#include "bench_comp.h"
#include "bench_frag.h"
#include "bench_vert.h"

struct commands vk;
struct gpu gpu;
struct stage stage;
const struct shader_code compute_shader_code = {bench_comp, sizeof(bench_comp)};

static bool has_push_descriptor;
static bool has_host_image_copy;
static bool has_descriptor_buffer;

bool bench_has_push_descriptor(void)
{
    return has_push_descriptor;
}

bool bench_has_host_image_copy(void)
{
    return has_host_image_copy;
}

bool bench_has_descriptor_buffer(void)
{
    return has_descriptor_buffer;
}

static const struct gpu_options instance_options = {
    .name = "bench",
    .api_version = VK_API_VERSION_1_3,
};

void bench_gpu_init(void)
{
    gpu_init_instance(&gpu, &instance_options);
    VkPhysicalDevice physical = VK_NULL_HANDLE;
    const VkResult listed = vkEnumeratePhysicalDevices(gpu.instance, &(uint32_t){1}, &physical);
    expect(listed >= 0 && physical, "there is no Vulkan device");
    VkPhysicalDeviceProperties properties;
    vkGetPhysicalDeviceProperties(physical, &properties);
    expect(properties.apiVersion >= VK_API_VERSION_1_3, "the benchmark needs Vulkan 1.3");

    const char *extensions[3];
    uint32_t extension_count = 0;
    VkPhysicalDeviceHostImageCopyFeaturesEXT host_image_copy = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_HOST_IMAGE_COPY_FEATURES_EXT,
        .hostImageCopy = VK_TRUE,
    };
    VkPhysicalDeviceDescriptorBufferFeaturesEXT descriptor_buffer = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_BUFFER_FEATURES_EXT,
        .descriptorBuffer = VK_TRUE,
    };
    VkPhysicalDeviceVulkan12Features features12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .timelineSemaphore = VK_TRUE,
    };
    const VkPhysicalDeviceVulkan13Features features13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
        .pNext = &features12,
        .dynamicRendering = VK_TRUE,
        .synchronization2 = VK_TRUE,
    };
    has_push_descriptor = gpu_has_extension(physical, VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME);
    if (has_push_descriptor)
        extensions[extension_count++] = VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME;
    has_host_image_copy = gpu_has_extension(physical, VK_EXT_HOST_IMAGE_COPY_EXTENSION_NAME);
    if (has_host_image_copy) {
        extensions[extension_count++] = VK_EXT_HOST_IMAGE_COPY_EXTENSION_NAME;
        features12.pNext = &host_image_copy;
    }
    has_descriptor_buffer = gpu_has_extension(physical, VK_EXT_DESCRIPTOR_BUFFER_EXTENSION_NAME);
    if (has_descriptor_buffer) {
        extensions[extension_count++] = VK_EXT_DESCRIPTOR_BUFFER_EXTENSION_NAME;
        features12.bufferDeviceAddress = VK_TRUE;
        descriptor_buffer.pNext = features12.pNext;
        features12.pNext = &descriptor_buffer;
    }
    gpu_init_device(&gpu, &(struct gpu_options){
                              .device_extensions = extensions,
                              .device_extension_count = extension_count,
                              .features = &features13,
                          });
#define X(name) vk.name = (PFN_vk##name)vkGetDeviceProcAddr(gpu.device, "vk" #name);
    COMMANDS(X)
#undef X
}

void bench_gpu_finish(void)
{
    gpu_finish(&gpu);
}

static VkRenderPass render_pass_init(VkFormat format)
{
    VkRenderPass pass;
    must(vkCreateRenderPass(
        gpu.device,
        &(VkRenderPassCreateInfo){
            .sType = VK_STRUCTURE_TYPE_RENDER_PASS_CREATE_INFO,
            .attachmentCount = 1,
            .pAttachments =
                &(VkAttachmentDescription){
                    .format = format,
                    .samples = VK_SAMPLE_COUNT_1_BIT,
                    .loadOp = VK_ATTACHMENT_LOAD_OP_DONT_CARE,
                    .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
                    .stencilLoadOp = VK_ATTACHMENT_LOAD_OP_DONT_CARE,
                    .stencilStoreOp = VK_ATTACHMENT_STORE_OP_DONT_CARE,
                    .initialLayout = VK_IMAGE_LAYOUT_UNDEFINED,
                    .finalLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                },
            .subpassCount = 1,
            .pSubpasses =
                &(VkSubpassDescription){
                    .pipelineBindPoint = VK_PIPELINE_BIND_POINT_GRAPHICS,
                    .colorAttachmentCount = 1,
                    .pColorAttachments =
                        &(VkAttachmentReference){
                            .layout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                        },
                },
            .dependencyCount = 1,
            .pDependencies =
                &(VkSubpassDependency){
                    .srcSubpass = VK_SUBPASS_EXTERNAL,
                    .srcStageMask = VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
                    .dstStageMask = VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
                    .srcAccessMask = VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT,
                    .dstAccessMask = VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT,
                },
        },
        NULL, &pass));
    return pass;
}

VkPipeline stage_pipeline(VkPipelineLayout layout)
{
    return graphics_pipeline_init(
        &gpu,
        &(struct graphics_options){
            .layout = layout,
            .vertex = {bench_vert, sizeof(bench_vert)},
            .fragment = {bench_frag, sizeof(bench_frag)},
            .vertex_input =
                &(VkPipelineVertexInputStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO,
                    .vertexBindingDescriptionCount = 1,
                    .pVertexBindingDescriptions = &(VkVertexInputBindingDescription){.stride = 16},
                    .vertexAttributeDescriptionCount = 1,
                    .pVertexAttributeDescriptions =
                        &(VkVertexInputAttributeDescription){
                            .format = VK_FORMAT_R32G32B32A32_SFLOAT,
                        },
                },
            .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST,
            .render_pass = stage.render_pass,
        });
}

static void sets_init(void)
{
    must(vkCreateDescriptorSetLayout(
        gpu.device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = 1,
            .pBindings =
                &(VkDescriptorSetLayoutBinding){
                    .descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER,
                    .descriptorCount = 1,
                    .stageFlags = VK_SHADER_STAGE_FRAGMENT_BIT,
                },
        },
        NULL, &stage.set_layout));
    must(vkCreateDescriptorPool(
        gpu.device,
        &(VkDescriptorPoolCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .maxSets = 2,
            .poolSizeCount = 1,
            .pPoolSizes = &(VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, 2},
        },
        NULL, &stage.descriptor_pool));
    must(vkAllocateDescriptorSets(gpu.device,
                                  &(VkDescriptorSetAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                      .descriptorPool = stage.descriptor_pool,
                                      .descriptorSetCount = 2,
                                      .pSetLayouts =
                                          (const VkDescriptorSetLayout[]){
                                              stage.set_layout,
                                              stage.set_layout,
                                          },
                                  },
                                  stage.sets));
    for (uint32_t i = 0; i < 2; i++) {
        vkUpdateDescriptorSets(gpu.device, 1,
                               &(VkWriteDescriptorSet){
                                   .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                   .dstSet = stage.sets[i],
                                   .descriptorCount = 1,
                                   .descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER,
                                   .pBufferInfo =
                                       &(VkDescriptorBufferInfo){
                                           .buffer = stage.uniforms[i].handle,
                                           .range = VK_WHOLE_SIZE,
                                       },
                               },
                               0, NULL);
    }
}

void stage_init(void)
{
    image_init(&gpu, &stage.target,
               &(struct image_options){
                   .format = VK_FORMAT_R8G8B8A8_UNORM,
                   .extent = {16, 16},
                   .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT,
               });
    stage.render_pass = render_pass_init(stage.target.format);
    must(vkCreateFramebuffer(gpu.device,
                             &(VkFramebufferCreateInfo){
                                 .sType = VK_STRUCTURE_TYPE_FRAMEBUFFER_CREATE_INFO,
                                 .renderPass = stage.render_pass,
                                 .attachmentCount = 1,
                                 .pAttachments = &stage.target.view,
                                 .width = stage.target.extent.width,
                                 .height = stage.target.extent.height,
                                 .layers = 1,
                             },
                             NULL, &stage.framebuffer));
    for (uint32_t i = 0; i < 2; i++) {
        buffer_init_host(&gpu, &stage.vertices[i], 256, VK_BUFFER_USAGE_VERTEX_BUFFER_BIT);
        buffer_init_host(&gpu, &stage.indices[i], 256, VK_BUFFER_USAGE_INDEX_BUFFER_BIT);
        buffer_init_host(&gpu, &stage.uniforms[i], 256, VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT);
        memset(stage.vertices[i].map, 0, 256);
        memset(stage.indices[i].map, 0, 256);
        memset(stage.uniforms[i].map, 0, 256);
    }
    sets_init();
    must(vkCreatePipelineLayout(gpu.device,
                                &(VkPipelineLayoutCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                    .setLayoutCount = 1,
                                    .pSetLayouts = &stage.set_layout,
                                    .pushConstantRangeCount = 1,
                                    .pPushConstantRanges =
                                        &(VkPushConstantRange){
                                            .stageFlags = VK_SHADER_STAGE_VERTEX_BIT,
                                            .size = 16,
                                        },
                                },
                                NULL, &stage.layout));
    for (uint32_t i = 0; i < 2; i++)
        stage.pipelines[i] = stage_pipeline(stage.layout);
}

void stage_finish(void)
{
    for (uint32_t i = 0; i < 2; i++) {
        vkDestroyPipeline(gpu.device, stage.pipelines[i], NULL);
        buffer_finish(&gpu, &stage.vertices[i]);
        buffer_finish(&gpu, &stage.indices[i]);
        buffer_finish(&gpu, &stage.uniforms[i]);
    }
    vkDestroyPipelineLayout(gpu.device, stage.layout, NULL);
    vkDestroyDescriptorPool(gpu.device, stage.descriptor_pool, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, stage.set_layout, NULL);
    vkDestroyFramebuffer(gpu.device, stage.framebuffer, NULL);
    vkDestroyRenderPass(gpu.device, stage.render_pass, NULL);
    image_finish(&gpu, &stage.target);
}

void stage_begin(VkCommandBuffer commands, VkSubpassContents contents)
{
    vk.CmdBeginRenderPass(commands,
                          &(VkRenderPassBeginInfo){
                              .sType = VK_STRUCTURE_TYPE_RENDER_PASS_BEGIN_INFO,
                              .renderPass = stage.render_pass,
                              .framebuffer = stage.framebuffer,
                              .renderArea.extent = stage.target.extent,
                          },
                          contents);
}

void stage_bind(VkCommandBuffer commands)
{
    vk.CmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, stage.pipelines[0]);
    vk.CmdBindVertexBuffers(commands, 0, 1, &stage.vertices[0].handle, &(VkDeviceSize){0});
    vk.CmdBindIndexBuffer(commands, stage.indices[0].handle, 0, VK_INDEX_TYPE_UINT32);
    vk.CmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, stage.layout, 0, 1,
                             &stage.sets[0], 0, NULL);
    vk.CmdPushConstants(commands, stage.layout, VK_SHADER_STAGE_VERTEX_BIT, 0, 16,
                        (const float[4]){0});
    set_viewport(commands, stage.target.extent);
}

void stage_end(VkCommandBuffer commands)
{
    vk.CmdEndRenderPass(commands);
}
