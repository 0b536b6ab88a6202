/* SPDX-License-Identifier: MIT
 *
 * Video coding over a driver that has none, for tests: its first queue family does video as well. Nothing
 * is coded. What the layer was told comes back, flattened (tests/video/flat.h):
 *
 * - session parameters by vkGetEncodedVideoSessionParametersKHR;
 * - a picture that is decoded as a hash, at its place in the buffer that it is decoded from;
 * - a picture that is encoded as the bitstream, whose place, size and status a query tells.
 */
#include <stdbool.h>
#include <stdlib.h>

#include "extensions.h"
#include "layer.h"

#include "tests/video/flat.h"

#define NAME "VK_LAYER_VIADUCT_video"

static const VkExtensionProperties ours[] = {
    {VK_KHR_VIDEO_QUEUE_EXTENSION_NAME, VK_KHR_VIDEO_QUEUE_SPEC_VERSION},
    {VK_KHR_VIDEO_DECODE_QUEUE_EXTENSION_NAME, VK_KHR_VIDEO_DECODE_QUEUE_SPEC_VERSION},
    {VK_KHR_VIDEO_ENCODE_QUEUE_EXTENSION_NAME, VK_KHR_VIDEO_ENCODE_QUEUE_SPEC_VERSION},
    {VK_KHR_VIDEO_DECODE_H264_EXTENSION_NAME, VK_KHR_VIDEO_DECODE_H264_SPEC_VERSION},
    {VK_KHR_VIDEO_DECODE_H265_EXTENSION_NAME, VK_KHR_VIDEO_DECODE_H265_SPEC_VERSION},
    {VK_KHR_VIDEO_ENCODE_AV1_EXTENSION_NAME, VK_KHR_VIDEO_ENCODE_AV1_SPEC_VERSION},
    {VK_KHR_VIDEO_MAINTENANCE_1_EXTENSION_NAME, VK_KHR_VIDEO_MAINTENANCE_1_SPEC_VERSION},
};
#define OURS (sizeof(ours) / sizeof(ours[0]))

#define OPERATIONS                                                                                 \
    (VK_VIDEO_CODEC_OPERATION_DECODE_H264_BIT_KHR | VK_VIDEO_CODEC_OPERATION_DECODE_H265_BIT_KHR | \
     VK_VIDEO_CODEC_OPERATION_ENCODE_AV1_BIT_KHR)

/* To be asked for while the instance is created; later the loader gives the whole chain's. */
static struct {
    PFN_vkGetPhysicalDeviceFeatures2 get_features;
    PFN_vkGetPhysicalDeviceQueueFamilyProperties get_families;
    PFN_vkGetPhysicalDeviceQueueFamilyProperties2 get_families2;
    PFN_vkEnumerateDeviceExtensionProperties enumerate_extensions;
    PFN_vkCreateDevice create_device;
} below;

struct session {
    uint32_t bound; /* a bit for each place that has memory */
};

struct parameters {
    struct flat flat;
    uint32_t updates, operating_points;
};

struct feedback {
    uint32_t offset, size;
    int32_t status;
};

static VkDevice the_device;

/* Of what is being recorded, by one thread. */
static const struct parameters *current;
static struct feedback *query;

/* The one query pool of ours, if there is one. */
static struct feedback *pool;

/* ---- What the physical device says */

static VKAPI_ATTR void VKAPI_CALL get_families(VkPhysicalDevice device, uint32_t *count,
                                               VkQueueFamilyProperties *properties)
{
    below.get_families(device, count, properties);
    if (properties && *count)
        properties->queueFlags |= VK_QUEUE_VIDEO_DECODE_BIT_KHR | VK_QUEUE_VIDEO_ENCODE_BIT_KHR;
}

static VKAPI_ATTR void VKAPI_CALL get_families2(VkPhysicalDevice device, uint32_t *count,
                                                VkQueueFamilyProperties2 *properties)
{
    below.get_families2(device, count, properties);
    if (!properties || !*count)
        return;
    properties->queueFamilyProperties.queueFlags |=
        VK_QUEUE_VIDEO_DECODE_BIT_KHR | VK_QUEUE_VIDEO_ENCODE_BIT_KHR;
    VkQueueFamilyVideoPropertiesKHR *video = (void *)vd_chain_find(
        properties->pNext, VK_STRUCTURE_TYPE_QUEUE_FAMILY_VIDEO_PROPERTIES_KHR);
    if (video)
        video->videoCodecOperations = OPERATIONS;
    VkQueueFamilyQueryResultStatusPropertiesKHR *status = (void *)vd_chain_find(
        properties->pNext, VK_STRUCTURE_TYPE_QUEUE_FAMILY_QUERY_RESULT_STATUS_PROPERTIES_KHR);
    if (status)
        status->queryResultStatusSupport = VK_TRUE;
}

static VKAPI_ATTR void VKAPI_CALL get_features(VkPhysicalDevice device,
                                               VkPhysicalDeviceFeatures2 *features)
{
    below.get_features(device, features);
    VkPhysicalDeviceVideoMaintenance1FeaturesKHR *maintenance = (void *)vd_chain_find(
        features, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VIDEO_MAINTENANCE_1_FEATURES_KHR);
    if (maintenance)
        maintenance->videoMaintenance1 = VK_TRUE;
}

static const struct added added = {NAME, ours, OURS};

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_extensions(VkPhysicalDevice device,
                                                           const char *layer, uint32_t *count,
                                                           VkExtensionProperties *properties)
{
    return enumerate_added(&added, below.enumerate_extensions, device, layer, count, properties);
}

/* How much a profile holds shows in maxDpbSlots. */
static VKAPI_ATTR VkResult VKAPI_CALL get_capabilities(VkPhysicalDevice device,
                                                       const VkVideoProfileInfoKHR *profile,
                                                       VkVideoCapabilitiesKHR *capabilities)
{
    static struct flat flat;
    (void)device;
    if (!(profile->videoCodecOperation & OPERATIONS))
        return VK_ERROR_VIDEO_PROFILE_CODEC_NOT_SUPPORTED_KHR;
    flat.size = 0;
    flat_profile(&flat, profile);
    capabilities->flags = VK_VIDEO_CAPABILITY_SEPARATE_REFERENCE_IMAGES_BIT_KHR;
    capabilities->minBitstreamBufferOffsetAlignment = 256;
    capabilities->minBitstreamBufferSizeAlignment = 128;
    capabilities->pictureAccessGranularity = (VkExtent2D){16, 8};
    capabilities->minCodedExtent = (VkExtent2D){48, 32};
    capabilities->maxCodedExtent = (VkExtent2D){4096, 2304};
    capabilities->maxDpbSlots = (uint32_t)flat.size;
    capabilities->maxActiveReferencePictures = 16;
    capabilities->stdHeaderVersion =
        (VkExtensionProperties){VK_STD_VULKAN_VIDEO_CODEC_H264_DECODE_EXTENSION_NAME,
                                VK_STD_VULKAN_VIDEO_CODEC_H264_DECODE_SPEC_VERSION};
    VkVideoDecodeCapabilitiesKHR *decode =
        (void *)vd_chain_find(capabilities->pNext, VK_STRUCTURE_TYPE_VIDEO_DECODE_CAPABILITIES_KHR);
    if (decode)
        decode->flags = VK_VIDEO_DECODE_CAPABILITY_DPB_AND_OUTPUT_DISTINCT_BIT_KHR;
    VkVideoDecodeH264CapabilitiesKHR *h264 = (void *)vd_chain_find(
        capabilities->pNext, VK_STRUCTURE_TYPE_VIDEO_DECODE_H264_CAPABILITIES_KHR);
    if (h264) {
        h264->maxLevelIdc = STD_VIDEO_H264_LEVEL_IDC_6_1;
        h264->fieldOffsetGranularity = (VkOffset2D){3, 5};
    }
    return VK_SUCCESS;
}

/* One format for each profile in the list, and one more. */
static VKAPI_ATTR VkResult VKAPI_CALL get_formats(VkPhysicalDevice device,
                                                  const VkPhysicalDeviceVideoFormatInfoKHR *info,
                                                  uint32_t *count,
                                                  VkVideoFormatPropertiesKHR *properties)
{
    (void)device;
    const VkVideoProfileListInfoKHR *list =
        vd_chain_find(info->pNext, VK_STRUCTURE_TYPE_VIDEO_PROFILE_LIST_INFO_KHR);
    const uint32_t have = (list ? list->profileCount : 0) + 1, room = *count;
    *count = properties && room < have ? room : have;
    for (uint32_t i = 0; properties && i < *count; i++) {
        properties[i].format = VK_FORMAT_R8_UNORM + (int)i;
        properties[i].componentMapping.g = VK_COMPONENT_SWIZZLE_B;
        properties[i].imageType = VK_IMAGE_TYPE_2D;
        properties[i].imageTiling = VK_IMAGE_TILING_OPTIMAL;
        properties[i].imageUsageFlags =
            info->imageUsage | (i < have - 1 ? list->pProfiles[i].lumaBitDepth : 0);
    }
    return properties && room < have ? VK_INCOMPLETE : VK_SUCCESS;
}

/* ---- Sessions */

static VKAPI_ATTR VkResult VKAPI_CALL create_session(VkDevice device,
                                                     const VkVideoSessionCreateInfoKHR *info,
                                                     const VkAllocationCallbacks *alloc,
                                                     VkVideoSessionKHR *handle)
{
    (void)device, (void)alloc;
    *handle = VK_NULL_HANDLE;
    if (strncmp(info->pStdHeaderVersion->extensionName, "VK_STD_vulkan_video_codec_", 26) != 0 ||
        info->pStdHeaderVersion->specVersion > VK_MAKE_VIDEO_STD_VERSION(1, 0, 0))
        return VK_ERROR_VIDEO_STD_VERSION_NOT_SUPPORTED_KHR;
    *handle = (VkVideoSessionKHR)(uintptr_t)calloc(1, sizeof(struct session));
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL destroy_session(VkDevice device, VkVideoSessionKHR handle,
                                                  const VkAllocationCallbacks *alloc)
{
    (void)device, (void)alloc;
    free((void *)(uintptr_t)handle);
}

static VKAPI_ATTR VkResult VKAPI_CALL
get_requirements(VkDevice device, VkVideoSessionKHR session, uint32_t *count,
                 VkVideoSessionMemoryRequirementsKHR *requirements)
{
    (void)device, (void)session;
    const uint32_t room = *count;
    *count = requirements && room < 2 ? room : 2;
    for (uint32_t i = 0; requirements && i < *count; i++) {
        requirements[i].memoryBindIndex = i * 4;
        requirements[i].memoryRequirements = (VkMemoryRequirements){65536 << i, 4096, 1};
    }
    return requirements && room < 2 ? VK_INCOMPLETE : VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL bind_memory(VkDevice device, VkVideoSessionKHR handle,
                                                  uint32_t count,
                                                  const VkBindVideoSessionMemoryInfoKHR *infos)
{
    (void)device;
    struct session *session = (void *)(uintptr_t)handle;
    for (uint32_t i = 0; i < count; i++)
        if (infos[i].memory && infos[i].memorySize == (65536u << infos[i].memoryBindIndex / 4))
            session->bound |= 1u << infos[i].memoryBindIndex;
    return VK_SUCCESS;
}

/* ---- Session parameters */

static VKAPI_ATTR VkResult VKAPI_CALL
create_parameters(VkDevice device, const VkVideoSessionParametersCreateInfoKHR *info,
                  const VkAllocationCallbacks *alloc, VkVideoSessionParametersKHR *handle)
{
    (void)device, (void)alloc;
    struct parameters *parameters = calloc(1, sizeof(*parameters));
    const struct parameters *base = (void *)(uintptr_t)info->videoSessionParametersTemplate;
    if (base)
        parameters->flat = base->flat;
    flat_chain(&parameters->flat, info->pNext, 0);
    const VkVideoEncodeAV1SessionParametersCreateInfoKHR *av1 = vd_chain_find(
        info->pNext, VK_STRUCTURE_TYPE_VIDEO_ENCODE_AV1_SESSION_PARAMETERS_CREATE_INFO_KHR);
    parameters->operating_points = av1 ? av1->stdOperatingPointCount : 0;
    *handle = (VkVideoSessionParametersKHR)(uintptr_t)parameters;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL
update_parameters(VkDevice device, VkVideoSessionParametersKHR handle,
                  const VkVideoSessionParametersUpdateInfoKHR *info)
{
    (void)device;
    struct parameters *parameters = (void *)(uintptr_t)handle;
    if (info->updateSequenceCount != parameters->updates + 1)
        return VK_ERROR_INVALID_VIDEO_STD_PARAMETERS_KHR;
    parameters->updates++;
    flat_chain(&parameters->flat, info->pNext, 0);
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL destroy_parameters(VkDevice device,
                                                     VkVideoSessionParametersKHR handle,
                                                     const VkAllocationCallbacks *alloc)
{
    (void)device, (void)alloc;
    free((void *)(uintptr_t)handle);
}

static VKAPI_ATTR VkResult VKAPI_CALL get_encoded_parameters(
    VkDevice device, const VkVideoEncodeSessionParametersGetInfoKHR *info,
    VkVideoEncodeSessionParametersFeedbackInfoKHR *feedback, size_t *size, void *data)
{
    (void)device;
    const struct flat *flat =
        &((const struct parameters *)(uintptr_t)info->videoSessionParameters)->flat;
    if (feedback)
        feedback->hasOverrides = VK_TRUE;
    const size_t room = *size;
    *size = flat->size;
    if (!data)
        return VK_SUCCESS;
    *size = room < flat->size ? 0 : flat->size;
    memcpy(data, flat->bytes, *size);
    return *size ? VK_SUCCESS : VK_INCOMPLETE;
}

/* ---- Recording */

static VKAPI_ATTR void VKAPI_CALL begin_coding(VkCommandBuffer commands,
                                               const VkVideoBeginCodingInfoKHR *info)
{
    (void)commands;
    const struct session *session = (void *)(uintptr_t)info->videoSession;
    current = session->bound == 0x11 ? (void *)(uintptr_t)info->videoSessionParameters : NULL;
}

static VKAPI_ATTR void VKAPI_CALL control_coding(VkCommandBuffer commands,
                                                 const VkVideoCodingControlInfoKHR *info)
{
    (void)commands;
    if (!(info->flags & VK_VIDEO_CODING_CONTROL_RESET_BIT_KHR))
        current = NULL;
}

static VKAPI_ATTR void VKAPI_CALL end_coding(VkCommandBuffer commands,
                                             const VkVideoEndCodingInfoKHR *info)
{
    (void)commands, (void)info;
    current = NULL;
}

static VKAPI_ATTR void VKAPI_CALL decode(VkCommandBuffer commands, const VkVideoDecodeInfoKHR *info)
{
    static struct flat flat;
    flat.size = 0;
    flat_decode(&flat, info);
    const uint64_t hash = current ? flat_hash(&flat) : 0;
    NEXT(the_device, vkCmdUpdateBuffer)(commands, info->srcBuffer, info->srcBufferOffset, 8, &hash);
}

static VKAPI_ATTR void VKAPI_CALL encode(VkCommandBuffer commands, const VkVideoEncodeInfoKHR *info)
{
    static struct flat flat;
    memset(&flat, 0, sizeof(flat));
    flat_encode(&flat, info, current ? current->operating_points : 0);
    NEXT(the_device, vkCmdUpdateBuffer)
    (commands, info->dstBuffer, info->dstBufferOffset, (flat.size + 3) & ~(size_t)3, flat.bytes);
    if (query)
        *query = (struct feedback){16, (uint32_t)flat.size, VK_QUERY_RESULT_STATUS_COMPLETE_KHR};
}

/* ---- Queries */

static bool is_ours(VkQueryPool handle)
{
    return pool && handle == (VkQueryPool)(uintptr_t)pool;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_query_pool(VkDevice device,
                                                        const VkQueryPoolCreateInfo *info,
                                                        const VkAllocationCallbacks *alloc,
                                                        VkQueryPool *handle)
{
    if (info->queryType != VK_QUERY_TYPE_VIDEO_ENCODE_FEEDBACK_KHR)
        return NEXT(device, vkCreateQueryPool)(device, info, alloc, handle);
    *handle = VK_NULL_HANDLE;
    if (!vd_chain_find(info->pNext, VK_STRUCTURE_TYPE_VIDEO_PROFILE_INFO_KHR) ||
        !vd_chain_find(info->pNext,
                       VK_STRUCTURE_TYPE_QUERY_POOL_VIDEO_ENCODE_FEEDBACK_CREATE_INFO_KHR))
        return VK_ERROR_VALIDATION_FAILED_EXT;
    pool = calloc(info->queryCount, sizeof(*pool));
    *handle = (VkQueryPool)(uintptr_t)pool;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL destroy_query_pool(VkDevice device, VkQueryPool handle,
                                                     const VkAllocationCallbacks *alloc)
{
    if (!is_ours(handle)) {
        NEXT(device, vkDestroyQueryPool)(device, handle, alloc);
        return;
    }
    free(pool);
    pool = NULL;
}

static VKAPI_ATTR void VKAPI_CALL reset_queries(VkCommandBuffer commands, VkQueryPool handle,
                                                uint32_t first, uint32_t count)
{
    if (is_ours(handle))
        memset(pool + first, 0, count * sizeof(*pool));
    else
        NEXT(the_device, vkCmdResetQueryPool)(commands, handle, first, count);
}

static VKAPI_ATTR void VKAPI_CALL begin_query(VkCommandBuffer commands, VkQueryPool handle,
                                              uint32_t index, VkQueryControlFlags flags)
{
    if (is_ours(handle))
        query = &pool[index];
    else
        NEXT(the_device, vkCmdBeginQuery)(commands, handle, index, flags);
}

static VKAPI_ATTR void VKAPI_CALL end_query(VkCommandBuffer commands, VkQueryPool handle,
                                            uint32_t index)
{
    if (is_ours(handle))
        query = NULL;
    else
        NEXT(the_device, vkCmdEndQuery)(commands, handle, index);
}

static VKAPI_ATTR VkResult VKAPI_CALL get_results(VkDevice device, VkQueryPool handle,
                                                  uint32_t first, uint32_t count, size_t size,
                                                  void *data, VkDeviceSize stride,
                                                  VkQueryResultFlags flags)
{
    if (!is_ours(handle))
        return NEXT(device, vkGetQueryPoolResults)(device, handle, first, count, size, data, stride,
                                                   flags);
    if (!(flags & VK_QUERY_RESULT_WITH_STATUS_BIT_KHR))
        return VK_ERROR_VALIDATION_FAILED_EXT;
    for (uint32_t i = 0; i < count; i++)
        memcpy((char *)data + i * stride, &pool[first + i], sizeof(*pool));
    return VK_SUCCESS;
}

/* ---- Resources: the driver makes them as it can */

/* Takes the list of profiles out of a chain, or puts it back. */
static VkBaseOutStructure *before_profiles(const void *info)
{
    VkBaseOutStructure *link = (void *)info;
    while (link &&
           (!link->pNext || link->pNext->sType != VK_STRUCTURE_TYPE_VIDEO_PROFILE_LIST_INFO_KHR))
        link = link->pNext;
    return link;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_buffer(VkDevice device, const VkBufferCreateInfo *info,
                                                    const VkAllocationCallbacks *alloc,
                                                    VkBuffer *handle)
{
    const VkBufferUsageFlags video =
        VK_BUFFER_USAGE_VIDEO_DECODE_SRC_BIT_KHR | VK_BUFFER_USAGE_VIDEO_ENCODE_DST_BIT_KHR;
    VkBufferCreateInfo changed = *info;
    VkBaseOutStructure *before = before_profiles(&changed), *list = before ? before->pNext : NULL;
    if ((info->usage & video) && !list)
        return VK_ERROR_VALIDATION_FAILED_EXT;
    if (info->usage & video)
        changed.usage = (info->usage & ~video) | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
    if (list)
        before->pNext = list->pNext;
    const VkResult result = NEXT(device, vkCreateBuffer)(device, &changed, alloc, handle);
    if (list)
        before->pNext = list;
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_image(VkDevice device, const VkImageCreateInfo *info,
                                                   const VkAllocationCallbacks *alloc,
                                                   VkImage *handle)
{
    const VkImageUsageFlags video =
        VK_IMAGE_USAGE_VIDEO_DECODE_DST_BIT_KHR | VK_IMAGE_USAGE_VIDEO_DECODE_DPB_BIT_KHR |
        VK_IMAGE_USAGE_VIDEO_ENCODE_SRC_BIT_KHR | VK_IMAGE_USAGE_VIDEO_ENCODE_DPB_BIT_KHR;
    VkImageCreateInfo changed = *info;
    VkBaseOutStructure *before = before_profiles(&changed), *list = before ? before->pNext : NULL;
    if (info->usage & video)
        changed.usage = (info->usage & ~video) | VK_IMAGE_USAGE_SAMPLED_BIT;
    if (list)
        before->pNext = list->pNext;
    const VkResult result = NEXT(device, vkCreateImage)(device, &changed, alloc, handle);
    if (list)
        before->pNext = list;
    return result;
}

/* ---- Instances and devices */

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *alloc,
                                                      VkInstance *handle)
{
    const PFN_vkGetInstanceProcAddr next = step_instance(info);
    const VkResult result =
        ((PFN_vkCreateInstance)next(NULL, "vkCreateInstance"))(info, alloc, handle);
    if (result == VK_SUCCESS) {
#define LOAD(member, name) below.member = (PFN_##name)next(*handle, #name)
        LOAD(get_features, vkGetPhysicalDeviceFeatures2);
        LOAD(get_families, vkGetPhysicalDeviceQueueFamilyProperties);
        LOAD(get_families2, vkGetPhysicalDeviceQueueFamilyProperties2);
        LOAD(enumerate_extensions, vkEnumerateDeviceExtensionProperties);
        LOAD(create_device, vkCreateDevice);
#undef LOAD
    }
    return result;
}

/* The driver is not asked for what it has not got. */
static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical,
                                                    const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *alloc,
                                                    VkDevice *handle)
{
    step_device(info);
    VkDeviceCreateInfo changed = *info;
    leave_out_added(&added, &changed);
    VkPhysicalDeviceVideoMaintenance1FeaturesKHR *maintenance = (void *)vd_chain_find(
        info->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VIDEO_MAINTENANCE_1_FEATURES_KHR);
    const VkBool32 wanted = maintenance && maintenance->videoMaintenance1;
    if (wanted)
        maintenance->videoMaintenance1 = VK_FALSE;
    const VkResult result = below.create_device(physical, &changed, alloc, handle);
    if (wanted)
        maintenance->videoMaintenance1 = VK_TRUE;
    free((void *)changed.ppEnabledExtensionNames);
    the_device = result == VK_SUCCESS ? *handle : the_device;
    return result;
}

/* ---- The loader's way in */

static const struct function device_functions[] = {
    FUNCTION("vkGetDeviceProcAddr", get_device),
    FUNCTION("vkCreateVideoSessionKHR", create_session),
    FUNCTION("vkDestroyVideoSessionKHR", destroy_session),
    FUNCTION("vkGetVideoSessionMemoryRequirementsKHR", get_requirements),
    FUNCTION("vkBindVideoSessionMemoryKHR", bind_memory),
    FUNCTION("vkCreateVideoSessionParametersKHR", create_parameters),
    FUNCTION("vkUpdateVideoSessionParametersKHR", update_parameters),
    FUNCTION("vkDestroyVideoSessionParametersKHR", destroy_parameters),
    FUNCTION("vkGetEncodedVideoSessionParametersKHR", get_encoded_parameters),
    FUNCTION("vkCmdBeginVideoCodingKHR", begin_coding),
    FUNCTION("vkCmdControlVideoCodingKHR", control_coding),
    FUNCTION("vkCmdEndVideoCodingKHR", end_coding),
    FUNCTION("vkCmdDecodeVideoKHR", decode),
    FUNCTION("vkCmdEncodeVideoKHR", encode),
    FUNCTION("vkCreateQueryPool", create_query_pool),
    FUNCTION("vkDestroyQueryPool", destroy_query_pool),
    FUNCTION("vkCmdResetQueryPool", reset_queries),
    FUNCTION("vkCmdBeginQuery", begin_query),
    FUNCTION("vkCmdEndQuery", end_query),
    FUNCTION("vkGetQueryPoolResults", get_results),
    FUNCTION("vkCreateBuffer", create_buffer),
    FUNCTION("vkCreateImage", create_image),
};

static const struct function instance_functions[] = {
    FUNCTION("vkGetInstanceProcAddr", get_instance),
    FUNCTION("vkCreateInstance", create_instance),
    FUNCTION("vkCreateDevice", create_device),
    FUNCTION("vkEnumerateDeviceExtensionProperties", enumerate_extensions),
    FUNCTION("vkGetPhysicalDeviceFeatures2", get_features),
    FUNCTION("vkGetPhysicalDeviceQueueFamilyProperties", get_families),
    FUNCTION("vkGetPhysicalDeviceQueueFamilyProperties2", get_families2),
    FUNCTION("vkGetPhysicalDeviceVideoCapabilitiesKHR", get_capabilities),
    FUNCTION("vkGetPhysicalDeviceVideoFormatPropertiesKHR", get_formats),
};

DEFINE_LOOK_UPS(instance_functions, device_functions)
