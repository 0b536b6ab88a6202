/* SPDX-License-Identifier: MIT
 *
 * VK_KHR_pipeline_binary: pipelines whose compiled stages are taken out, kept as data, and put in.
 *
 *   binaries          all that it can do
 *   binaries --room   asks with room for far more binaries than there are, again and again
 */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "colour_frag.h"
#include "frame_vert.h"
#include "picture.h"
#include "sum_comp.h"

/* Stands where nothing may be written. */
#define UNTOUCHED ((VkPipelineBinaryKHR)(uintptr_t)0x1234)

static struct gpu gpu;
static VkDescriptorSetLayout set_layout;
static VkPipelineLayout layout;
static const VkShaderStageFlags push_stages =
    VK_SHADER_STAGE_VERTEX_BIT | VK_SHADER_STAGE_COMPUTE_BIT;
static const VkExtent2D extent = {16, 16};
static const VkFormat colour_format = VK_FORMAT_R8G8B8A8_UNORM;

#define FUNCTIONS(X)               \
    X(vkCreatePipelineBinariesKHR) \
    X(vkDestroyPipelineBinaryKHR)  \
    X(vkGetPipelineKeyKHR)         \
    X(vkGetPipelineBinaryDataKHR)  \
    X(vkReleaseCapturedPipelineDataKHR)
#define DECLARE(name) static PFN_##name name##_;
FUNCTIONS(DECLARE)

/* ---- Pipelines */

/* A create info of two stages, and all that it points to. It must stay where it is. */
struct description {
    VkGraphicsPipelineCreateInfo info;
    VkPipelineCreateFlags2CreateInfoKHR flags;
    VkPipelineRenderingCreateInfo rendering;
    VkPipelineBinaryInfoKHR binaries;
    VkPipelineShaderStageCreateInfo stages[2];
};

static VkPipelineShaderStageCreateInfo stage(VkShaderStageFlagBits bit, VkShaderModule module)
{
    return (VkPipelineShaderStageCreateInfo){
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
        .stage = bit,
        .module = module,
        .pName = "main",
    };
}

/* With garbage where such a pipeline has no state. */
static void describe(struct description *d, VkShaderModule vertex, VkShaderModule fragment)
{
    static const VkPipelineVertexInputStateCreateInfo vertex_input = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO,
    };
    static const VkPipelineInputAssemblyStateCreateInfo assembly = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO,
        .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST,
    };
    static const VkPipelineViewportStateCreateInfo viewport = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
        .viewportCount = 1,
        .pViewports = GARBAGE_POINTER, /* dynamic */
        .scissorCount = 1,
        .pScissors = GARBAGE_POINTER, /* dynamic */
    };
    static const VkPipelineRasterizationStateCreateInfo raster = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
        .lineWidth = 1.0f,
    };
    static const VkPipelineMultisampleStateCreateInfo multisample = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
        .rasterizationSamples = VK_SAMPLE_COUNT_1_BIT,
    };
    static const VkPipelineColorBlendAttachmentState attachment = {.colorWriteMask = 15};
    static const VkPipelineColorBlendStateCreateInfo blend = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
        .attachmentCount = 1,
        .pAttachments = &attachment,
    };
    static const VkDynamicState states[] = {VK_DYNAMIC_STATE_VIEWPORT, VK_DYNAMIC_STATE_SCISSOR};
    static const VkPipelineDynamicStateCreateInfo dynamic = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_DYNAMIC_STATE_CREATE_INFO,
        .dynamicStateCount = 2,
        .pDynamicStates = states,
    };
    *d = (struct description){
        .info =
            {
                .sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
                .pNext = &d->flags,
                .stageCount = 2,
                .pStages = d->stages,
                .pVertexInputState = &vertex_input,
                .pInputAssemblyState = &assembly,
                .pTessellationState = GARBAGE_POINTER,
                .pViewportState = &viewport,
                .pRasterizationState = &raster,
                .pMultisampleState = &multisample,
                .pDepthStencilState = GARBAGE_POINTER,
                .pColorBlendState = &blend,
                .pDynamicState = &dynamic,
                .layout = layout,
            },
        .flags =
            {
                .sType = VK_STRUCTURE_TYPE_PIPELINE_CREATE_FLAGS_2_CREATE_INFO_KHR,
                .pNext = &d->rendering,
                .flags = VK_PIPELINE_CREATE_2_CAPTURE_DATA_BIT_KHR,
            },
        .rendering =
            {
                .sType = VK_STRUCTURE_TYPE_PIPELINE_RENDERING_CREATE_INFO,
                .colorAttachmentCount = 1,
                .pColorAttachmentFormats = &colour_format,
            },
        .stages = {stage(VK_SHADER_STAGE_VERTEX_BIT, vertex),
                   stage(VK_SHADER_STAGE_FRAGMENT_BIT, fragment)},
    };
}

static VkPipeline create_pipeline(const struct description *d)
{
    VkPipeline pipeline;
    must(vkCreateGraphicsPipelines(gpu.device, VK_NULL_HANDLE, 1, &d->info, NULL, &pipeline));
    return pipeline;
}

/* Stages whose modules are ignored, for there are binaries. */
static VkPipeline create_from_binaries(const VkPipelineBinaryKHR *binaries, VkShaderModule module)
{
    struct description d;
    describe(&d, module, module);
    d.flags.flags = 0;
    d.rendering.pNext = &d.binaries;
    d.binaries = (VkPipelineBinaryInfoKHR){
        .sType = VK_STRUCTURE_TYPE_PIPELINE_BINARY_INFO_KHR,
        .binaryCount = 2,
        .pPipelineBinaries = binaries,
    };
    return create_pipeline(&d);
}

static uint64_t draw(VkPipeline pipeline)
{
    static const VkImageSubresourceRange whole = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};
    static const struct image_use use_nothing = {VK_IMAGE_LAYOUT_UNDEFINED,
                                                 VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, 0};
    static const struct image_use use_colour = {VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                                                VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
                                                VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT};
    static const struct image_use use_copy = {VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                                              VK_PIPELINE_STAGE_TRANSFER_BIT,
                                              VK_ACCESS_TRANSFER_READ_BIT};
    struct image target;
    image_init(&gpu, &target,
               &(struct image_options){
                   .format = colour_format,
                   .extent = extent,
                   .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
               });
    const VkCommandBuffer commands = commands_begin(&gpu);
    image_barrier(commands, target.handle, &whole, &use_nothing, &use_colour);
    vkCmdBeginRendering(commands,
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
                                    .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
                                    .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
                                },
                        });
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
    vkCmdPushConstants(commands, layout, push_stages, 0, 4, &(uint32_t){3});
    set_viewport(commands, extent);
    vkCmdDraw(commands, 3, 1, 0, 0);
    vkCmdEndRendering(commands);
    image_barrier(commands, target.handle, &whole, &use_colour, &use_copy);
    commands_finish(&gpu, commands);
    struct picture picture;
    picture_init_from_image(&gpu, &picture, target.handle, colour_format, extent);
    expect(picture_count_colours(&picture, 8) == 8, "the picture is blank");
    const uint64_t checksum = picture_checksum(&picture);
    picture_finish(&picture);
    image_finish(&gpu, &target);
    return checksum;
}

/* ---- Binaries */

static VkResult create(const VkPipelineBinaryCreateInfoKHR *info, uint32_t *count,
                       VkPipelineBinaryKHR *binaries)
{
    VkPipelineBinaryHandlesInfoKHR handles = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_BINARY_HANDLES_INFO_KHR,
        .pipelineBinaryCount = *count,
        .pPipelineBinaries = binaries,
    };
    const VkResult result = vkCreatePipelineBinariesKHR_(gpu.device, info, NULL, &handles);
    *count = handles.pipelineBinaryCount;
    return result;
}

static void destroy(uint32_t count, const VkPipelineBinaryKHR *binaries)
{
    for (uint32_t i = 0; i < count; i++)
        vkDestroyPipelineBinaryKHR_(gpu.device, binaries[i], NULL);
}

static VkPipelineBinaryKeyKHR pipeline_key(const void *pipeline)
{
    VkPipelineBinaryKeyKHR key = {.sType = VK_STRUCTURE_TYPE_PIPELINE_BINARY_KEY_KHR};
    must(vkGetPipelineKeyKHR_(gpu.device,
                              pipeline ? &(VkPipelineCreateInfoKHR){
                                             .sType = VK_STRUCTURE_TYPE_PIPELINE_CREATE_INFO_KHR,
                                             .pNext = (void *)pipeline,
                                         }
                                       : NULL,
                              &key));
    return key;
}

static uint64_t show(const char *what, const VkPipelineBinaryKeyKHR *key)
{
    expect(key->keySize > 0 && key->keySize <= sizeof(key->key), "a key of %u bytes", key->keySize);
    const uint64_t sum = fnv1a(key->key, key->keySize);
    printf("%s: %016jx\n", what, (uintmax_t)sum);
    return sum;
}

static void test_keys(VkShaderModule vertex, VkShaderModule fragment, VkShaderModule other)
{
    section("keys");
    struct description d, different;
    describe(&d, vertex, fragment);
    describe(&different, vertex, fragment);
    const VkPipelineBinaryKeyKHR global = pipeline_key(NULL), one = pipeline_key(&d.info),
                                 same = pipeline_key(&different.info);
    different.rendering.colorAttachmentCount = 0;
    const VkPipelineBinaryKeyKHR rendering = pipeline_key(&different.info);
    const VkSpecializationInfo special = {
        .mapEntryCount = 1,
        .pMapEntries = &(const VkSpecializationMapEntry){.constantID = 0, .size = 4},
        .dataSize = 4,
        .pData = &(const uint32_t){64},
    };
    VkComputePipelineCreateInfo compute = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = stage(VK_SHADER_STAGE_COMPUTE_BIT, other),
        .layout = layout,
    };
    const VkPipelineBinaryKeyKHR plain = pipeline_key(&compute);
    compute.stage.pSpecializationInfo = &special;
    const VkPipelineBinaryKeyKHR specialised = pipeline_key(&compute);

    show("global key", &global);
    const uint64_t key = show("key of a graphics pipeline", &one);
    expect(show("again", &same) == key, "two keys of the same pipeline differ");
    expect(show("without attachments", &rendering) != key, "the chain is not in the key");
    expect(show("key of a compute pipeline", &plain) != show("specialised", &specialised),
           "constants are not in the key");
}

/* The count, and every amount of room. */
static void test_counts(VkPipeline pipeline)
{
    section("counts");
    const VkPipelineBinaryCreateInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_BINARY_CREATE_INFO_KHR,
        .pipeline = pipeline,
    };
    uint32_t count = 77;
    must(create(&info, &count, NULL));
    expect(count == 2, "there are %u binaries of two stages", count);
    for (uint32_t room = 0; room <= 4; room++) {
        VkPipelineBinaryKHR binaries[] = {UNTOUCHED, UNTOUCHED, UNTOUCHED, UNTOUCHED};
        const uint32_t fits = room < 2 ? room : 2;
        count = room;
        must_be(room < 2 ? VK_INCOMPLETE : VK_SUCCESS, create(&info, &count, binaries));
        expect(count == fits, "room for %u: %u binaries were made", room, count);
        for (uint32_t i = 0; i < ARRAY_SIZE(binaries); i++)
            expect(i < fits ? binaries[i] && binaries[i] != UNTOUCHED : binaries[i] == UNTOUCHED,
                   "room for %u: binary %u is %#jx", room, i, (uintmax_t)(uintptr_t)binaries[i]);
        destroy(count, binaries);
    }
    vkDestroyPipelineBinaryKHR_(gpu.device, VK_NULL_HANDLE, NULL);
}

struct kept {
    VkPipelineBinaryKeyKHR key;
    VkPipelineBinaryDataKHR data;
};

static struct kept keep(VkPipelineBinaryKHR binary)
{
    const VkPipelineBinaryDataInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_BINARY_DATA_INFO_KHR,
        .pipelineBinary = binary,
    };
    struct kept kept = {.key = {.sType = VK_STRUCTURE_TYPE_PIPELINE_BINARY_KEY_KHR}};
    size_t needed = 1;
    must(vkGetPipelineBinaryDataKHR_(gpu.device, &info, &kept.key, &needed, NULL));
    expect(needed > 0 && kept.key.keySize > 0, "%zu bytes, a key of %u", needed, kept.key.keySize);
    const VkPipelineBinaryKeyKHR asked = kept.key;

    uint8_t *bytes = malloc(needed + 8);
    const size_t rooms[] = {0, 1, needed - 1, needed, needed + 8};
    for (uint32_t i = 0; i < ARRAY_SIZE(rooms); i++) {
        memset(bytes, 0xcd, needed + 8);
        size_t size = rooms[i];
        const bool fits = size >= needed;
        must_be(fits ? VK_SUCCESS : VK_ERROR_NOT_ENOUGH_SPACE_KHR,
                vkGetPipelineBinaryDataKHR_(gpu.device, &info, &kept.key, &size, bytes));
        expect(size == needed, "room for %zu: it says %zu, not %zu", rooms[i], size, needed);
        for (size_t n = fits ? needed : 0; n < needed + 8; n++)
            expect(bytes[n] == 0xcd, "room for %zu: wrote to byte %zu", rooms[i], n);
    }
    expect(kept.key.keySize == asked.keySize && memcmp(kept.key.key, asked.key, asked.keySize) == 0,
           "the key depends on the room");
    kept.data = (VkPipelineBinaryDataKHR){needed, bytes};
    /* Viaduct's server adds a seal, so that sizes and bytes are not the driver's. */
    printf("data of a size that is kept\n");
    return kept;
}

/* From data, of which one piece may be damaged. */
static void test_data(const struct kept *kept, uint64_t picture)
{
    section("data");
    VkPipelineBinaryKeyKHR keys[] = {kept[0].key, kept[1].key, kept[0].key};
    const VkPipelineBinaryDataKHR data[] = {kept[0].data, kept[1].data, kept[0].data};
    const VkPipelineBinaryKeysAndDataKHR keys_and_data = {ARRAY_SIZE(data), keys, data};
    const VkPipelineBinaryCreateInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_BINARY_CREATE_INFO_KHR,
        .pKeysAndDataInfo = &keys_and_data,
    };
    VkPipelineBinaryKHR binaries[3];
    uint32_t count = 0;
    must(create(&info, &count, NULL));
    expect(count == 3, "%u binaries of three blobs", count);
    must(create(&info, &count, binaries));
    const VkPipeline pipeline = create_from_binaries(binaries, VK_NULL_HANDLE);
    expect(draw(pipeline) == picture, "another picture");
    vkDestroyPipeline(gpu.device, pipeline, NULL);
    destroy(count, binaries);

    for (uint32_t bad = 0; bad < 3; bad++) {
        for (uint32_t i = 0; i < 3; i++)
            binaries[i] = UNTOUCHED;
        keys[bad].key[0] ^= 1;
        must_be(VK_ERROR_INITIALIZATION_FAILED, create(&info, &count, binaries));
        keys[bad].key[0] ^= 1;
        for (uint32_t i = 0; i < 3; i++)
            expect(i == bad ? !binaries[i] : binaries[i] && binaries[i] != UNTOUCHED,
                   "data %u is damaged, and binary %u is %#jx", bad, i,
                   (uintmax_t)(uintptr_t)binaries[i]);
        /* Those that were made are as good as ever. */
        const struct kept again = keep(binaries[(bad + 1) % 3]);
        expect(again.data.dataSize == data[(bad + 1) % 3].dataSize, "another size");
        free(again.data.pData);
        destroy(3, binaries);
    }
}

/* What the driver has compiled before it finds; the other shader it has never seen. */
static void test_cache(VkShaderModule vertex, VkShaderModule fragment, VkShaderModule other,
                       uint64_t picture)
{
    section("cache");
    struct description d;
    VkPipelineCreateInfoKHR head = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_CREATE_INFO_KHR,
        .pNext = &d.info,
    };
    const VkPipelineBinaryCreateInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_BINARY_CREATE_INFO_KHR,
        .pPipelineCreateInfo = &head,
    };
    VkPipelineBinaryKHR binaries[2] = {UNTOUCHED, UNTOUCHED};
    uint32_t count = 0;
    describe(&d, vertex, fragment);
    must(create(&info, &count, NULL));
    expect(count == 2, "%u binaries", count);
    must(create(&info, &count, binaries));
    const VkPipeline pipeline = create_from_binaries(binaries, (VkShaderModule)GARBAGE_HANDLE);
    expect(draw(pipeline) == picture, "another picture");
    vkDestroyPipeline(gpu.device, pipeline, NULL);
    destroy(2, binaries);

    describe(&d, vertex, other);
    binaries[0] = binaries[1] = UNTOUCHED;
    must_be(VK_PIPELINE_BINARY_MISSING_KHR, create(&info, &count, binaries));
    expect(binaries[0] && binaries[0] != UNTOUCHED && !binaries[1], "missing: %#jx and %#jx",
           (uintmax_t)(uintptr_t)binaries[0], (uintmax_t)(uintptr_t)binaries[1]);
    destroy(2, binaries);
}

static void test_compute(VkShaderModule module)
{
    section("compute");
    VkPipelineCreateFlags2CreateInfoKHR flags = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_CREATE_FLAGS_2_CREATE_INFO_KHR,
        .flags = VK_PIPELINE_CREATE_2_CAPTURE_DATA_BIT_KHR,
    };
    VkComputePipelineCreateInfo pipeline_info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .pNext = &flags,
        .stage = stage(VK_SHADER_STAGE_COMPUTE_BIT, module),
        .layout = layout,
    };
    VkPipeline pipeline;
    must(vkCreateComputePipelines(gpu.device, VK_NULL_HANDLE, 1, &pipeline_info, NULL, &pipeline));
    VkPipelineBinaryKHR binary;
    uint32_t count = 1;
    must(create(
        &(VkPipelineBinaryCreateInfoKHR){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_BINARY_CREATE_INFO_KHR,
            .pipeline = pipeline,
        },
        &count, &binary));
    must(vkReleaseCapturedPipelineDataKHR_(
        gpu.device,
        &(VkReleaseCapturedPipelineDataInfoKHR){
            .sType = VK_STRUCTURE_TYPE_RELEASE_CAPTURED_PIPELINE_DATA_INFO_KHR,
            .pipeline = pipeline,
        },
        NULL));
    const VkPipelineBinaryInfoKHR binaries = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_BINARY_INFO_KHR,
        .binaryCount = 1,
        .pPipelineBinaries = &binary,
    };
    pipeline_info.pNext = &binaries;
    pipeline_info.stage.module = VK_NULL_HANDLE;
    VkPipeline again;
    must(vkCreateComputePipelines(gpu.device, VK_NULL_HANDLE, 1, &pipeline_info, NULL, &again));
    vkDestroyPipelineBinaryKHR_(gpu.device, binary, NULL);
    vkDestroyPipeline(gpu.device, pipeline, NULL);
    vkDestroyPipeline(gpu.device, again, NULL);
}

/* More than there are places for handles, if what was asked for and not made were not free again. */
static void test_room(VkPipeline pipeline)
{
    section("room");
    const uint32_t room = 1u << 19;
    VkPipelineBinaryKHR *binaries = malloc(room * sizeof(*binaries));
    const VkPipelineBinaryCreateInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_BINARY_CREATE_INFO_KHR,
        .pipeline = pipeline,
    };
    for (uint32_t i = 0; i < 40; i++) {
        uint32_t count = room;
        must(create(&info, &count, binaries));
        destroy(count, binaries);
    }
    free(binaries);
}

/* ---- The device */

static void describe_support(void)
{
    VkPhysicalDevicePipelineBinaryFeaturesKHR features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_BINARY_FEATURES_KHR,
    };
    VkPhysicalDevicePipelineBinaryPropertiesKHR properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_BINARY_PROPERTIES_KHR,
    };
    vkGetPhysicalDeviceFeatures2(gpu.physical,
                                 &(VkPhysicalDeviceFeatures2){
                                     .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                     .pNext = &features,
                                 });
    vkGetPhysicalDeviceProperties2(gpu.physical,
                                   &(VkPhysicalDeviceProperties2){
                                       .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                       .pNext = &properties,
                                   });
    expect(features.pipelineBinaries, "the extension without its feature");
    printf("internal cache %u, control %u, preferred %u, precompiled %u, compressed %u\n",
           properties.pipelineBinaryInternalCache, properties.pipelineBinaryInternalCacheControl,
           properties.pipelineBinaryPrefersInternalCache,
           properties.pipelineBinaryPrecompiledInternalCache,
           properties.pipelineBinaryCompressedData);
}

static void open_device(VkBool32 disable_cache)
{
    VkPhysicalDevicePipelineBinaryFeaturesKHR binary_features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_BINARY_FEATURES_KHR,
        .pipelineBinaries = VK_TRUE,
    };
    VkPhysicalDeviceMaintenance5FeaturesKHR maintenance5 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_5_FEATURES_KHR,
        .pNext = &binary_features,
        .maintenance5 = VK_TRUE,
    };
    VkPhysicalDeviceVulkan13Features core = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
        .pNext = &maintenance5,
        .dynamicRendering = VK_TRUE,
    };
    const VkDevicePipelineBinaryInternalCacheControlKHR control = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_PIPELINE_BINARY_INTERNAL_CACHE_CONTROL_KHR,
        .pNext = &core,
        .disableInternalCache = disable_cache,
    };
    gpu_init_device(
        &gpu, &(struct gpu_options){
                  .device_extensions = (const char *const[]){VK_KHR_PIPELINE_BINARY_EXTENSION_NAME,
                                                             VK_KHR_MAINTENANCE_5_EXTENSION_NAME},
                  .device_extension_count = 2,
                  .features = &control,
              });
#define LOAD(name)                                                \
    name##_ = (PFN_##name)vkGetDeviceProcAddr(gpu.device, #name); \
    expect(name##_, "there is no " #name);
    FUNCTIONS(LOAD)
    set_layout = set_layout_of_two(&gpu, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                   VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, VK_SHADER_STAGE_COMPUTE_BIT);
    must(
        vkCreatePipelineLayout(gpu.device,
                               &(VkPipelineLayoutCreateInfo){
                                   .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                   .setLayoutCount = 1,
                                   .pSetLayouts = &set_layout,
                                   .pushConstantRangeCount = 1,
                                   .pPushConstantRanges = &(VkPushConstantRange){push_stages, 0, 4},
                               },
                               NULL, &layout));
}

static void close_device(void)
{
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, set_layout, NULL);
    gpu_finish_device(&gpu);
}

int main(int argc, char **argv)
{
    gpu_init_instance(&gpu, &(struct gpu_options){.name = "binaries"});
    uint32_t count = 1;
    vkEnumeratePhysicalDevices(gpu.instance, &count, &gpu.physical);
    if (!gpu_has_extension(gpu.physical, VK_KHR_PIPELINE_BINARY_EXTENSION_NAME)) {
        printf("there is no VK_KHR_pipeline_binary\n");
        return EXIT_SKIPPED;
    }
    describe_support();
    open_device(VK_FALSE);
    const VkShaderModule vertex = shader_init(&gpu, frame_vert, sizeof(frame_vert)),
                         fragment = shader_init(&gpu, colour_frag, sizeof(colour_frag)),
                         other = shader_init(&gpu, sum_comp, sizeof(sum_comp));
    struct description d;
    describe(&d, vertex, fragment);
    const VkPipeline pipeline = create_pipeline(&d);
    if (argc > 1 && strcmp(argv[1], "--room") == 0) {
        test_room(pipeline);
    } else {
        test_keys(vertex, fragment, other);
        test_counts(pipeline);
        const uint64_t picture = draw(pipeline);
        printf("picture %016jx\n", (uintmax_t)picture);
        VkPipelineBinaryKHR binaries[2];
        count = 2;
        must(create(
            &(VkPipelineBinaryCreateInfoKHR){
                .sType = VK_STRUCTURE_TYPE_PIPELINE_BINARY_CREATE_INFO_KHR,
                .pipeline = pipeline,
            },
            &count, binaries));
        struct kept kept[2] = {keep(binaries[0]), keep(binaries[1])};
        const VkPipeline again = create_from_binaries(binaries, VK_NULL_HANDLE);
        destroy(2, binaries);
        expect(draw(again) == picture, "another picture");
        vkDestroyPipeline(gpu.device, again, NULL);
        test_data(kept, picture);
        test_cache(vertex, fragment, other, picture);
        test_compute(other);
        free(kept[0].data.pData);
        free(kept[1].data.pData);
    }
    vkDestroyPipeline(gpu.device, pipeline, NULL);
    vkDestroyShaderModule(gpu.device, vertex, NULL);
    vkDestroyShaderModule(gpu.device, fragment, NULL);
    vkDestroyShaderModule(gpu.device, other, NULL);
    close_device();

    section("a device without the driver's cache");
    open_device(VK_TRUE);
    const VkPipelineBinaryKeyKHR key = pipeline_key(NULL);
    show("global key", &key);
    close_device();
    vkDestroyInstance(gpu.instance, NULL);
    return 0;
}
