/* SPDX-License-Identifier: MIT
 *
 * VK_KHR_video_*, with tests/layer/video.c below, which gives back what it was told.
 */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../video/flat.h"
#include "../video/samples.h"

#define FUNCTIONS(X)                          \
    X(vkCreateVideoSessionKHR)                \
    X(vkDestroyVideoSessionKHR)               \
    X(vkGetVideoSessionMemoryRequirementsKHR) \
    X(vkBindVideoSessionMemoryKHR)            \
    X(vkCreateVideoSessionParametersKHR)      \
    X(vkUpdateVideoSessionParametersKHR)      \
    X(vkDestroyVideoSessionParametersKHR)     \
    X(vkGetEncodedVideoSessionParametersKHR)  \
    X(vkCmdBeginVideoCodingKHR)               \
    X(vkCmdControlVideoCodingKHR)             \
    X(vkCmdEndVideoCodingKHR)                 \
    X(vkCmdDecodeVideoKHR)                    \
    X(vkCmdEncodeVideoKHR)
#define DECLARE(name) static PFN_##name name##_;
FUNCTIONS(DECLARE)

static const char *const extensions[] = {
    VK_KHR_VIDEO_QUEUE_EXTENSION_NAME,         VK_KHR_VIDEO_DECODE_QUEUE_EXTENSION_NAME,
    VK_KHR_VIDEO_ENCODE_QUEUE_EXTENSION_NAME,  VK_KHR_VIDEO_DECODE_H264_EXTENSION_NAME,
    VK_KHR_VIDEO_DECODE_H265_EXTENSION_NAME,   VK_KHR_VIDEO_ENCODE_AV1_EXTENSION_NAME,
    VK_KHR_VIDEO_MAINTENANCE_1_EXTENSION_NAME,
};

static struct gpu gpu;

static const VkVideoDecodeH264ProfileInfoKHR h264_profile = {
    .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_H264_PROFILE_INFO_KHR,
    .stdProfileIdc = STD_VIDEO_H264_PROFILE_IDC_HIGH,
    .pictureLayout = VK_VIDEO_DECODE_H264_PICTURE_LAYOUT_PROGRESSIVE_KHR,
};
static const VkVideoDecodeH265ProfileInfoKHR h265_profile = {
    .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_H265_PROFILE_INFO_KHR,
    .stdProfileIdc = STD_VIDEO_H265_PROFILE_IDC_MAIN,
};
static const VkVideoEncodeAV1ProfileInfoKHR av1_profile = {
    .sType = VK_STRUCTURE_TYPE_VIDEO_ENCODE_AV1_PROFILE_INFO_KHR,
    .stdProfile = STD_VIDEO_AV1_PROFILE_MAIN,
};
enum {
    H264,
    H265,
    AV1,
};
static const VkVideoProfileInfoKHR profiles[] = {
    [H264] = {.sType = VK_STRUCTURE_TYPE_VIDEO_PROFILE_INFO_KHR,
              .pNext = &h264_profile,
              .videoCodecOperation = VK_VIDEO_CODEC_OPERATION_DECODE_H264_BIT_KHR,
              .chromaSubsampling = VK_VIDEO_CHROMA_SUBSAMPLING_420_BIT_KHR,
              .lumaBitDepth = VK_VIDEO_COMPONENT_BIT_DEPTH_8_BIT_KHR,
              .chromaBitDepth = VK_VIDEO_COMPONENT_BIT_DEPTH_8_BIT_KHR},
    [H265] = {.sType = VK_STRUCTURE_TYPE_VIDEO_PROFILE_INFO_KHR,
              .pNext = &h265_profile,
              .videoCodecOperation = VK_VIDEO_CODEC_OPERATION_DECODE_H265_BIT_KHR,
              .chromaSubsampling = VK_VIDEO_CHROMA_SUBSAMPLING_420_BIT_KHR,
              .lumaBitDepth = VK_VIDEO_COMPONENT_BIT_DEPTH_10_BIT_KHR,
              .chromaBitDepth = VK_VIDEO_COMPONENT_BIT_DEPTH_10_BIT_KHR},
    [AV1] = {.sType = VK_STRUCTURE_TYPE_VIDEO_PROFILE_INFO_KHR,
             .pNext = &av1_profile,
             .videoCodecOperation = VK_VIDEO_CODEC_OPERATION_ENCODE_AV1_BIT_KHR,
             .chromaSubsampling = VK_VIDEO_CHROMA_SUBSAMPLING_420_BIT_KHR,
             .lumaBitDepth = VK_VIDEO_COMPONENT_BIT_DEPTH_8_BIT_KHR},
};
static const VkVideoProfileListInfoKHR profile_list = {
    .sType = VK_STRUCTURE_TYPE_VIDEO_PROFILE_LIST_INFO_KHR,
    .profileCount = ARRAY_SIZE(profiles),
    .pProfiles = profiles,
};

/* ---- What there is */

static void test_queries(void)
{
    section("what there is");
    VkQueueFamilyQueryResultStatusPropertiesKHR status = {
        .sType = VK_STRUCTURE_TYPE_QUEUE_FAMILY_QUERY_RESULT_STATUS_PROPERTIES_KHR};
    VkQueueFamilyVideoPropertiesKHR video = {
        .sType = VK_STRUCTURE_TYPE_QUEUE_FAMILY_VIDEO_PROPERTIES_KHR, .pNext = &status};
    VkQueueFamilyProperties2 family = {.sType = VK_STRUCTURE_TYPE_QUEUE_FAMILY_PROPERTIES_2,
                                       .pNext = &video};
    uint32_t count = 1;
    vkGetPhysicalDeviceQueueFamilyProperties2(gpu.physical, &count, &family);
    printf("family: flags %x, operations %x, status %u\n", family.queueFamilyProperties.queueFlags,
           video.videoCodecOperations, status.queryResultStatusSupport);

    const PFN_vkGetPhysicalDeviceVideoCapabilitiesKHR get_capabilities =
        (PFN_vkGetPhysicalDeviceVideoCapabilitiesKHR)vkGetInstanceProcAddr(
            gpu.instance, "vkGetPhysicalDeviceVideoCapabilitiesKHR");
    VkVideoDecodeH264CapabilitiesKHR h264 = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_H264_CAPABILITIES_KHR};
    VkVideoDecodeCapabilitiesKHR decode = {.sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_CAPABILITIES_KHR,
                                           .pNext = &h264};
    VkVideoCapabilitiesKHR c = {.sType = VK_STRUCTURE_TYPE_VIDEO_CAPABILITIES_KHR,
                                .pNext = &decode};
    must(get_capabilities(gpu.physical, &profiles[H264], &c));
    printf("capabilities: %x, alignments %ju and %ju, %ux%u to %ux%u, %u slots, %s %x\n", c.flags,
           (uintmax_t)c.minBitstreamBufferOffsetAlignment,
           (uintmax_t)c.minBitstreamBufferSizeAlignment, c.minCodedExtent.width,
           c.minCodedExtent.height, c.maxCodedExtent.width, c.maxCodedExtent.height, c.maxDpbSlots,
           c.stdHeaderVersion.extensionName, c.stdHeaderVersion.specVersion);
    printf("decoding: %x; H.264 to level %d, fields by %d, %d\n", decode.flags, h264.maxLevelIdc,
           h264.fieldOffsetGranularity.x, h264.fieldOffsetGranularity.y);
    expect(h264.pNext == NULL && decode.pNext == &h264, "the chain is another one");
    VkVideoProfileInfoKHR unknown = profiles[H264];
    unknown.videoCodecOperation = VK_VIDEO_CODEC_OPERATION_ENCODE_H265_BIT_KHR;
    must_be(VK_ERROR_VIDEO_PROFILE_CODEC_NOT_SUPPORTED_KHR,
            get_capabilities(gpu.physical, &unknown, &c));

    const PFN_vkGetPhysicalDeviceVideoFormatPropertiesKHR get_formats =
        (PFN_vkGetPhysicalDeviceVideoFormatPropertiesKHR)vkGetInstanceProcAddr(
            gpu.instance, "vkGetPhysicalDeviceVideoFormatPropertiesKHR");
    const VkPhysicalDeviceVideoFormatInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VIDEO_FORMAT_INFO_KHR,
        .pNext = &profile_list,
        .imageUsage = VK_IMAGE_USAGE_VIDEO_DECODE_DST_BIT_KHR,
    };
    must(get_formats(gpu.physical, &info, &count, NULL));
    VkVideoFormatPropertiesKHR formats[8];
    for (uint32_t i = 0; i < 8; i++)
        formats[i] =
            (VkVideoFormatPropertiesKHR){.sType = VK_STRUCTURE_TYPE_VIDEO_FORMAT_PROPERTIES_KHR};
    uint32_t few = count - 1;
    must_be(VK_INCOMPLETE, get_formats(gpu.physical, &info, &few, formats));
    printf("formats: %u, of them %u:", count, few);
    for (uint32_t i = 0; i < few; i++)
        printf(" %d (usage %x, green is %d)", formats[i].format, formats[i].imageUsageFlags,
               formats[i].componentMapping.g);
    printf("\n");
}

/* ---- Sessions */

static VkResult try_session(int profile, uint32_t version, VkVideoSessionKHR *session)
{
    VkExtensionProperties header = {.specVersion = version};
    strcpy(header.extensionName, "VK_STD_vulkan_video_codec_of_a_test");
    return vkCreateVideoSessionKHR_(gpu.device,
                                    &(VkVideoSessionCreateInfoKHR){
                                        .sType = VK_STRUCTURE_TYPE_VIDEO_SESSION_CREATE_INFO_KHR,
                                        .pVideoProfile = &profiles[profile],
                                        .pictureFormat = VK_FORMAT_R8_UNORM,
                                        .maxCodedExtent = {640, 480},
                                        .pStdHeaderVersion = &header,
                                    },
                                    NULL, session);
}

/* A session and its memory, at most two pieces. */
struct session {
    VkVideoSessionKHR handle;
    VkDeviceMemory memory[2];
};

static struct session make_session(int profile)
{
    struct session session;
    must_be(VK_ERROR_VIDEO_STD_VERSION_NOT_SUPPORTED_KHR,
            try_session(profile, VK_MAKE_VIDEO_STD_VERSION(9, 0, 0), &session.handle));
    must(try_session(profile, VK_MAKE_VIDEO_STD_VERSION(1, 0, 0), &session.handle));
    uint32_t count;
    must(vkGetVideoSessionMemoryRequirementsKHR_(gpu.device, session.handle, &count, NULL));
    expect(count == 2, "%u pieces of memory", count);
    VkVideoSessionMemoryRequirementsKHR needs[2] = {
        {.sType = VK_STRUCTURE_TYPE_VIDEO_SESSION_MEMORY_REQUIREMENTS_KHR},
        {.sType = VK_STRUCTURE_TYPE_VIDEO_SESSION_MEMORY_REQUIREMENTS_KHR}};
    VkBindVideoSessionMemoryInfoKHR binds[2];
    must(vkGetVideoSessionMemoryRequirementsKHR_(gpu.device, session.handle, &count, needs));
    for (uint32_t i = 0; i < count; i++) {
        const VkMemoryRequirements *r = &needs[i].memoryRequirements;
        printf("memory %u: %ju bytes at %ju\n", needs[i].memoryBindIndex, (uintmax_t)r->size,
               (uintmax_t)r->alignment);
        session.memory[i] = allocate(&gpu, r, 0, 0);
        binds[i] = (VkBindVideoSessionMemoryInfoKHR){
            .sType = VK_STRUCTURE_TYPE_BIND_VIDEO_SESSION_MEMORY_INFO_KHR,
            .memoryBindIndex = needs[i].memoryBindIndex,
            .memory = session.memory[i],
            .memorySize = r->size,
        };
    }
    must(vkBindVideoSessionMemoryKHR_(gpu.device, session.handle, count, binds));
    return session;
}

static void end_session(const struct session *session)
{
    vkDestroyVideoSessionKHR_(gpu.device, session->handle, NULL);
    for (int i = 0; i < 2; i++)
        vkFreeMemory(gpu.device, session->memory[i], NULL);
}

/* ---- Session parameters */

static VkVideoSessionParametersKHR make_parameters(const struct session *session, const void *chain)
{
    VkVideoSessionParametersKHR handle;
    must(vkCreateVideoSessionParametersKHR_(
        gpu.device,
        &(VkVideoSessionParametersCreateInfoKHR){
            .sType = VK_STRUCTURE_TYPE_VIDEO_SESSION_PARAMETERS_CREATE_INFO_KHR,
            .pNext = chain,
            .videoSession = session->handle,
        },
        NULL, &handle));
    return handle;
}

/* What the other side has is what is wanted. */
static void check_parameters(const char *what, VkVideoSessionParametersKHR handle,
                             const struct flat *wanted)
{
    const VkVideoEncodeSessionParametersGetInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_ENCODE_SESSION_PARAMETERS_GET_INFO_KHR,
        .videoSessionParameters = handle,
    };
    VkVideoEncodeSessionParametersFeedbackInfoKHR feedback = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_ENCODE_SESSION_PARAMETERS_FEEDBACK_INFO_KHR};
    size_t size;
    must(vkGetEncodedVideoSessionParametersKHR_(gpu.device, &info, &feedback, &size, NULL));
    expect(feedback.hasOverrides, "no feedback");
    uint8_t *data = malloc(size);
    size_t room = size - 1;
    must_be(VK_INCOMPLETE,
            vkGetEncodedVideoSessionParametersKHR_(gpu.device, &info, NULL, &room, data));
    must(vkGetEncodedVideoSessionParametersKHR_(gpu.device, &info, NULL, &size, data));
    printf("%s: %zu bytes of parameters, %016jx\n", what, size, (uintmax_t)fnv1a(data, size));
    expect(size == wanted->size && memcmp(data, wanted->bytes, size) == 0,
           "%s: the parameters are others", what);
    free(data);
}

static const VkVideoDecodeH264SessionParametersAddInfoKHR h264_add = {
    .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_H264_SESSION_PARAMETERS_ADD_INFO_KHR,
    .stdSPSCount = ARRAY_SIZE(h264_sps),
    .pStdSPSs = h264_sps,
    .stdPPSCount = ARRAY_SIZE(h264_pps),
    .pStdPPSs = h264_pps,
};
static const VkVideoDecodeH264SessionParametersCreateInfoKHR h264_create = {
    .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_H264_SESSION_PARAMETERS_CREATE_INFO_KHR,
    .maxStdSPSCount = 9,
    .maxStdPPSCount = 10,
    .pParametersAddInfo = &h264_add,
};
static const VkVideoDecodeH265SessionParametersAddInfoKHR h265_add = {
    .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_H265_SESSION_PARAMETERS_ADD_INFO_KHR,
    .stdVPSCount = 1,
    .pStdVPSs = &h265_vps,
    .stdSPSCount = 1,
    .pStdSPSs = &h265_sps,
    .stdPPSCount = 1,
    .pStdPPSs = &h265_pps,
};
static const VkVideoDecodeH265SessionParametersCreateInfoKHR h265_create = {
    .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_H265_SESSION_PARAMETERS_CREATE_INFO_KHR,
    .maxStdVPSCount = 1,
    .pParametersAddInfo = &h265_add,
};
static const VkVideoEncodeAV1SessionParametersCreateInfoKHR av1_create = {
    .sType = VK_STRUCTURE_TYPE_VIDEO_ENCODE_AV1_SESSION_PARAMETERS_CREATE_INFO_KHR,
    .pStdSequenceHeader = &av1_header,
    .pStdDecoderModelInfo = &av1_model,
    .stdOperatingPointCount = ARRAY_SIZE(av1_points),
    .pStdOperatingPoints = av1_points,
};

static void update(VkVideoSessionParametersKHR parameters, const void *chain, struct flat *wanted)
{
    VkVideoSessionParametersUpdateInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_SESSION_PARAMETERS_UPDATE_INFO_KHR,
        .pNext = chain,
        .updateSequenceCount = 7,
    };
    must_be(VK_ERROR_INVALID_VIDEO_STD_PARAMETERS_KHR,
            vkUpdateVideoSessionParametersKHR_(gpu.device, parameters, &info));
    info.updateSequenceCount = 1;
    must(vkUpdateVideoSessionParametersKHR_(gpu.device, parameters, &info));
    flat_chain(wanted, chain, 0);
}

/* ---- Pictures */

#define STREAM_SIZE 65536u
#define STREAM_AT   512u

static struct buffer make_stream(VkBufferUsageFlags usage)
{
    struct buffer buffer = {.size = STREAM_SIZE};
    must(vkCreateBuffer(gpu.device,
                        &(VkBufferCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                            .pNext = &profile_list,
                            .size = STREAM_SIZE,
                            .usage = usage,
                        },
                        NULL, &buffer.handle));
    VkMemoryRequirements requirements;
    vkGetBufferMemoryRequirements(gpu.device, buffer.handle, &requirements);
    buffer.memory =
        allocate(&gpu, &requirements,
                 VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, 0);
    must(vkBindBufferMemory(gpu.device, buffer.handle, buffer.memory, 0));
    must(vkMapMemory(gpu.device, buffer.memory, 0, VK_WHOLE_SIZE, 0, &buffer.map));
    memset(buffer.map, 0x11, STREAM_SIZE);
    return buffer;
}

static VkImage make_picture(VkImageUsageFlags usage)
{
    VkImage image;
    must(vkCreateImage(gpu.device,
                       &(VkImageCreateInfo){
                           .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                           .pNext = &profile_list,
                           .imageType = VK_IMAGE_TYPE_2D,
                           .format = VK_FORMAT_R8_UNORM,
                           .extent = {64, 64, 1},
                           .mipLevels = 1,
                           .arrayLayers = 4,
                           .samples = VK_SAMPLE_COUNT_1_BIT,
                           .usage = usage,
                       },
                       NULL, &image));
    return image;
}

static void begin_coding(VkCommandBuffer commands, const struct session *session,
                         VkVideoSessionParametersKHR parameters)
{
    vkCmdBeginVideoCodingKHR_(commands, &(VkVideoBeginCodingInfoKHR){
                                            .sType = VK_STRUCTURE_TYPE_VIDEO_BEGIN_CODING_INFO_KHR,
                                            .videoSession = session->handle,
                                            .videoSessionParameters = parameters,
                                        });
    vkCmdControlVideoCodingKHR_(commands,
                                &(VkVideoCodingControlInfoKHR){
                                    .sType = VK_STRUCTURE_TYPE_VIDEO_CODING_CONTROL_INFO_KHR,
                                    .flags = VK_VIDEO_CODING_CONTROL_RESET_BIT_KHR,
                                });
}

static void end_coding(VkCommandBuffer commands)
{
    vkCmdEndVideoCodingKHR_(
        commands, &(VkVideoEndCodingInfoKHR){.sType = VK_STRUCTURE_TYPE_VIDEO_END_CODING_INFO_KHR});
}

static void test_decode(const char *what, const struct session *session,
                        VkVideoSessionParametersKHR parameters, const void *picture,
                        const void *slot)
{
    struct buffer stream = make_stream(VK_BUFFER_USAGE_VIDEO_DECODE_SRC_BIT_KHR);
    const VkImage image = make_picture(VK_IMAGE_USAGE_VIDEO_DECODE_DST_BIT_KHR |
                                       VK_IMAGE_USAGE_VIDEO_DECODE_DPB_BIT_KHR);
    const VkVideoPictureResourceInfoKHR resource = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_PICTURE_RESOURCE_INFO_KHR,
        .codedExtent = {64, 48},
        .baseArrayLayer = 2,
    };
    const VkVideoReferenceSlotInfoKHR slots[] = {
        {.sType = VK_STRUCTURE_TYPE_VIDEO_REFERENCE_SLOT_INFO_KHR,
         .pNext = slot,
         .slotIndex = 3,
         .pPictureResource = &resource},
        {.sType = VK_STRUCTURE_TYPE_VIDEO_REFERENCE_SLOT_INFO_KHR, .slotIndex = -1},
    };
    const VkVideoDecodeInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_INFO_KHR,
        .pNext = picture,
        .srcBuffer = stream.handle,
        .srcBufferOffset = STREAM_AT,
        .srcBufferRange = 1024,
        .dstPictureResource = resource,
        .pSetupReferenceSlot = &slots[0],
        .referenceSlotCount = 2,
        .pReferenceSlots = slots,
    };
    static struct flat wanted;
    wanted.size = 0;
    flat_decode(&wanted, &info);
    const VkCommandBuffer commands = commands_begin(&gpu);
    begin_coding(commands, session, parameters);
    vkCmdDecodeVideoKHR_(commands, &info);
    end_coding(commands);
    commands_finish(&gpu, commands);
    uint64_t hash;
    memcpy(&hash, (char *)stream.map + STREAM_AT, sizeof(hash));
    printf("%s: a picture of %zu bytes, %016jx\n", what, wanted.size, (uintmax_t)hash);
    expect(hash == flat_hash(&wanted), "%s: the picture is another one", what);
    vkDestroyImage(gpu.device, image, NULL);
    buffer_finish(&gpu, &stream);
}

static void test_encode(const struct session *session, VkVideoSessionParametersKHR parameters)
{
    struct buffer stream = make_stream(VK_BUFFER_USAGE_VIDEO_ENCODE_DST_BIT_KHR);
    const VkQueryPoolVideoEncodeFeedbackCreateInfoKHR feedback = {
        .sType = VK_STRUCTURE_TYPE_QUERY_POOL_VIDEO_ENCODE_FEEDBACK_CREATE_INFO_KHR,
        .pNext = &profiles[AV1],
        .encodeFeedbackFlags = VK_VIDEO_ENCODE_FEEDBACK_BITSTREAM_BUFFER_OFFSET_BIT_KHR |
                               VK_VIDEO_ENCODE_FEEDBACK_BITSTREAM_BYTES_WRITTEN_BIT_KHR,
    };
    VkQueryPool pool;
    must(vkCreateQueryPool(gpu.device,
                           &(VkQueryPoolCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                               .pNext = &feedback,
                               .queryType = VK_QUERY_TYPE_VIDEO_ENCODE_FEEDBACK_KHR,
                               .queryCount = 2,
                           },
                           NULL, &pool));
    const VkVideoEncodeAV1PictureInfoKHR picture = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_ENCODE_AV1_PICTURE_INFO_KHR,
        .constantQIndex = 33,
        .pStdPictureInfo = &av1_encoded,
        .referenceNameSlotIndices = {-1, 2, [6] = 4},
    };
    const VkVideoEncodeInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_ENCODE_INFO_KHR,
        .pNext = &picture,
        .dstBuffer = stream.handle,
        .dstBufferOffset = STREAM_AT,
        .dstBufferRange = STREAM_SIZE - STREAM_AT,
        .srcPictureResource = {.sType = VK_STRUCTURE_TYPE_VIDEO_PICTURE_RESOURCE_INFO_KHR,
                               .codedExtent = {64, 64}},
        .precedingExternallyEncodedBytes = 21,
    };
    static struct flat wanted;
    flat_encode(&wanted, &info, ARRAY_SIZE(av1_points));
    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdResetQueryPool(commands, pool, 0, 2);
    begin_coding(commands, session, parameters);
    vkCmdBeginQuery(commands, pool, 1, 0);
    vkCmdEncodeVideoKHR_(commands, &info);
    vkCmdEndQuery(commands, pool, 1);
    end_coding(commands);
    commands_finish(&gpu, commands);
    struct {
        uint32_t offset, size;
        int32_t status;
    } results[2];
    must(vkGetQueryPoolResults(gpu.device, pool, 0, 2, sizeof(results), results, sizeof(results[0]),
                               VK_QUERY_RESULT_WITH_STATUS_BIT_KHR | VK_QUERY_RESULT_WAIT_BIT));
    printf("AV1: %u bytes from %u, status %d; before it %u, %d\n", results[1].size,
           results[1].offset, results[1].status, results[0].size, results[0].status);
    expect(results[1].size == wanted.size &&
               memcmp((char *)stream.map + STREAM_AT, wanted.bytes, wanted.size) == 0,
           "AV1: the picture is another one");
    vkDestroyQueryPool(gpu.device, pool, NULL);
    buffer_finish(&gpu, &stream);
}

/* ---- Codecs */

static void test_h264(void)
{
    section("H.264");
    static struct flat wanted;
    const struct session session = make_session(H264);
    const VkVideoSessionParametersKHR parameters = make_parameters(&session, &h264_create);
    flat_chain(&wanted, &h264_create, 0);
    check_parameters("H.264", parameters, &wanted);
    update(parameters, &h264_add, &wanted);
    check_parameters("H.264, updated", parameters, &wanted);
    const uint32_t offsets[] = {0, 100, 321};
    test_decode("H.264", &session, parameters,
                &(VkVideoDecodeH264PictureInfoKHR){
                    .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_H264_PICTURE_INFO_KHR,
                    .pStdPictureInfo = &h264_picture,
                    .sliceCount = 3,
                    .pSliceOffsets = offsets,
                },
                &(VkVideoDecodeH264DpbSlotInfoKHR){
                    .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_H264_DPB_SLOT_INFO_KHR,
                    .pStdReferenceInfo = &h264_reference,
                });
    vkDestroyVideoSessionParametersKHR_(gpu.device, parameters, NULL);
    end_session(&session);
}

static void test_h265(void)
{
    section("H.265");
    static struct flat wanted;
    const struct session session = make_session(H265);
    const VkVideoSessionParametersKHR parameters = make_parameters(&session, &h265_create);
    flat_chain(&wanted, &h265_create, 0);
    check_parameters("H.265", parameters, &wanted);
    const uint32_t offsets[] = {55};
    test_decode("H.265", &session, parameters,
                &(VkVideoDecodeH265PictureInfoKHR){
                    .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_H265_PICTURE_INFO_KHR,
                    .pStdPictureInfo = &h265_picture,
                    .sliceSegmentCount = 1,
                    .pSliceSegmentOffsets = offsets,
                },
                &(VkVideoDecodeH265DpbSlotInfoKHR){
                    .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_H265_DPB_SLOT_INFO_KHR,
                    .pStdReferenceInfo = &h265_reference,
                });
    vkDestroyVideoSessionParametersKHR_(gpu.device, parameters, NULL);
    end_session(&session);
}

static void test_av1(void)
{
    section("AV1");
    static struct flat wanted;
    const struct session session = make_session(AV1);
    const VkVideoSessionParametersKHR parameters = make_parameters(&session, &av1_create);
    flat_chain(&wanted, &av1_create, 0);
    check_parameters("AV1", parameters, &wanted);
    test_encode(&session, parameters);
    vkDestroyVideoSessionParametersKHR_(gpu.device, parameters, NULL);
    end_session(&session);
}

int main(void)
{
    gpu_init_instance(&gpu, &(struct gpu_options){.name = "video"});
    uint32_t count = 1;
    vkEnumeratePhysicalDevices(gpu.instance, &count, &gpu.physical);
    for (size_t i = 0; i < ARRAY_SIZE(extensions); i++) {
        if (!gpu_has_extension(gpu.physical, extensions[i])) {
            printf("there is no %s\n", extensions[i]);
            return EXIT_SKIPPED;
        }
    }
    test_queries();
    VkPhysicalDeviceVideoMaintenance1FeaturesKHR maintenance = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VIDEO_MAINTENANCE_1_FEATURES_KHR};
    vkGetPhysicalDeviceFeatures2(
        gpu.physical,
        &(VkPhysicalDeviceFeatures2){.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                     .pNext = &maintenance});
    expect(maintenance.videoMaintenance1, "no videoMaintenance1");
    gpu_init_device(&gpu, &(struct gpu_options){
                              .device_extensions = extensions,
                              .device_extension_count = ARRAY_SIZE(extensions),
                              .features = &maintenance,
                          });
#define LOAD(name)                                                \
    name##_ = (PFN_##name)vkGetDeviceProcAddr(gpu.device, #name); \
    expect(name##_, "there is no " #name);
    FUNCTIONS(LOAD)
    test_h264();
    test_h265();
    test_av1();
    gpu_finish(&gpu);
    return 0;
}
