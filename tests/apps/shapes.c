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
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "colour_frag.h"
#include "launch_rgen.h"
#include "picture.h"
#include "square_mesh.h"
#include "sum_comp.h"
#include "triangle_vert.h"

static struct gpu gpu;
static const VkExtent2D extent = {16, 16};
static const VkFormat colour_format = VK_FORMAT_R8G8B8A8_UNORM;

#define LOAD(name) const PFN_##name name##_ = (PFN_##name)vkGetDeviceProcAddr(gpu.device, #name)

static VkPipelineLayout create_layout(uint32_t set_count, const VkDescriptorSetLayout *set)
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

/* ---- Graphics */

/* With a mesh or a vertex shader, and garbage wherever such a pipeline has no state of its own. */
static VkPipeline create_pipeline(VkPipelineLayout layout, VkShaderStageFlagBits first_stage,
                                  struct shader_code first, VkSampleCountFlagBits samples)
{
    const VkShaderModule modules[] = {
        shader_init(&gpu, first.words, first.size),
        shader_init(&gpu, colour_frag, sizeof(colour_frag)),
    };
    const bool mesh = first_stage == VK_SHADER_STAGE_MESH_BIT_EXT;
    const VkPipelineInputAssemblyStateCreateInfo assembly = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO,
        .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST,
    };
    VkPipeline pipeline;
    must(vkCreateGraphicsPipelines(
        gpu.device, VK_NULL_HANDLE, 1,
        &(VkGraphicsPipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
            .pNext =
                &(VkPipelineRenderingCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_RENDERING_CREATE_INFO,
                    .colorAttachmentCount = 1,
                    .pColorAttachmentFormats = &colour_format,
                },
            .stageCount = 2,
            .pStages =
                (const VkPipelineShaderStageCreateInfo[]){
                    {
                        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                        .stage = first_stage,
                        .module = modules[0],
                        .pName = "main",
                    },
                    {
                        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                        .stage = VK_SHADER_STAGE_FRAGMENT_BIT,
                        .module = modules[1],
                        .pName = "main",
                    },
                },
            /* Dynamic, or of a kind of pipeline that has none. */
            .pVertexInputState = GARBAGE_POINTER,
            .pInputAssemblyState = mesh ? GARBAGE_POINTER : &assembly,
            .pTessellationState = GARBAGE_POINTER,
            .pViewportState =
                &(VkPipelineViewportStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
                    .viewportCount = 1,
                    .pViewports = GARBAGE_POINTER,
                    .scissorCount = 1,
                    .pScissors = GARBAGE_POINTER,
                },
            .pRasterizationState =
                &(VkPipelineRasterizationStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
                    .lineWidth = 1.0f,
                },
            .pMultisampleState =
                &(VkPipelineMultisampleStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
                    .rasterizationSamples = samples,
                    .pSampleMask = &(const VkSampleMask){1}, /* the first one alone */
                },
            .pDepthStencilState = GARBAGE_POINTER, /* no such attachment */
            .pColorBlendState =
                &(VkPipelineColorBlendStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
                    .attachmentCount = 1,
                    .pAttachments = &(VkPipelineColorBlendAttachmentState){.colorWriteMask = 15},
                },
            .pDynamicState =
                &(VkPipelineDynamicStateCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_DYNAMIC_STATE_CREATE_INFO,
                    .dynamicStateCount = mesh ? 2 : 3,
                    .pDynamicStates =
                        (const VkDynamicState[]){
                            VK_DYNAMIC_STATE_VIEWPORT,
                            VK_DYNAMIC_STATE_SCISSOR,
                            VK_DYNAMIC_STATE_VERTEX_INPUT_EXT,
                        },
                },
            .layout = layout,
        },
        NULL, &pipeline));
    vkDestroyShaderModule(gpu.device, modules[0], NULL);
    vkDestroyShaderModule(gpu.device, modules[1], NULL);
    return pipeline;
}

static const VkImageSubresourceRange whole = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};
static const struct image_use use_nothing = {VK_IMAGE_LAYOUT_UNDEFINED,
                                             VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, 0};
static const struct image_use use_colour = {VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                                            VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
                                            VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT};
static const struct image_use use_copy = {VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                                          VK_PIPELINE_STAGE_TRANSFER_BIT,
                                          VK_ACCESS_TRANSFER_READ_BIT};

/* Draws into black and expects this red in the middle of the left half, and black on the right. */
static void draw_and_check(VkPipeline pipeline, VkSampleCountFlagBits samples,
                           void (*draw)(VkCommandBuffer commands), uint8_t red, const char *what)
{
    struct image target, resolved = {0};
    image_init(&gpu, &target,
               &(struct image_options){
                   .format = colour_format,
                   .extent = extent,
                   .samples = samples,
                   .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
               });
    const bool resolves = samples != VK_SAMPLE_COUNT_1_BIT;
    if (resolves)
        image_init(
            &gpu, &resolved,
            &(struct image_options){
                .format = colour_format,
                .extent = extent,
                .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
            });
    const struct image *result = resolves ? &resolved : &target;
    const VkCommandBuffer commands = commands_begin(&gpu);
    image_barrier(commands, target.handle, &whole, &use_nothing, &use_colour);
    if (resolves)
        image_barrier(commands, resolved.handle, &whole, &use_nothing, &use_colour);
    vkCmdBeginRendering(
        commands,
        &(VkRenderingInfo){
            .sType = VK_STRUCTURE_TYPE_RENDERING_INFO,
            .renderArea = {.extent = extent},
            .layerCount = 1,
            .colorAttachmentCount = 1,
            .pColorAttachments =
                &(VkRenderingAttachmentInfo){
                    .sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
                    .imageView = target.view,
                    .imageLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                    .resolveMode = resolves ? VK_RESOLVE_MODE_AVERAGE_BIT : VK_RESOLVE_MODE_NONE,
                    .resolveImageView = resolved.view,
                    .resolveImageLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                    .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
                    .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
                },
        });
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
    set_viewport(commands, extent);
    draw(commands);
    vkCmdEndRendering(commands);
    image_barrier(commands, result->handle, &whole, &use_colour, &use_copy);
    commands_finish(&gpu, commands);
    struct picture picture;
    picture_init_from_image(&gpu, &picture, result->handle, colour_format, extent);
    const uint8_t *left = picture.pixels + (8 * 16 + 4) * 4, *right = left + 8 * 4;
    expect(abs(left[0] - red) <= 1 && right[0] == 0, "%s: red is %u and %u instead of %u and 0",
           what, left[0], right[0], red);
    picture_finish(&picture);
    if (resolves)
        image_finish(&gpu, &resolved);
    image_finish(&gpu, &target);
}

static struct buffer vertices;

static void set_vertex_input(VkCommandBuffer commands)
{
    LOAD(vkCmdSetVertexInputEXT);
    vkCmdSetVertexInputEXT_(
        commands, 2,
        (const VkVertexInputBindingDescription2EXT[]){
            {
                .sType = VK_STRUCTURE_TYPE_VERTEX_INPUT_BINDING_DESCRIPTION_2_EXT,
                .binding = 0,
                .stride = 8,
                .divisor = 1,
            },
            {
                .sType = VK_STRUCTURE_TYPE_VERTEX_INPUT_BINDING_DESCRIPTION_2_EXT,
                .binding = 1,
                .stride = 12,
                .divisor = 1,
            },
        },
        2,
        (const VkVertexInputAttributeDescription2EXT[]){
            {
                .sType = VK_STRUCTURE_TYPE_VERTEX_INPUT_ATTRIBUTE_DESCRIPTION_2_EXT,
                .location = 0,
                .binding = 0,
                .format = VK_FORMAT_R32G32_SFLOAT,
            },
            {
                .sType = VK_STRUCTURE_TYPE_VERTEX_INPUT_ATTRIBUTE_DESCRIPTION_2_EXT,
                .location = 1,
                .binding = 1,
                .format = VK_FORMAT_R32G32B32_SFLOAT,
            },
        });
}

static void draw_bound(VkCommandBuffer commands)
{
    set_vertex_input(commands);
    /* Sizes and strides are optional. */
    vkCmdBindVertexBuffers2(commands, 0, 2, (const VkBuffer[]){vertices.handle, vertices.handle},
                            (const VkDeviceSize[]){0, 48}, NULL, NULL);
    vkCmdDraw(commands, 6, 1, 0, 0);
}

static void draw_without_colours(VkCommandBuffer commands)
{
    set_vertex_input(commands);
    vkCmdBindVertexBuffers(commands, 0, 2, (const VkBuffer[]){vertices.handle, VK_NULL_HANDLE},
                           (const VkDeviceSize[]){0, 0});
    vkCmdDraw(commands, 6, 1, 0, 0);
}

static void test_vertex_input(void)
{
    static const float data[] = {
        -1, -1, 0, -1, -1, 1, -1, 1, 0, -1, 0, 1,                   /* places: the left half */
        1,  0,  0, 1,  0,  0, 1,  0, 0, 1,  0, 0, 1, 0, 0, 1, 0, 0, /* red */
    };
    buffer_init_host(&gpu, &vertices, sizeof(data), VK_BUFFER_USAGE_VERTEX_BUFFER_BIT);
    memcpy(vertices.map, data, sizeof(data));
    const struct shader_code code = {triangle_vert, sizeof(triangle_vert)};
    const VkPipelineLayout layout = create_layout(0, NULL);
    const VkPipeline one =
        create_pipeline(layout, VK_SHADER_STAGE_VERTEX_BIT, code, VK_SAMPLE_COUNT_1_BIT);
    const VkPipeline four =
        create_pipeline(layout, VK_SHADER_STAGE_VERTEX_BIT, code, VK_SAMPLE_COUNT_4_BIT);
    draw_and_check(one, VK_SAMPLE_COUNT_1_BIT, draw_bound, 255, "dynamic vertex input");
    draw_and_check(one, VK_SAMPLE_COUNT_1_BIT, draw_without_colours, 0, "no buffer");
    draw_and_check(four, VK_SAMPLE_COUNT_4_BIT, draw_bound, 64, "one sample of four");
    vkDestroyPipeline(gpu.device, one, NULL);
    vkDestroyPipeline(gpu.device, four, NULL);
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
    buffer_finish(&gpu, &vertices);
}

static void draw_mesh(VkCommandBuffer commands)
{
    LOAD(vkCmdDrawMeshTasksEXT);
    vkCmdDrawMeshTasksEXT_(commands, 1, 1, 1);
}

static void test_mesh(void)
{
    const VkPipelineLayout layout = create_layout(0, NULL);
    const VkPipeline pipeline = create_pipeline(
        layout, VK_SHADER_STAGE_MESH_BIT_EXT,
        (struct shader_code){square_mesh, sizeof(square_mesh)}, VK_SAMPLE_COUNT_1_BIT);
    draw_and_check(pipeline, VK_SAMPLE_COUNT_1_BIT, draw_mesh, 255, "a mesh");
    vkDestroyPipeline(gpu.device, pipeline, NULL);
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
}

/* ---- Host image copy */

/* Memory that ends where a page begins that nobody may touch. */
struct guarded {
    uint8_t *start;
    size_t mapped;
    uint8_t *bytes;
};

static void guarded_init(struct guarded *g, size_t size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    g->mapped = (size + page - 1) / page * page + page;
    g->start = mmap(NULL, g->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(g->start != MAP_FAILED, "no memory");
    expect(mprotect(g->start + g->mapped - page, page, PROT_NONE) == 0, "mprotect failed");
    g->bytes = g->start + g->mapped - page - size;
}

static void guarded_finish(struct guarded *g)
{
    munmap(g->start, g->mapped);
}

struct copied {
    VkImage image;
    VkDeviceMemory memory;
};

enum {
    LAYERS = 2
};

static void copied_init(struct copied *copied, VkFormat format, VkExtent3D size)
{
    LOAD(vkTransitionImageLayoutEXT);
    must(vkCreateImage(gpu.device,
                       &(VkImageCreateInfo){
                           .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                           .imageType = VK_IMAGE_TYPE_2D,
                           .format = format,
                           .extent = size,
                           .mipLevels = 1,
                           .arrayLayers = LAYERS,
                           .samples = VK_SAMPLE_COUNT_1_BIT,
                           .usage = VK_IMAGE_USAGE_HOST_TRANSFER_BIT_EXT,
                       },
                       NULL, &copied->image));
    VkMemoryRequirements requirements;
    vkGetImageMemoryRequirements(gpu.device, copied->image, &requirements);
    copied->memory = allocate(&gpu, &requirements, 0, 0);
    must(vkBindImageMemory(gpu.device, copied->image, copied->memory, 0));
    must(vkTransitionImageLayoutEXT_(
        gpu.device, 1,
        &(VkHostImageLayoutTransitionInfoEXT){
            .sType = VK_STRUCTURE_TYPE_HOST_IMAGE_LAYOUT_TRANSITION_INFO_EXT,
            .image = copied->image,
            .oldLayout = VK_IMAGE_LAYOUT_UNDEFINED,
            .newLayout = VK_IMAGE_LAYOUT_GENERAL,
            .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, LAYERS},
        }));
}

static void copied_finish(struct copied *copied)
{
    vkDestroyImage(gpu.device, copied->image, NULL);
    vkFreeMemory(gpu.device, copied->memory, NULL);
}

static void copy_in(VkImage image, VkHostImageCopyFlagsEXT flags, const void *from,
                    uint32_t row_length, uint32_t image_height, VkExtent3D size)
{
    LOAD(vkCopyMemoryToImageEXT);
    must(vkCopyMemoryToImageEXT_(
        gpu.device, &(VkCopyMemoryToImageInfoEXT){
                        .sType = VK_STRUCTURE_TYPE_COPY_MEMORY_TO_IMAGE_INFO_EXT,
                        .flags = flags,
                        .dstImage = image,
                        .dstImageLayout = VK_IMAGE_LAYOUT_GENERAL,
                        .regionCount = 1,
                        .pRegions =
                            &(VkMemoryToImageCopyEXT){
                                .sType = VK_STRUCTURE_TYPE_MEMORY_TO_IMAGE_COPY_EXT,
                                .pHostPointer = from,
                                .memoryRowLength = row_length,
                                .memoryImageHeight = image_height,
                                .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, LAYERS},
                                .imageExtent = size,
                            },
                    }));
}

static void copy_out(VkImage image, VkHostImageCopyFlagsEXT flags, void *to, uint32_t row_length,
                     uint32_t image_height, VkExtent3D size)
{
    LOAD(vkCopyImageToMemoryEXT);
    must(vkCopyImageToMemoryEXT_(
        gpu.device, &(VkCopyImageToMemoryInfoEXT){
                        .sType = VK_STRUCTURE_TYPE_COPY_IMAGE_TO_MEMORY_INFO_EXT,
                        .flags = flags,
                        .srcImage = image,
                        .srcImageLayout = VK_IMAGE_LAYOUT_GENERAL,
                        .regionCount = 1,
                        .pRegions =
                            &(VkImageToMemoryCopyEXT){
                                .sType = VK_STRUCTURE_TYPE_IMAGE_TO_MEMORY_COPY_EXT,
                                .pHostPointer = to,
                                .memoryRowLength = row_length,
                                .memoryImageHeight = image_height,
                                .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, LAYERS},
                                .imageExtent = size,
                            },
                    }));
}

static void copy_through(VkFormat format, uint32_t block, uint32_t block_size, uint32_t row_length,
                         uint32_t image_height)
{
    const VkExtent3D size = {44, 20, 1};
    struct copied copied;
    copied_init(&copied, format, size);

    /* Up to the last block of the last row of the last layer, and no byte more. */
    const uint32_t columns = size.width / block, rows = size.height / block;
    const size_t row = (size_t)(row_length ? row_length / block : columns) * block_size;
    const size_t layer = row * (image_height ? image_height / block : rows);
    const size_t bytes = (LAYERS - 1) * layer + (rows - 1) * row + (size_t)columns * block_size;
    struct guarded from, to;
    guarded_init(&from, bytes);
    guarded_init(&to, bytes);
    for (size_t i = 0; i < bytes; i++)
        from.bytes[i] = (uint8_t)mix32((uint32_t)i);
    memset(to.bytes, 0xa5, bytes);
    copy_in(copied.image, 0, from.bytes, row_length, image_height, size);
    copy_out(copied.image, 0, to.bytes, row_length, image_height, size);
    for (size_t i = 0; i < bytes; i++) {
        const bool inside =
            i % layer < rows * row && i % layer % row < (size_t)columns * block_size;
        const uint8_t want = inside ? from.bytes[i] : 0xa5;
        expect(to.bytes[i] == want, "format %d, row length %u: byte %zu is %#x instead of %#x%s",
               format, row_length, i, to.bytes[i], want, inside ? "" : ", between the rows");
    }
    guarded_finish(&to);
    guarded_finish(&from);
    copied_finish(&copied);
}

/* As the driver lays images out, from one into another like it. */
static void copy_raw(void)
{
    LOAD(vkGetImageSubresourceLayout2EXT);
    const VkExtent3D size = {37, 19, 1};
    struct copied copied[2];
    for (int i = 0; i < 2; i++)
        copied_init(&copied[i], VK_FORMAT_R8G8B8A8_UNORM, size);
    VkSubresourceHostMemcpySizeEXT raw = {
        .sType = VK_STRUCTURE_TYPE_SUBRESOURCE_HOST_MEMCPY_SIZE_EXT,
    };
    vkGetImageSubresourceLayout2EXT_(gpu.device, copied[0].image,
                                     &(VkImageSubresource2EXT){
                                         .sType = VK_STRUCTURE_TYPE_IMAGE_SUBRESOURCE_2_EXT,
                                         .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0},
                                     },
                                     &(VkSubresourceLayout2EXT){
                                         .sType = VK_STRUCTURE_TYPE_SUBRESOURCE_LAYOUT_2_EXT,
                                         .pNext = &raw,
                                     });
    const size_t bytes = (size_t)size.width * size.height * 4 * LAYERS;
    struct guarded from, between, to;
    guarded_init(&from, bytes);
    guarded_init(&between, raw.size * LAYERS);
    guarded_init(&to, bytes);
    for (size_t i = 0; i < bytes; i++)
        from.bytes[i] = (uint8_t)mix32((uint32_t)i);
    copy_in(copied[0].image, 0, from.bytes, 0, 0, size);
    copy_out(copied[0].image, VK_HOST_IMAGE_COPY_MEMCPY_EXT, between.bytes, 0, 0, size);
    copy_in(copied[1].image, VK_HOST_IMAGE_COPY_MEMCPY_EXT, between.bytes, 0, 0, size);
    copy_out(copied[1].image, 0, to.bytes, 0, 0, size);
    expect(memcmp(from.bytes, to.bytes, bytes) == 0, "a raw copy arrives different");
    guarded_finish(&to);
    guarded_finish(&between);
    guarded_finish(&from);
    for (int i = 0; i < 2; i++)
        copied_finish(&copied[i]);
}

static void test_host_copy(void)
{
    copy_through(VK_FORMAT_R8_UNORM, 1, 1, 0, 0);
    copy_through(VK_FORMAT_R8G8B8A8_UNORM, 1, 4, 51, 0);
    copy_through(VK_FORMAT_R16G16B16A16_UINT, 1, 8, 0, 23);
    copy_through(VK_FORMAT_R32G32B32A32_UINT, 1, 16, 51, 23);
    /* Enough to be worth sharing. */
    copy_through(VK_FORMAT_R32G32B32A32_UINT, 1, 16, 0, 0);
    copy_through(VK_FORMAT_BC1_RGBA_UNORM_BLOCK, 4, 8, 0, 0);
    copy_through(VK_FORMAT_BC7_UNORM_BLOCK, 4, 16, 52, 24);
    copy_raw();
}

/* ---- Descriptors in buffers */

static void test_descriptors(void)
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

    const VkPipelineLayout layout = create_layout(1, &set_layout);
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

/* ---- Shader group handles */

static void test_launch(void)
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
    const VkPipelineLayout layout = create_layout(1, &set_layout);
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

/* ---- */

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
        test_vertex_input,
        &vertex_input,
        {VK_EXT_VERTEX_INPUT_DYNAMIC_STATE_EXTENSION_NAME, VK_EXT_ROBUSTNESS_2_EXTENSION_NAME},
    },
    {"mesh", test_mesh, &mesh_shader, {VK_EXT_MESH_SHADER_EXTENSION_NAME}},
    {"host-copy", test_host_copy, &host_image_copy, {VK_EXT_HOST_IMAGE_COPY_EXTENSION_NAME}},
    {
        "descriptors",
        test_descriptors,
        &descriptor_buffer,
        {VK_EXT_DESCRIPTOR_BUFFER_EXTENSION_NAME},
    },
    {
        "launch",
        test_launch,
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
