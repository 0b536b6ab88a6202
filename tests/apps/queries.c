/* SPDX-License-Identifier: MIT
 *
 * Everything that is asked and not made: lists, chains of outputs, commands by name. What it prints
 * is the same on a driver and on anything that stands in for it.
 *
 *   queries            what Vulkan 1.3 knows
 *   queries --newer    Vulkan 1.4, and structs that nobody knows: the validation layer of Debian 12
 *                      refuses both
 */
#include "common.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILL = 0xee,       /* what outputs hold before */
    MAX_STRUCT = 1024, /* bytes, larger than any of the structs here */
};

static struct gpu gpu;

/* The struct of a version has the same members as the structs of the extensions that it took in,
 * in the same order: `size` bytes from `offset` on, beside what follows the other's header. */
struct agreement {
    const char *name;
    VkStructureType version_type;
    size_t offset;
    VkStructureType type;
    size_t size;
};

#define HEADER sizeof(VkBaseOutStructure)
#define FEATURES(number, first, kind, suffix, count)                                        \
    {                                                                                       \
#kind, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_##suffix##_FEATURES,                \
            offsetof(VkPhysicalDeviceVulkan##number##Features, first),                      \
            VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_##kind##_FEATURES, (count) * sizeof(VkBool32) \
    }

static const struct agreement features[] = {
    FEATURES(11, storageBuffer16BitAccess, 16BIT_STORAGE, 1_1, 4),
    FEATURES(11, multiview, MULTIVIEW, 1_1, 3),
    FEATURES(11, variablePointersStorageBuffer, VARIABLE_POINTERS, 1_1, 2),
    FEATURES(11, protectedMemory, PROTECTED_MEMORY, 1_1, 1),
    FEATURES(11, samplerYcbcrConversion, SAMPLER_YCBCR_CONVERSION, 1_1, 1),
    FEATURES(11, shaderDrawParameters, SHADER_DRAW_PARAMETERS, 1_1, 1),
    FEATURES(12, storageBuffer8BitAccess, 8BIT_STORAGE, 1_2, 3),
    FEATURES(12, shaderBufferInt64Atomics, SHADER_ATOMIC_INT64, 1_2, 2),
    FEATURES(12, shaderFloat16, SHADER_FLOAT16_INT8, 1_2, 2),
    FEATURES(12, shaderInputAttachmentArrayDynamicIndexing, DESCRIPTOR_INDEXING, 1_2, 20),
    FEATURES(12, scalarBlockLayout, SCALAR_BLOCK_LAYOUT, 1_2, 1),
    FEATURES(12, imagelessFramebuffer, IMAGELESS_FRAMEBUFFER, 1_2, 1),
    FEATURES(12, uniformBufferStandardLayout, UNIFORM_BUFFER_STANDARD_LAYOUT, 1_2, 1),
    FEATURES(12, shaderSubgroupExtendedTypes, SHADER_SUBGROUP_EXTENDED_TYPES, 1_2, 1),
    FEATURES(12, separateDepthStencilLayouts, SEPARATE_DEPTH_STENCIL_LAYOUTS, 1_2, 1),
    FEATURES(12, hostQueryReset, HOST_QUERY_RESET, 1_2, 1),
    FEATURES(12, timelineSemaphore, TIMELINE_SEMAPHORE, 1_2, 1),
    FEATURES(12, bufferDeviceAddress, BUFFER_DEVICE_ADDRESS, 1_2, 3),
    FEATURES(12, vulkanMemoryModel, VULKAN_MEMORY_MODEL, 1_2, 3),
    FEATURES(13, robustImageAccess, IMAGE_ROBUSTNESS, 1_3, 1),
    FEATURES(13, inlineUniformBlock, INLINE_UNIFORM_BLOCK, 1_3, 2),
    FEATURES(13, pipelineCreationCacheControl, PIPELINE_CREATION_CACHE_CONTROL, 1_3, 1),
    FEATURES(13, privateData, PRIVATE_DATA, 1_3, 1),
    FEATURES(13, shaderDemoteToHelperInvocation, SHADER_DEMOTE_TO_HELPER_INVOCATION, 1_3, 1),
    FEATURES(13, shaderTerminateInvocation, SHADER_TERMINATE_INVOCATION, 1_3, 1),
    FEATURES(13, subgroupSizeControl, SUBGROUP_SIZE_CONTROL, 1_3, 2),
    FEATURES(13, synchronization2, SYNCHRONIZATION_2, 1_3, 1),
    FEATURES(13, textureCompressionASTC_HDR, TEXTURE_COMPRESSION_ASTC_HDR, 1_3, 1),
    FEATURES(13, shaderZeroInitializeWorkgroupMemory, ZERO_INITIALIZE_WORKGROUP_MEMORY, 1_3, 1),
    FEATURES(13, dynamicRendering, DYNAMIC_RENDERING, 1_3, 1),
    FEATURES(13, shaderIntegerDotProduct, SHADER_INTEGER_DOT_PRODUCT, 1_3, 1),
    FEATURES(13, maintenance4, MAINTENANCE_4, 1_3, 1),
};

static const struct agreement newer_features[] = {
    FEATURES(14, globalPriorityQuery, GLOBAL_PRIORITY_QUERY, 1_4, 1),
    FEATURES(14, shaderSubgroupRotate, SHADER_SUBGROUP_ROTATE, 1_4, 2),
    FEATURES(14, shaderFloatControls2, SHADER_FLOAT_CONTROLS_2, 1_4, 1),
    FEATURES(14, shaderExpectAssume, SHADER_EXPECT_ASSUME, 1_4, 1),
    FEATURES(14, rectangularLines, LINE_RASTERIZATION, 1_4, 6),
    FEATURES(14, vertexAttributeInstanceRateDivisor, VERTEX_ATTRIBUTE_DIVISOR, 1_4, 2),
    FEATURES(14, indexTypeUint8, INDEX_TYPE_UINT8, 1_4, 1),
    FEATURES(14, dynamicRenderingLocalRead, DYNAMIC_RENDERING_LOCAL_READ, 1_4, 1),
    FEATURES(14, maintenance5, MAINTENANCE_5, 1_4, 1),
    FEATURES(14, maintenance6, MAINTENANCE_6, 1_4, 1),
    FEATURES(14, pipelineProtectedAccess, PIPELINE_PROTECTED_ACCESS, 1_4, 1),
    FEATURES(14, pipelineRobustness, PIPELINE_ROBUSTNESS, 1_4, 1),
    FEATURES(14, hostImageCopy, HOST_IMAGE_COPY, 1_4, 1),
};

/* From the first to behind the last of the members that two structs share. */
#define PROPERTIES(number, first, last, kind, suffix)                                \
    {                                                                                \
#kind, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_##suffix##_PROPERTIES,       \
            offsetof(VkPhysicalDeviceVulkan##number##Properties, first),             \
            VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_##kind##_PROPERTIES,                   \
            offsetof(VkPhysicalDeviceVulkan##number##Properties, last) +             \
                sizeof(((VkPhysicalDeviceVulkan##number##Properties *)NULL)->last) - \
                offsetof(VkPhysicalDeviceVulkan##number##Properties, first)          \
    }

static const struct agreement properties[] = {
    PROPERTIES(11, deviceUUID, deviceLUIDValid, ID, 1_1),
    PROPERTIES(11, subgroupSize, subgroupQuadOperationsInAllStages, SUBGROUP, 1_1),
    PROPERTIES(11, pointClippingBehavior, pointClippingBehavior, POINT_CLIPPING, 1_1),
    PROPERTIES(11, maxMultiviewViewCount, maxMultiviewInstanceIndex, MULTIVIEW, 1_1),
    PROPERTIES(11, protectedNoFault, protectedNoFault, PROTECTED_MEMORY, 1_1),
    PROPERTIES(12, driverID, conformanceVersion, DRIVER, 1_2),
    PROPERTIES(12, denormBehaviorIndependence, shaderRoundingModeRTZFloat64, FLOAT_CONTROLS, 1_2),
    PROPERTIES(12, maxUpdateAfterBindDescriptorsInAllPools,
               maxDescriptorSetUpdateAfterBindInputAttachments, DESCRIPTOR_INDEXING, 1_2),
    PROPERTIES(12, supportedDepthResolveModes, independentResolve, DEPTH_STENCIL_RESOLVE, 1_2),
    PROPERTIES(12, filterMinmaxSingleComponentFormats, filterMinmaxImageComponentMapping,
               SAMPLER_FILTER_MINMAX, 1_2),
    PROPERTIES(12, maxTimelineSemaphoreValueDifference, maxTimelineSemaphoreValueDifference,
               TIMELINE_SEMAPHORE, 1_2),
    PROPERTIES(13, minSubgroupSize, requiredSubgroupSizeStages, SUBGROUP_SIZE_CONTROL, 1_3),
    PROPERTIES(13, maxInlineUniformBlockSize, maxDescriptorSetUpdateAfterBindInlineUniformBlocks,
               INLINE_UNIFORM_BLOCK, 1_3),
    PROPERTIES(13, integerDotProduct8BitUnsignedAccelerated,
               integerDotProductAccumulatingSaturating64BitMixedSignednessAccelerated,
               SHADER_INTEGER_DOT_PRODUCT, 1_3),
    PROPERTIES(13, storageTexelBufferOffsetAlignmentBytes,
               uniformTexelBufferOffsetSingleTexelAlignment, TEXEL_BUFFER_ALIGNMENT, 1_3),
    PROPERTIES(13, maxBufferSize, maxBufferSize, MAINTENANCE_4, 1_3),
};

/* An output struct of any kind, filled with a pattern to see what was written. */
struct output {
    _Alignas(8) uint8_t bytes[MAX_STRUCT];
};

static VkBaseOutStructure *output_init(struct output *output, VkStructureType type, void *next)
{
    memset(output->bytes, FILL, sizeof(output->bytes));
    VkBaseOutStructure *header = (VkBaseOutStructure *)output->bytes;
    header->sType = type;
    header->pNext = next;
    return header;
}

static void query_features(void *chain, VkPhysicalDeviceFeatures *core)
{
    VkPhysicalDeviceFeatures2 query = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
        .pNext = chain,
    };
    vkGetPhysicalDeviceFeatures2(gpu.physical, &query);
    expect(query.pNext == chain, "the chain was changed");
    if (core)
        *core = query.features;
}

static void query_properties(void *chain)
{
    VkPhysicalDeviceProperties2 query = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
        .pNext = chain,
    };
    vkGetPhysicalDeviceProperties2(gpu.physical, &query);
    expect(query.pNext == chain, "the chain was changed");
    expect(query.properties.vendorID == gpu.properties.vendorID &&
               memcmp(&query.properties.limits, &gpu.properties.limits,
                      sizeof(gpu.properties.limits.maxImageDimension1D)) == 0,
           "the two queries of the properties differ");
}

static void query(bool asks_features, void *chain)
{
    if (asks_features)
        query_features(chain, NULL);
    else
        query_properties(chain);
}

/* Together in one chain in both orders, and alone. */
static void check_agreement(const struct agreement *agreement, bool is_features)
{
    struct output version, other, alone;
    for (int order = 0; order < 2; order++) {
        VkBaseOutStructure *first, *second;
        if (order == 0) {
            second = output_init(&other, agreement->type, NULL);
            first = output_init(&version, agreement->version_type, second);
        } else {
            second = output_init(&version, agreement->version_type, NULL);
            first = output_init(&other, agreement->type, second);
        }
        query(is_features, first);
        expect(first->pNext == second && second->pNext == NULL,
               "%s: the chain's pointers were changed", agreement->name);
        expect(memcmp(version.bytes + agreement->offset, other.bytes + HEADER, agreement->size) ==
                   0,
               "%s says something else than its version's struct", agreement->name);
        for (size_t i = 0; is_features && i < agreement->size; i += sizeof(VkBool32)) {
            VkBool32 value;
            memcpy(&value, other.bytes + HEADER + i, sizeof(value));
            expect(value == VK_TRUE || value == VK_FALSE, "%s: member %zu is %#x", agreement->name,
                   i / sizeof(VkBool32), value);
        }
    }
    query(is_features, output_init(&alone, agreement->type, NULL));
    expect(memcmp(alone.bytes + HEADER, other.bytes + HEADER, agreement->size) == 0,
           "%s says something else when it is asked alone", agreement->name);
}

static void test_features(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(features); i++)
        check_agreement(&features[i], true);
    VkPhysicalDeviceFeatures old, core;
    vkGetPhysicalDeviceFeatures(gpu.physical, &old);
    query_features(NULL, &core);
    expect(memcmp(&old, &core, sizeof(old)) == 0, "the two queries of the features differ");

    /* All of them in one long chain. */
    static struct output chain[ARRAY_SIZE(features)];
    VkBaseOutStructure *next = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(features); i++)
        next = output_init(&chain[i], features[i].type, next);
    query_features(next, NULL);
    uint64_t hash = fnv1a(&core, sizeof(core));
    for (size_t i = 0; i < ARRAY_SIZE(features); i++)
        hash ^= fnv1a(chain[i].bytes + HEADER, features[i].size) + i;
    printf("  features: %016" PRIx64 "\n", hash);
}

static void test_properties(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(properties); i++)
        check_agreement(&properties[i], false);
    VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES};
    query_properties(&id);
    /* Not the driver's: with another one nothing can be exchanged (identity.c). */
    printf("  deviceUUID: %016" PRIx64 ", pipelineCacheUUID: %016" PRIx64 "\n",
           fnv1a(id.deviceUUID, VK_UUID_SIZE),
           fnv1a(gpu.properties.pipelineCacheUUID, VK_UUID_SIZE));
    printf("  limits: maxImageDimension2D %u, maxPushConstantsSize %u, timestampPeriod %g\n",
           gpu.properties.limits.maxImageDimension2D, gpu.properties.limits.maxPushConstantsSize,
           (double)gpu.properties.limits.timestampPeriod);
}

/* A list that is asked for with too little, exactly enough, and too much room. */
static void test_device_extensions(void)
{
    uint32_t count = 0;
    must(vkEnumerateDeviceExtensionProperties(gpu.physical, NULL, &count, NULL));
    expect(count > 10, "the device has %u extensions", count);
    VkExtensionProperties *list = calloc(count + 2, sizeof(*list));
    VkExtensionProperties *part = calloc(count + 2, sizeof(*part));
    uint32_t room = count + 1;
    memset(&list[count], FILL, sizeof(*list));
    must(vkEnumerateDeviceExtensionProperties(gpu.physical, NULL, &room, list));
    expect(room == count, "%u extensions, then %u", count, room);
    expect((uint8_t)list[count].extensionName[0] == FILL, "written beyond the list");

    const uint32_t rooms[] = {0, 1, count / 2, count - 1};
    for (size_t i = 0; i < ARRAY_SIZE(rooms); i++) {
        room = rooms[i];
        memset(part, FILL, count * sizeof(*part));
        must_be(VK_INCOMPLETE,
                vkEnumerateDeviceExtensionProperties(gpu.physical, NULL, &room, part));
        expect(room == rooms[i], "room for %u extensions, %u written", rooms[i], room);
        for (uint32_t j = 0; j < room; j++)
            expect(strcmp(part[j].extensionName, list[j].extensionName) == 0,
                   "extension %u is another one in a part of the list", j);
        expect((uint8_t)part[room].extensionName[0] == FILL, "written beyond the room");
    }
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < i; j++)
            expect(strcmp(list[i].extensionName, list[j].extensionName) != 0, "%s is there twice",
                   list[i].extensionName);
    }
    free(part);
    free(list);

    count = 7;
    VkLayerProperties layers[7];
    must(vkEnumerateDeviceLayerProperties(gpu.physical, &count, layers));
}

static void test_instance_lists(void)
{
    uint32_t count = 0;
    must(vkEnumeratePhysicalDevices(gpu.instance, &count, NULL));
    expect(count >= 1, "no device");
    VkPhysicalDevice devices[8], again[8];
    count = 8;
    must(vkEnumeratePhysicalDevices(gpu.instance, &count, devices));
    count = 8;
    must(vkEnumeratePhysicalDevices(gpu.instance, &count, again));
    expect(memcmp(devices, again, count * sizeof(devices[0])) == 0,
           "the devices have other handles the second time");
    count = 0;
    must_be(VK_INCOMPLETE, vkEnumeratePhysicalDevices(gpu.instance, &count, devices));

    VkPhysicalDeviceGroupProperties groups[8];
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
        groups[i] = (VkPhysicalDeviceGroupProperties){
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_GROUP_PROPERTIES,
        };
    count = ARRAY_SIZE(groups);
    must(vkEnumeratePhysicalDeviceGroups(gpu.instance, &count, groups));
    expect(count >= 1 && groups[0].physicalDeviceCount >= 1 &&
               groups[0].physicalDevices[0] == devices[0],
           "the first group does not hold the first device");
}

static void test_queue_families(void)
{
    uint32_t count = 0;
    vkGetPhysicalDeviceQueueFamilyProperties(gpu.physical, &count, NULL);
    expect(count >= 1 && count <= 16, "%u queue families", count);
    VkQueueFamilyProperties old[17];
    memset(old, FILL, sizeof(old));
    uint32_t room = count + 1;
    vkGetPhysicalDeviceQueueFamilyProperties(gpu.physical, &room, old);
    expect(room == count, "%u families, then %u", count, room);
    expect(((uint8_t *)&old[count])[0] == FILL, "written beyond the list");
    room = 0;
    vkGetPhysicalDeviceQueueFamilyProperties(gpu.physical, &room, old + count);
    expect(room == 0 && ((uint8_t *)&old[count])[0] == FILL, "written without room");

    /* Elements with chains of their own. */
    VkQueueFamilyGlobalPriorityPropertiesKHR priorities[16];
    VkQueueFamilyProperties2 families[16];
    for (uint32_t i = 0; i < count; i++) {
        priorities[i] = (VkQueueFamilyGlobalPriorityPropertiesKHR){
            .sType = VK_STRUCTURE_TYPE_QUEUE_FAMILY_GLOBAL_PRIORITY_PROPERTIES_KHR,
        };
        families[i] = (VkQueueFamilyProperties2){
            .sType = VK_STRUCTURE_TYPE_QUEUE_FAMILY_PROPERTIES_2,
            .pNext = i % 2 ? NULL : &priorities[i],
        };
    }
    room = count;
    vkGetPhysicalDeviceQueueFamilyProperties2(gpu.physical, &room, families);
    expect(room == count, "%u families, then %u", count, room);
    for (uint32_t i = 0; i < count; i++) {
        expect(families[i].pNext == (i % 2 ? NULL : &priorities[i]), "a chain was changed");
        expect(families[i].queueFamilyProperties.queueFlags == old[i].queueFlags &&
                   families[i].queueFamilyProperties.queueCount == old[i].queueCount &&
                   families[i].queueFamilyProperties.timestampValidBits ==
                       old[i].timestampValidBits,
               "family %u differs between the two queries", i);
        printf("  queue family %u: %u queues, flags %#x, %u bits, %u priorities\n", i,
               old[i].queueCount, old[i].queueFlags, old[i].timestampValidBits,
               priorities[i].priorityCount);
    }
}

static void test_memory_types(void)
{
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT,
    };
    const bool has_budget = gpu_has_extension(gpu.physical, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
    VkPhysicalDeviceMemoryProperties2 query2 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2,
        .pNext = has_budget ? &budget : NULL,
    };
    vkGetPhysicalDeviceMemoryProperties2(gpu.physical, &query2);
    const VkPhysicalDeviceMemoryProperties *memory = &query2.memoryProperties;
    expect(memory->memoryTypeCount == gpu.memory.memoryTypeCount &&
               memcmp(memory->memoryTypes, gpu.memory.memoryTypes,
                      memory->memoryTypeCount * sizeof(memory->memoryTypes[0])) == 0,
           "the two queries of the memory differ");

    bool has_coherent = false, has_local = false;
    for (uint32_t i = 0; i < memory->memoryTypeCount; i++) {
        const VkMemoryPropertyFlags flags = memory->memoryTypes[i].propertyFlags;
        const VkMemoryPropertyFlags coherent =
            VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
        has_coherent = has_coherent || (flags & coherent) == coherent;
        has_local = has_local || (flags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
        expect(memory->memoryTypes[i].heapIndex < memory->memoryHeapCount,
               "memory type %u lies in heap %u of %u", i, memory->memoryTypes[i].heapIndex,
               memory->memoryHeapCount);
        expect(!(flags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT) ||
                   (flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT),
               "memory type %u is coherent and not visible", i);
        /* The order that lets applications take the first type that fits. */
        for (uint32_t j = 0; j < i; j++) {
            const VkMemoryPropertyFlags before = memory->memoryTypes[j].propertyFlags;
            expect(flags == before || (flags & before) != flags,
                   "memory type %u (%#x) has less than type %u (%#x) and stands behind it", i,
                   flags, j, before);
        }
    }
    expect(has_coherent, "no memory type is host-visible and coherent");
    expect(has_local, "no memory type is device-local");
    for (uint32_t i = 0; has_budget && i < memory->memoryHeapCount; i++)
        expect(budget.heapBudget[i] > 0 && budget.heapBudget[i] <= memory->memoryHeaps[i].size,
               "heap %u of %" PRIu64 " bytes has a budget of %" PRIu64, i,
               memory->memoryHeaps[i].size, budget.heapBudget[i]);
}

/* All formats in all ways of asking, as one number to compare. */
static void test_formats(void)
{
    uint64_t hash = 0, image_hash = 0;
    uint32_t images = 0;
    for (VkFormat format = VK_FORMAT_R4G4_UNORM_PACK8; format <= VK_FORMAT_ASTC_12x12_SRGB_BLOCK;
         format++) {
        VkFormatProperties old;
        vkGetPhysicalDeviceFormatProperties(gpu.physical, format, &old);
        VkFormatProperties3 three = {.sType = VK_STRUCTURE_TYPE_FORMAT_PROPERTIES_3};
        VkFormatProperties2 two = {
            .sType = VK_STRUCTURE_TYPE_FORMAT_PROPERTIES_2,
            .pNext = &three,
        };
        vkGetPhysicalDeviceFormatProperties2(gpu.physical, format, &two);
        expect(memcmp(&old, &two.formatProperties, sizeof(old)) == 0,
               "two queries of format %d differ", format);
        expect((uint32_t)(three.optimalTilingFeatures & INT32_MAX) == old.optimalTilingFeatures,
               "the long and short flags of format %d differ", format);
        const uint64_t flags[] = {three.linearTilingFeatures, three.optimalTilingFeatures,
                                  three.bufferFeatures};
        hash = fnv1a(flags, sizeof(flags)) + hash * 31;

        /* Often enough that a cache has to give the same answers. */
        for (int round = 0; round < 2; round++) {
            VkImageFormatProperties plain;
            memset(&plain, 0, sizeof(plain));
            const VkResult result = vkGetPhysicalDeviceImageFormatProperties(
                gpu.physical, format, VK_IMAGE_TYPE_2D, VK_IMAGE_TILING_OPTIMAL,
                VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT, 0, &plain);
            expect(result == VK_SUCCESS || result == VK_ERROR_FORMAT_NOT_SUPPORTED,
                   "format %d gave %s", format, result_name(result));
            VkImageFormatProperties2 chained = {
                .sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2,
            };
            const VkResult result2 = vkGetPhysicalDeviceImageFormatProperties2(
                gpu.physical,
                &(VkPhysicalDeviceImageFormatInfo2){
                    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
                    .format = format,
                    .type = VK_IMAGE_TYPE_2D,
                    .tiling = VK_IMAGE_TILING_OPTIMAL,
                    .usage = VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT,
                },
                &chained);
            expect(result == result2, "two queries of images with format %d: %s and %s", format,
                   result_name(result), result_name(result2));
            if (result != VK_SUCCESS)
                continue;
            expect(plain.maxExtent.width == chained.imageFormatProperties.maxExtent.width &&
                       plain.sampleCounts == chained.imageFormatProperties.sampleCounts &&
                       plain.maxResourceSize == chained.imageFormatProperties.maxResourceSize,
                   "two queries of images with format %d differ", format);
            if (round == 0) {
                images++;
                image_hash = image_hash * 31 + plain.maxExtent.width + plain.maxMipLevels +
                             plain.maxArrayLayers + plain.sampleCounts + plain.maxResourceSize;
            }
        }
    }
    printf("  formats: %016" PRIx64 ", %u kinds of images: %016" PRIx64 "\n", hash, images,
           image_hash);

    VkImageFormatProperties none;
    must_be(VK_ERROR_FORMAT_NOT_SUPPORTED,
            vkGetPhysicalDeviceImageFormatProperties(
                gpu.physical, VK_FORMAT_D32_SFLOAT, VK_IMAGE_TYPE_2D, VK_IMAGE_TILING_OPTIMAL,
                VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT, 0, &none));

    uint32_t count = 0;
    vkGetPhysicalDeviceSparseImageFormatProperties(
        gpu.physical, VK_FORMAT_R8G8B8A8_UNORM, VK_IMAGE_TYPE_2D, VK_SAMPLE_COUNT_1_BIT,
        VK_IMAGE_USAGE_SAMPLED_BIT, VK_IMAGE_TILING_OPTIMAL, &count, NULL);
    expect(count <= 4, "%u kinds of sparse images", count);
    VkSparseImageFormatProperties sparse[4];
    vkGetPhysicalDeviceSparseImageFormatProperties(
        gpu.physical, VK_FORMAT_R8G8B8A8_UNORM, VK_IMAGE_TYPE_2D, VK_SAMPLE_COUNT_1_BIT,
        VK_IMAGE_USAGE_SAMPLED_BIT, VK_IMAGE_TILING_OPTIMAL, &count, sparse);
    printf("  sparse images: %u kinds\n", count);
}

static void test_queues(void)
{
    VkQueue first, second, third;
    vkGetDeviceQueue(gpu.device, gpu.family, 0, &first);
    vkGetDeviceQueue(gpu.device, gpu.family, 0, &second);
    vkGetDeviceQueue2(gpu.device,
                      &(VkDeviceQueueInfo2){
                          .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_INFO_2,
                          .queueFamilyIndex = gpu.family,
                          .queueIndex = 0,
                      },
                      &third);
    expect(first == gpu.queue && first == second && first == third,
           "one queue has several handles");
}

static void test_commands_by_name(void)
{
    /* Core commands, and those of an extension that was enabled and promoted, by both names. */
    static const char *const present[] = {
        "vkCreateBuffer",        "vkCmdDraw",         "vkQueueSubmit2",
        "vkCmdPipelineBarrier2", "vkDestroyDevice",   "vkGetDeviceProcAddr",
        "vkWaitSemaphores",      "vkQueueSubmit2KHR", "vkCmdPipelineBarrier2KHR",
        "vkWaitSemaphoresKHR",
    };
    /* Of extensions that were not enabled, of instances, and of nobody. */
    static const char *const absent[] = {
        "vkCreateSwapchainKHR",
        "vkAcquireNextImageKHR",
        "vkCmdPushDescriptorSetKHR",
        "vkCmdDrawMeshTasksEXT",
        "vkCreateShadersEXT",
        "vkCmdBeginTransformFeedbackEXT",
        "vkCmdDrawIndirectCountKHR",
        "vkGetMemoryFdKHR",
        "vkCreateAccelerationStructureKHR",
        "vkCreateInstance",
        "vkEnumeratePhysicalDevices",
        "vkGetPhysicalDeviceProperties",
        "vkNoSuchCommand",
        "CreateBuffer",
        "",
    };
    for (size_t i = 0; i < ARRAY_SIZE(present); i++)
        expect(vkGetDeviceProcAddr(gpu.device, present[i]), "%s is not there", present[i]);
    for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
        expect(!vkGetDeviceProcAddr(gpu.device, absent[i]), "%s is there", absent[i]);

    /* Both names of one command do the same. */
    const PFN_vkQueueSubmit2KHR submit =
        (PFN_vkQueueSubmit2KHR)vkGetDeviceProcAddr(gpu.device, "vkQueueSubmit2KHR");
    const PFN_vkWaitSemaphoresKHR wait =
        (PFN_vkWaitSemaphoresKHR)vkGetDeviceProcAddr(gpu.device, "vkWaitSemaphoresKHR");
    VkSemaphore semaphore;
    must(vkCreateSemaphore(gpu.device,
                           &(VkSemaphoreCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                               .pNext =
                                   &(VkSemaphoreTypeCreateInfo){
                                       .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                       .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE,
                                   },
                           },
                           NULL, &semaphore));
    must(submit(gpu.queue, 1,
                &(VkSubmitInfo2){
                    .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
                    .signalSemaphoreInfoCount = 1,
                    .pSignalSemaphoreInfos =
                        &(VkSemaphoreSubmitInfo){
                            .sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
                            .semaphore = semaphore,
                            .value = 3,
                            .stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT,
                        },
                },
                VK_NULL_HANDLE));
    must(wait(gpu.device,
              &(VkSemaphoreWaitInfo){
                  .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                  .semaphoreCount = 1,
                  .pSemaphores = &semaphore,
                  .pValues = &(const uint64_t){3},
              },
              LONG_NS));
    vkDestroySemaphore(gpu.device, semaphore, NULL);
}

static void test_tools(void)
{
    uint32_t count = 0;
    must(vkGetPhysicalDeviceToolProperties(gpu.physical, &count, NULL));
    expect(count < 8, "%u tools", count);
    VkPhysicalDeviceToolProperties tools[8];
    for (size_t i = 0; i < ARRAY_SIZE(tools); i++)
        tools[i] = (VkPhysicalDeviceToolProperties){
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TOOL_PROPERTIES,
        };
    must(vkGetPhysicalDeviceToolProperties(gpu.physical, &count, tools));
}

/* What is refused: the errors have to come from somewhere. */
static void test_refusals(void)
{
    VkDevice device = NULL;
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos =
            &(VkDeviceQueueCreateInfo){
                .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                .queueFamilyIndex = gpu.family,
                .queueCount = 1,
                .pQueuePriorities = &(const float){1.0f},
            },
    };
    VkDeviceCreateInfo with_extension = info;
    with_extension.enabledExtensionCount = 1;
    with_extension.ppEnabledExtensionNames = (const char *const[]){"VK_EXT_no_such_extension"};
    must_be(VK_ERROR_EXTENSION_NOT_PRESENT,
            vkCreateDevice(gpu.physical, &with_extension, NULL, &device));
}

/* The host's clocks are the application's: what the device reports lies between two looks here. */
static void test_calibrated_timestamps(void)
{
    const char *name = VK_EXT_CALIBRATED_TIMESTAMPS_EXTENSION_NAME;
    if (!gpu_has_extension(gpu.physical, name)) {
        printf("  no calibrated timestamps\n");
        return;
    }
    struct gpu other;
    gpu_init(&other, &(struct gpu_options){
                         .name = "calibrated",
                         .device_extensions = &name,
                         .device_extension_count = 1,
                     });
    PFN_vkGetPhysicalDeviceCalibrateableTimeDomainsEXT get_domains =
        (PFN_vkGetPhysicalDeviceCalibrateableTimeDomainsEXT)vkGetInstanceProcAddr(
            other.instance, "vkGetPhysicalDeviceCalibrateableTimeDomainsEXT");
    PFN_vkGetCalibratedTimestampsEXT get_timestamps =
        (PFN_vkGetCalibratedTimestampsEXT)vkGetDeviceProcAddr(other.device,
                                                              "vkGetCalibratedTimestampsEXT");
    expect(get_domains && get_timestamps, "a command is missing");

    VkTimeDomainEXT domains[8];
    uint32_t count = ARRAY_SIZE(domains);
    must(get_domains(other.physical, &count, domains));
    VkCalibratedTimestampInfoEXT infos[ARRAY_SIZE(domains)];
    uint64_t stamps[ARRAY_SIZE(domains)] = {0}, deviation = 0;
    uint32_t monotonic = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        printf("  time domain %d\n", domains[i]);
        infos[i] = (VkCalibratedTimestampInfoEXT){
            .sType = VK_STRUCTURE_TYPE_CALIBRATED_TIMESTAMP_INFO_EXT,
            .timeDomain = domains[i],
        };
        if (domains[i] == VK_TIME_DOMAIN_CLOCK_MONOTONIC_EXT)
            monotonic = i;
    }
    expect(count > 0, "an extension without time domains");
    const uint64_t before = now_ns();
    must(get_timestamps(other.device, count, infos, stamps, &deviation));
    const uint64_t after = now_ns();
    expect(deviation > 0, "clocks can not agree to the nanosecond");
    for (uint32_t i = 0; i < count; i++)
        expect(stamps[i] != 0, "time domain %d says nothing", domains[i]);
    if (monotonic != UINT32_MAX)
        expect(before <= stamps[monotonic] && stamps[monotonic] <= after,
               "CLOCK_MONOTONIC is %" PRIu64 ", which is not between %" PRIu64 " and %" PRIu64,
               stamps[monotonic], before, after);
    gpu_finish(&other);
}

static const struct test {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"features of versions and extensions", test_features},
    {"properties of versions and extensions", test_properties},
    {"lists of the instance", test_instance_lists},
    {"extensions of the device", test_device_extensions},
    {"queue families", test_queue_families},
    {"memory types", test_memory_types},
    {"formats", test_formats},
    {"queues", test_queues},
    {"commands by name", test_commands_by_name},
    {"tools", test_tools},
    {"refusals", test_refusals},
    {"calibrated timestamps", test_calibrated_timestamps},
};

/* Numbers that belong to no extension. */
static VkStructureType unknown_type(uint32_t number)
{
    return (VkStructureType)(1999999 + number);
}

/* Structs that nobody knows are stepped over and left alone, wherever in the chain they are. */
static void test_unknown_structs(void)
{
    struct output unknown[3], known[2];
    VkBaseOutStructure *next = output_init(&unknown[2], unknown_type(2), NULL);
    next = output_init(&known[1], VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES, next);
    next = output_init(&unknown[1], unknown_type(1), next);
    next = output_init(&known[0], VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES, next);
    next = output_init(&unknown[0], unknown_type(0), next);
    query_features(next, NULL);
    for (uint32_t i = 0; i < 3; i++) {
        const VkBaseOutStructure *header = (const VkBaseOutStructure *)unknown[i].bytes;
        expect(header->sType == unknown_type(i), "an sType was changed");
        for (size_t byte = HEADER; byte < MAX_STRUCT; byte++)
            expect(unknown[i].bytes[byte] == FILL, "byte %zu of unknown struct %u was written",
                   byte, i);
    }
    const VkPhysicalDeviceVulkan13Features *features13 =
        (const VkPhysicalDeviceVulkan13Features *)known[0].bytes;
    const VkPhysicalDeviceVulkan12Features *features12 =
        (const VkPhysicalDeviceVulkan12Features *)known[1].bytes;
    expect(features13->dynamicRendering == VK_TRUE && features12->timelineSemaphore == VK_TRUE,
           "structs behind unknown ones were not filled");

    /* The same with inputs. */
    struct output input;
    VkBuffer buffer;
    must(vkCreateBuffer(gpu.device,
                        &(VkBufferCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                            .pNext = output_init(&input, unknown_type(0), NULL),
                            .size = 256,
                            .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                        },
                        NULL, &buffer));
    vkDestroyBuffer(gpu.device, buffer, NULL);
}

static void test_version_1_4(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(newer_features); i++)
        check_agreement(&newer_features[i], true);
    /* Lists inside an output struct: once for their lengths, once for their contents. */
    VkPhysicalDeviceVulkan14Properties version = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_4_PROPERTIES,
    };
    query_properties(&version);
    VkImageLayout sources[64], targets[64];
    expect(version.copySrcLayoutCount <= 63 && version.copyDstLayoutCount <= 63,
           "%u and %u layouts", version.copySrcLayoutCount, version.copyDstLayoutCount);
    memset(sources, FILL, sizeof(sources));
    memset(targets, FILL, sizeof(targets));
    version.pCopySrcLayouts = sources;
    version.pCopyDstLayouts = targets;
    query_properties(&version);
    expect(version.pCopySrcLayouts == sources && version.pCopyDstLayouts == targets,
           "the pointers to the lists were changed");
    uint32_t filled = 0;
    memset(&filled, FILL, sizeof(filled));
    expect((uint32_t)sources[version.copySrcLayoutCount] == filled &&
               (uint32_t)targets[version.copyDstLayoutCount] == filled,
           "written beyond the lists");
    expect(version.copySrcLayoutCount == 0 || (uint32_t)sources[0] != filled,
           "the list of layouts was not filled");
    printf("  layouts for host copies: %u %016" PRIx64 ", %u %016" PRIx64 "\n",
           version.copySrcLayoutCount,
           fnv1a(sources, version.copySrcLayoutCount * sizeof(sources[0])),
           version.copyDstLayoutCount,
           fnv1a(targets, version.copyDstLayoutCount * sizeof(targets[0])));

    /* A capacity that is too small is no error here, only less. */
    if (version.copySrcLayoutCount > 1) {
        memset(sources, FILL, sizeof(sources));
        version.copySrcLayoutCount = 1;
        query_properties(&version);
        expect(version.copySrcLayoutCount == 1 && (uint32_t)sources[1] == filled,
               "room for one layout, %u written", version.copySrcLayoutCount);
    }
}

static const struct test newer_tests[] = {
    {"unknown structs", test_unknown_structs},
    {"features and properties of Vulkan 1.4", test_version_1_4},
};

int main(int argc, char **argv)
{
    const bool newer = argc == 2 && strcmp(argv[1], "--newer") == 0;
    /* Not every driver or server knows such a struct; it is then as if it were not there. */
    VkPhysicalDeviceMaintenance7FeaturesKHR unknown = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_7_FEATURES_KHR};
    struct gpu_options options = {
        .name = "queries",
        .api_version = newer ? VK_API_VERSION_1_4 : VK_API_VERSION_1_3,
        .device_extensions =
            (const char *const[]){
                VK_KHR_SYNCHRONIZATION_2_EXTENSION_NAME,
                VK_KHR_TIMELINE_SEMAPHORE_EXTENSION_NAME,
            },
        .device_extension_count = 2,
        .features =
            &(VkPhysicalDeviceVulkan12Features){
                .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
                .pNext =
                    &(VkPhysicalDeviceVulkan13Features){
                        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
                        .pNext = newer ? &unknown : NULL,
                        .synchronization2 = VK_TRUE,
                    },
                .timelineSemaphore = VK_TRUE,
            },
    };
    gpu_init(&gpu, &options);
    if (newer && gpu.properties.apiVersion < VK_API_VERSION_1_4) {
        printf("queries: skipped, the device is older than Vulkan 1.4\n");
        gpu_finish(&gpu);
        return EXIT_SKIPPED;
    }
    const struct test *run = newer ? newer_tests : tests;
    const size_t count = newer ? ARRAY_SIZE(newer_tests) : ARRAY_SIZE(tests);
    printf("queries: Vulkan %u.%u.%u\n", VK_API_VERSION_MAJOR(gpu.properties.apiVersion),
           VK_API_VERSION_MINOR(gpu.properties.apiVersion),
           VK_API_VERSION_PATCH(gpu.properties.apiVersion));
    for (size_t i = 0; i < count; i++) {
        section(run[i].name);
        run[i].run();
    }
    gpu_finish(&gpu);
    printf("queries: %zu tests passed\n", count);
    return 0;
}
