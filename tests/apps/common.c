/* SPDX-License-Identifier: MIT */
#include "common.h"

#include <dirent.h>
#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void section(const char *name)
{
    printf("  %s\n", name);
    fflush(stdout);
}

void run_parts(const char *program, const struct program_part *parts, size_t count)
{
    printf("%s:\n", program);
    for (size_t i = 0; i < count; i++) {
        section(parts[i].name);
        parts[i].run();
    }
    printf("%s: %zu tests passed\n", program, count);
}

uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

void sleep_ms(uint32_t milliseconds)
{
    struct timespec left = {
        .tv_sec = milliseconds / 1000,
        .tv_nsec = (long)(milliseconds % 1000) * 1000000,
    };
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

uint64_t fnv1a(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

uint32_t mix32(uint32_t value)
{
    value = (value ^ (value >> 16)) * UINT32_C(0x7feb352d);
    value = (value ^ (value >> 15)) * UINT32_C(0x846ca68b);
    return value ^ (value >> 16);
}

bool instance_has_extension(const char *name)
{
    uint32_t count = 0;
    must(vkEnumerateInstanceExtensionProperties(NULL, &count, NULL));
    VkExtensionProperties *list = calloc(count + 1, sizeof(*list));
    must(vkEnumerateInstanceExtensionProperties(NULL, &count, list));
    bool found = false;
    for (uint32_t i = 0; i < count; i++)
        found = found || strcmp(list[i].extensionName, name) == 0;
    free(list);
    return found;
}

bool gpu_has_extension(VkPhysicalDevice physical, const char *name)
{
    uint32_t count = 0;
    must(vkEnumerateDeviceExtensionProperties(physical, NULL, &count, NULL));
    VkExtensionProperties *list = calloc(count + 1, sizeof(*list));
    must(vkEnumerateDeviceExtensionProperties(physical, NULL, &count, list));
    bool found = false;
    for (uint32_t i = 0; i < count; i++)
        found = found || strcmp(list[i].extensionName, name) == 0;
    free(list);
    return found;
}

void gpu_init_instance(struct gpu *gpu, const struct gpu_options *options)
{
    *gpu = (struct gpu){0};
    must(vkCreateInstance(
        &(VkInstanceCreateInfo){
            .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
            .pApplicationInfo =
                &(VkApplicationInfo){
                    .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                    .pApplicationName = options->name,
                    .applicationVersion = 1,
                    .apiVersion = options->api_version ? options->api_version : VK_API_VERSION_1_3,
                },
            .enabledExtensionCount = options->instance_extension_count,
            .ppEnabledExtensionNames = options->instance_extensions,
        },
        NULL, &gpu->instance));
}

static uint32_t find_family(const struct gpu *gpu, VkSurfaceKHR surface,
                            VkQueueFamilyProperties *properties)
{
    VkQueueFamilyProperties families[32];
    uint32_t count = ARRAY_SIZE(families);
    vkGetPhysicalDeviceQueueFamilyProperties(gpu->physical, &count, families);
    for (uint32_t i = 0; i < count; i++) {
        const VkQueueFlags needed = VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT;
        if ((families[i].queueFlags & needed) != needed)
            continue;
        if (surface) {
            VkBool32 supported = VK_FALSE;
            must(vkGetPhysicalDeviceSurfaceSupportKHR(gpu->physical, i, surface, &supported));
            if (!supported)
                continue;
        }
        *properties = families[i];
        return i;
    }
    fail(__FILE__, __LINE__, "no queue family for graphics and compute%s",
         surface ? " that can present" : "");
}

void gpu_init_device(struct gpu *gpu, const struct gpu_options *options)
{
    uint32_t count = 1;
    const VkResult listed = vkEnumeratePhysicalDevices(gpu->instance, &count, &gpu->physical);
    expect(listed == VK_SUCCESS || listed == VK_INCOMPLETE, "vkEnumeratePhysicalDevices gave %s",
           result_name(listed));
    expect(count == 1, "there is no Vulkan device");
    vkGetPhysicalDeviceProperties(gpu->physical, &gpu->properties);
    vkGetPhysicalDeviceMemoryProperties(gpu->physical, &gpu->memory);
    gpu->family = find_family(gpu, options->surface, &gpu->family_properties);

    must(vkCreateDevice(gpu->physical,
                        &(VkDeviceCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                            .pNext = options->features,
                            .queueCreateInfoCount = 1,
                            .pQueueCreateInfos =
                                &(VkDeviceQueueCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                    .queueFamilyIndex = gpu->family,
                                    .queueCount = 1,
                                    .pQueuePriorities = (const float[]){1.0f},
                                },
                            .enabledExtensionCount = options->device_extension_count,
                            .ppEnabledExtensionNames = options->device_extensions,
                            .pEnabledFeatures = options->core_features,
                        },
                        NULL, &gpu->device));
    vkGetDeviceQueue(gpu->device, gpu->family, 0, &gpu->queue);
    must(vkCreateCommandPool(gpu->device,
                             &(VkCommandPoolCreateInfo){
                                 .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                 .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                 .queueFamilyIndex = gpu->family,
                             },
                             NULL, &gpu->pool));
}

void gpu_init(struct gpu *gpu, const struct gpu_options *options)
{
    gpu_init_instance(gpu, options);
    gpu_init_device(gpu, options);
}

void gpu_finish_device(struct gpu *gpu)
{
    must(vkDeviceWaitIdle(gpu->device));
    vkDestroyCommandPool(gpu->device, gpu->pool, NULL);
    vkDestroyDevice(gpu->device, NULL);
}

void gpu_finish(struct gpu *gpu)
{
    gpu_finish_device(gpu);
    vkDestroyInstance(gpu->instance, NULL);
}

uint32_t find_memory_type(const struct gpu *gpu, uint32_t bits, VkMemoryPropertyFlags required,
                          VkMemoryPropertyFlags preferred)
{
    const VkMemoryPropertyFlags wishes[] = {required | preferred, required};
    for (size_t wish = 0; wish < ARRAY_SIZE(wishes); wish++) {
        for (uint32_t i = 0; i < gpu->memory.memoryTypeCount; i++) {
            const VkMemoryPropertyFlags flags = gpu->memory.memoryTypes[i].propertyFlags;
            if ((bits & (1u << i)) && (flags & wishes[wish]) == wishes[wish])
                return i;
        }
    }
    return UINT32_MAX;
}

VkDeviceMemory allocate(const struct gpu *gpu, const VkMemoryRequirements *requirements,
                        VkMemoryPropertyFlags required, VkMemoryPropertyFlags preferred)
{
    const uint32_t type = find_memory_type(gpu, requirements->memoryTypeBits, required, preferred);
    expect(type != UINT32_MAX, "no memory type in %#x has properties %#x",
           requirements->memoryTypeBits, required);
    VkDeviceMemory memory;
    must(vkAllocateMemory(gpu->device,
                          &(VkMemoryAllocateInfo){
                              .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                              .allocationSize = requirements->size,
                              .memoryTypeIndex = type,
                          },
                          NULL, &memory));
    return memory;
}

static void buffer_init(const struct gpu *gpu, struct buffer *buffer, VkDeviceSize size,
                        VkBufferUsageFlags usage, VkMemoryPropertyFlags required,
                        VkMemoryPropertyFlags preferred)
{
    *buffer = (struct buffer){.size = size};
    must(vkCreateBuffer(gpu->device,
                        &(VkBufferCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                            .size = size,
                            .usage = usage,
                            .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
                        },
                        NULL, &buffer->handle));
    VkMemoryRequirements requirements;
    vkGetBufferMemoryRequirements(gpu->device, buffer->handle, &requirements);
    expect(requirements.size >= size, "a buffer of %ju bytes needs only %ju", (uintmax_t)size,
           (uintmax_t)requirements.size);
    buffer->memory = allocate(gpu, &requirements, required, preferred);
    must(vkBindBufferMemory(gpu->device, buffer->handle, buffer->memory, 0));
}

void buffer_init_host(const struct gpu *gpu, struct buffer *buffer, VkDeviceSize size,
                      VkBufferUsageFlags usage)
{
    buffer_init(gpu, buffer, size, usage,
                VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
                VK_MEMORY_PROPERTY_HOST_CACHED_BIT);
    must(vkMapMemory(gpu->device, buffer->memory, 0, VK_WHOLE_SIZE, 0, &buffer->map));
}

void buffer_init_device(const struct gpu *gpu, struct buffer *buffer, VkDeviceSize size,
                        VkBufferUsageFlags usage)
{
    buffer_init(gpu, buffer, size, usage, 0, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
}

VkDeviceAddress buffer_init_addressed(const struct gpu *gpu, struct buffer *buffer,
                                      VkDeviceSize size, VkBufferUsageFlags usage)
{
    *buffer = (struct buffer){.size = size};
    must(vkCreateBuffer(gpu->device,
                        &(VkBufferCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                            .size = size,
                            .usage = usage | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT,
                        },
                        NULL, &buffer->handle));
    VkMemoryRequirements requirements;
    vkGetBufferMemoryRequirements(gpu->device, buffer->handle, &requirements);
    must(vkAllocateMemory(
        gpu->device,
        &(VkMemoryAllocateInfo){
            .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
            .pNext =
                &(VkMemoryAllocateFlagsInfo){
                    .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
                    .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT,
                },
            .allocationSize = requirements.size,
            .memoryTypeIndex = find_memory_type(
                gpu, requirements.memoryTypeBits,
                VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, 0),
        },
        NULL, &buffer->memory));
    must(vkBindBufferMemory(gpu->device, buffer->handle, buffer->memory, 0));
    must(vkMapMemory(gpu->device, buffer->memory, 0, VK_WHOLE_SIZE, 0, &buffer->map));
    const VkDeviceAddress address = vkGetBufferDeviceAddress(
        gpu->device, &(VkBufferDeviceAddressInfo){
                         .sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                         .buffer = buffer->handle,
                     });
    expect(address, "a buffer has no address");
    return address;
}

void buffer_finish(const struct gpu *gpu, struct buffer *buffer)
{
    vkDestroyBuffer(gpu->device, buffer->handle, NULL);
    vkFreeMemory(gpu->device, buffer->memory, NULL);
    *buffer = (struct buffer){0};
}

VkImageAspectFlags format_aspects(VkFormat format)
{
    switch (format) {
    case VK_FORMAT_D16_UNORM:
    case VK_FORMAT_D32_SFLOAT:
    case VK_FORMAT_X8_D24_UNORM_PACK32:
        return VK_IMAGE_ASPECT_DEPTH_BIT;
    case VK_FORMAT_D24_UNORM_S8_UINT:
    case VK_FORMAT_D32_SFLOAT_S8_UINT:
        return VK_IMAGE_ASPECT_DEPTH_BIT | VK_IMAGE_ASPECT_STENCIL_BIT;
    default:
        return VK_IMAGE_ASPECT_COLOR_BIT;
    }
}

void image_init(const struct gpu *gpu, struct image *image, const struct image_options *options)
{
    *image = (struct image){
        .format = options->format,
        .extent = options->extent,
        .levels = options->levels ? options->levels : 1,
    };
    must(vkCreateImage(gpu->device,
                       &(VkImageCreateInfo){
                           .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                           .imageType = VK_IMAGE_TYPE_2D,
                           .format = image->format,
                           .extent = {image->extent.width, image->extent.height, 1},
                           .mipLevels = image->levels,
                           .arrayLayers = 1,
                           .samples = options->samples ? options->samples : VK_SAMPLE_COUNT_1_BIT,
                           .tiling = VK_IMAGE_TILING_OPTIMAL,
                           .usage = options->usage,
                           .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
                           .initialLayout = VK_IMAGE_LAYOUT_UNDEFINED,
                       },
                       NULL, &image->handle));
    VkMemoryRequirements requirements;
    vkGetImageMemoryRequirements(gpu->device, image->handle, &requirements);
    image->memory = allocate(gpu, &requirements, 0, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    must(vkBindImageMemory(gpu->device, image->handle, image->memory, 0));

    const VkImageUsageFlags viewable = VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_STORAGE_BIT |
                                       VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT |
                                       VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT |
                                       VK_IMAGE_USAGE_INPUT_ATTACHMENT_BIT;
    if (!(options->usage & viewable))
        return;
    must(vkCreateImageView(gpu->device,
                           &(VkImageViewCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                               .image = image->handle,
                               .viewType = VK_IMAGE_VIEW_TYPE_2D,
                               .format = image->format,
                               .subresourceRange =
                                   {
                                       .aspectMask = format_aspects(image->format),
                                       .levelCount = image->levels,
                                       .layerCount = 1,
                                   },
                           },
                           NULL, &image->view));
}

void image_finish(const struct gpu *gpu, struct image *image)
{
    vkDestroyImageView(gpu->device, image->view, NULL);
    vkDestroyImage(gpu->device, image->handle, NULL);
    vkFreeMemory(gpu->device, image->memory, NULL);
    *image = (struct image){0};
}

VkPipelineLayout pipeline_layout_init(const struct gpu *gpu, const VkDescriptorSetLayout *set,
                                      VkShaderStageFlags stages, uint32_t push_size)
{
    VkPipelineLayout layout;
    must(vkCreatePipelineLayout(
        gpu->device,
        &(VkPipelineLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
            .setLayoutCount = set != NULL,
            .pSetLayouts = set,
            .pushConstantRangeCount = push_size > 0,
            .pPushConstantRanges = &(VkPushConstantRange){.stageFlags = stages, .size = push_size},
        },
        NULL, &layout));
    return layout;
}

VkShaderModule shader_init(const struct gpu *gpu, const uint32_t *code, size_t size)
{
    VkShaderModule module;
    must(vkCreateShaderModule(gpu->device,
                              &(VkShaderModuleCreateInfo){
                                  .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                  .codeSize = size,
                                  .pCode = code,
                              },
                              NULL, &module));
    return module;
}

VkPipelineShaderStageCreateInfo stage_of(VkShaderStageFlagBits stage, VkShaderModule module)
{
    return (VkPipelineShaderStageCreateInfo){
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
        .stage = stage,
        .module = module,
        .pName = "main",
    };
}

VkPipeline compute_pipeline_init(const struct gpu *gpu, VkPipelineLayout layout,
                                 const uint32_t *code, size_t size,
                                 const VkSpecializationInfo *specialization)
{
    const VkShaderModule module = shader_init(gpu, code, size);
    VkPipeline pipeline;
    must(vkCreateComputePipelines(
        gpu->device, VK_NULL_HANDLE, 1,
        &(VkComputePipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
            .stage =
                {
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                    .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                    .module = module,
                    .pName = "main",
                    .pSpecializationInfo = specialization,
                },
            .layout = layout,
        },
        NULL, &pipeline));
    vkDestroyShaderModule(gpu->device, module, NULL);
    return pipeline;
}

VkPipeline graphics_pipeline_init(const struct gpu *gpu, const struct graphics_options *options)
{
    const VkShaderModule vertex = shader_init(gpu, options->vertex.words, options->vertex.size);
    const VkShaderModule fragment =
        shader_init(gpu, options->fragment.words, options->fragment.size);
    const VkBool32 tests_depth = options->depth_format != VK_FORMAT_UNDEFINED;
    const VkPipelineRenderingCreateInfo rendering = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_RENDERING_CREATE_INFO,
        .colorAttachmentCount = 1,
        .pColorAttachmentFormats = &options->colour_format,
        .depthAttachmentFormat = options->depth_format,
    };
    const VkPipelineVertexInputStateCreateInfo no_vertex_input = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO,
    };
    VkPipeline pipeline;
    must(vkCreateGraphicsPipelines(
        gpu->device, VK_NULL_HANDLE, 1,
        &(VkGraphicsPipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
            .pNext = options->render_pass ? NULL : &rendering,
            .stageCount = 2,
            .pStages =
                (const VkPipelineShaderStageCreateInfo[]){
                    {
                        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                        .stage = VK_SHADER_STAGE_VERTEX_BIT,
                        .module = vertex,
                        .pName = "main",
                    },
                    {
                        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                        .stage = VK_SHADER_STAGE_FRAGMENT_BIT,
                        .module = fragment,
                        .pName = "main",
                    },
                },
            .pVertexInputState = options->vertex_input ? options->vertex_input : &no_vertex_input,
            .pInputAssemblyState =
                &(VkPipelineInputAssemblyStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO,
                    .topology = options->topology,
                },
            .pViewportState =
                &(VkPipelineViewportStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
                    .viewportCount = 1,
                    .scissorCount = 1,
                },
            .pRasterizationState =
                &(VkPipelineRasterizationStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
                    .cullMode = options->cull,
                    .frontFace = VK_FRONT_FACE_COUNTER_CLOCKWISE,
                    .lineWidth = 1.0f,
                },
            .pMultisampleState =
                &(VkPipelineMultisampleStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
                    .rasterizationSamples =
                        options->samples ? options->samples : VK_SAMPLE_COUNT_1_BIT,
                },
            .pDepthStencilState =
                &(VkPipelineDepthStencilStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_DEPTH_STENCIL_STATE_CREATE_INFO,
                    .depthTestEnable = tests_depth,
                    .depthWriteEnable = tests_depth,
                    .depthCompareOp = VK_COMPARE_OP_LESS,
                },
            .pColorBlendState =
                &(VkPipelineColorBlendStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
                    .attachmentCount = 1,
                    .pAttachments =
                        &(VkPipelineColorBlendAttachmentState){
                            .colorWriteMask = VK_COLOR_COMPONENT_R_BIT | VK_COLOR_COMPONENT_G_BIT |
                                              VK_COLOR_COMPONENT_B_BIT | VK_COLOR_COMPONENT_A_BIT,
                        },
                },
            .pDynamicState =
                &(VkPipelineDynamicStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_DYNAMIC_STATE_CREATE_INFO,
                    .dynamicStateCount = 2,
                    .pDynamicStates =
                        (const VkDynamicState[]){
                            VK_DYNAMIC_STATE_VIEWPORT,
                            VK_DYNAMIC_STATE_SCISSOR,
                        },
                },
            .layout = options->layout,
            .renderPass = options->render_pass,
        },
        NULL, &pipeline));
    vkDestroyShaderModule(gpu->device, vertex, NULL);
    vkDestroyShaderModule(gpu->device, fragment, NULL);
    return pipeline;
}

void set_viewport(VkCommandBuffer commands, VkExtent2D extent)
{
    vkCmdSetViewport(commands, 0, 1,
                     &(VkViewport){
                         .width = (float)extent.width,
                         .height = (float)extent.height,
                         .maxDepth = 1.0f,
                     });
    vkCmdSetScissor(commands, 0, 1, &(VkRect2D){.extent = extent});
}

VkFence fence_create(const struct gpu *gpu, VkFenceCreateFlags flags)
{
    VkFence fence;
    must(vkCreateFence(
        gpu->device,
        &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO, .flags = flags}, NULL,
        &fence));
    return fence;
}

VkCommandBuffer commands_begin(const struct gpu *gpu)
{
    VkCommandBuffer commands;
    must(vkAllocateCommandBuffers(gpu->device,
                                  &(VkCommandBufferAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                      .commandPool = gpu->pool,
                                      .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                      .commandBufferCount = 1,
                                  },
                                  &commands));
    must(vkBeginCommandBuffer(commands, &(VkCommandBufferBeginInfo){
                                            .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
                                        }));
    return commands;
}

void commands_end(VkCommandBuffer commands)
{
    must(vkEndCommandBuffer(commands));
}

void commands_submit(const struct gpu *gpu, VkCommandBuffer commands, VkFence fence)
{
    must(vkQueueSubmit(gpu->queue, 1,
                       &(VkSubmitInfo){
                           .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                           .commandBufferCount = 1,
                           .pCommandBuffers = &commands,
                       },
                       fence));
}

void commands_finish(const struct gpu *gpu, VkCommandBuffer commands)
{
    commands_end(commands);
    VkFence fence;
    must(vkCreateFence(gpu->device,
                       &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO}, NULL,
                       &fence));
    commands_submit(gpu, commands, fence);
    must(vkWaitForFences(gpu->device, 1, &fence, VK_TRUE, LONG_NS));
    vkDestroyFence(gpu->device, fence, NULL);
    vkFreeCommandBuffers(gpu->device, gpu->pool, 1, &commands);
}

void image_barrier(VkCommandBuffer commands, VkImage image, const VkImageSubresourceRange *range,
                   const struct image_use *from, const struct image_use *to)
{
    vkCmdPipelineBarrier(commands, from->stages, to->stages, 0, 0, NULL, 0, NULL, 1,
                         &(VkImageMemoryBarrier){
                             .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
                             .srcAccessMask = from->access,
                             .dstAccessMask = to->access,
                             .oldLayout = from->layout,
                             .newLayout = to->layout,
                             .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                             .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                             .image = image,
                             .subresourceRange = *range,
                         });
}

void memory_barrier(VkCommandBuffer commands, VkPipelineStageFlags from_stages,
                    VkAccessFlags from_access, VkPipelineStageFlags to_stages,
                    VkAccessFlags to_access)
{
    vkCmdPipelineBarrier(commands, from_stages, to_stages, 0, 1,
                         &(VkMemoryBarrier){
                             .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                             .srcAccessMask = from_access,
                             .dstAccessMask = to_access,
                         },
                         0, NULL, 0, NULL);
}

void picture_init(struct picture *picture, uint32_t width, uint32_t height)
{
    *picture = (struct picture){
        .width = width,
        .height = height,
        .pixels = calloc((size_t)width * height, 4),
    };
    expect(picture->pixels, "no memory for a picture of %ux%u", width, height);
}

void picture_finish(struct picture *picture)
{
    free(picture->pixels);
    *picture = (struct picture){0};
}

void picture_init_from_image(const struct gpu *gpu, struct picture *picture, VkImage image,
                             VkFormat format, VkExtent2D extent)
{
    const size_t size = (size_t)extent.width * extent.height * 4;
    struct buffer readback;
    buffer_init_host(gpu, &readback, size, VK_BUFFER_USAGE_TRANSFER_DST_BIT);

    const VkCommandBuffer commands = commands_begin(gpu);
    vkCmdCopyImageToBuffer(
        commands, image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, readback.handle, 1,
        &(VkBufferImageCopy){
            .imageSubresource = {.aspectMask = VK_IMAGE_ASPECT_COLOR_BIT, .layerCount = 1},
            .imageExtent = {extent.width, extent.height, 1},
        });
    memory_barrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                   VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    commands_finish(gpu, commands);

    picture_init(picture, extent.width, extent.height);
    memcpy(picture->pixels, readback.map, size);
    if (format == VK_FORMAT_B8G8R8A8_UNORM || format == VK_FORMAT_B8G8R8A8_SRGB) {
        for (size_t i = 0; i < size; i += 4) {
            const uint8_t blue = picture->pixels[i];
            picture->pixels[i] = picture->pixels[i + 2];
            picture->pixels[i + 2] = blue;
        }
    }
    buffer_finish(gpu, &readback);
}

void picture_write(const struct picture *picture, const char *path)
{
    png_image png = {
        .version = PNG_IMAGE_VERSION,
        .width = picture->width,
        .height = picture->height,
        .format = PNG_FORMAT_RGBA,
    };
    expect(png_image_write_to_file(&png, path, 0, picture->pixels, 0, NULL), "cannot write %s: %s",
           path, png.message);
}

uint64_t picture_checksum(const struct picture *picture)
{
    return fnv1a(picture->pixels, (size_t)picture->width * picture->height * 4);
}

bool picture_equal(const struct picture *a, const struct picture *b)
{
    return a->width == b->width && a->height == b->height &&
           memcmp(a->pixels, b->pixels, (size_t)a->width * a->height * 4) == 0;
}

uint32_t picture_count_colours(const struct picture *picture, uint32_t limit)
{
    uint32_t *seen = calloc(limit + 1, sizeof(*seen));
    uint32_t count = 0;
    const size_t pixel_count = (size_t)picture->width * picture->height;
    for (size_t i = 0; i < pixel_count && count < limit; i++) {
        uint32_t colour;
        memcpy(&colour, picture->pixels + 4 * i, sizeof(colour));
        uint32_t j = 0;
        while (j < count && seen[j] != colour)
            j++;
        if (j == count)
            seen[count++] = colour;
    }
    free(seen);
    return count;
}

int count_descriptors(void)
{
    DIR *all = opendir("/proc/self/fd");
    int count = 0;
    expect(all, "/proc is not there");
    while (readdir(all))
        count++;
    closedir(all);
    return count;
}

void tell(int socket, const void *message, size_t size, int fd)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec bytes = {.iov_base = (void *)message, .iov_len = size};
    struct msghdr out = {.msg_iov = &bytes, .msg_iovlen = 1};
    if (fd >= 0) {
        out.msg_control = &control;
        out.msg_controllen = sizeof(control.space);
        struct cmsghdr *header = CMSG_FIRSTHDR(&out);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    }
    expect(sendmsg(socket, &out, 0) == (ssize_t)size, "can not tell the other process");
}

int hear(int socket, void *message, size_t size)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec bytes = {.iov_base = message, .iov_len = size};
    struct msghdr in = {
        .msg_iov = &bytes,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control.space),
    };
    int fd = -1;
    expect(recvmsg(socket, &in, 0) == (ssize_t)size, "the other process is gone");
    if (CMSG_FIRSTHDR(&in))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&in)), sizeof(fd));
    return fd;
}

void say(int socket, int step, int fd)
{
    tell(socket, &step, sizeof(step), fd);
}

int listen_for(int socket, int step)
{
    int said;
    const int fd = hear(socket, &said, sizeof(said));
    expect(said == step, "the other process is at step %d, not %d", said, step);
    return fd;
}

pid_t other_process(int *socket, void (*run)(int socket))
{
    int sockets[2];
    expect(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0, "no sockets");
    fflush(stdout);
    const pid_t child = fork();
    expect(child >= 0, "no child");
    if (child == 0) {
        char byte;
        close(sockets[0]);
        if (recv(sockets[1], &byte, 1, MSG_PEEK) <= 0)
            exit(EXIT_SUCCESS); /* the other one has found nothing to test */
        run(sockets[1]);
        exit(EXIT_SUCCESS);
    }
    close(sockets[1]);
    *socket = sockets[0];
    return child;
}
