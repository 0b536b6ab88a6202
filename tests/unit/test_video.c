/* SPDX-License-Identifier: MIT
 *
 * Video coding from end to end: the client's encoders write a stream, the server decodes it, and the
 * driver gets what the application gave, however deep.
 */
#include "fixture.h"

#include "icd/command_buffer.h"
#include "icd/instance.h"

#include "calls.h"
#include "entrypoints.h"
#include "tests/video/flat.h"
#include "tests/video/samples.h"

#define OPERATING_POINTS 3

static struct vdc_instance instance;
static struct vdc_command_buffer recorder;
static _Alignas(16) uint8_t chunk[16384];
static struct flat arrived;
static VkBuffer arrived_buffer;

static void look_at_decode(const VkVideoDecodeInfoKHR *info)
{
    arrived_buffer = info->srcBuffer;
    flat_decode(&arrived, info);
}

static void look_at_encode(const VkVideoEncodeInfoKHR *info)
{
    arrived_buffer = info->dstBuffer;
    flat_encode(&arrived, info, OPERATING_POINTS);
}

static VkCommandBuffer start(void)
{
    static const uint8_t device[4096]; /* nobody looks at it */
    recorder = (struct vdc_command_buffer){
        .base = {.instance = &instance, .device = (void *)device},
        .encoder = {.base = chunk, .capacity = sizeof(chunk), .instance = &instance},
    };
    memset(chunk, 0xaa, sizeof(chunk));
    memset(&arrived, 0, sizeof(arrived));
    return (VkCommandBuffer)&recorder;
}

/* The record that was written last. */
static struct test_record recorded(void)
{
    struct test_record r = {.body = sizeof(struct vd_record)};
    r.size = (uint32_t)(recorder.encoder.base - chunk);
    assert_true(r.size > sizeof(struct vd_record) && recorder.error == VK_SUCCESS);
    memcpy(r.bytes, chunk, r.size);
    return r;
}

static void replay(struct test_client *client, const struct test_record *r)
{
    struct stream stream = {0};
    stream_begin(&stream);
    stream_add(&stream, r);
    assert_true(stream_replay(client, &stream, COMMAND_BUFFER));
}

static void same(const struct flat *given)
{
    assert_true(given->size < sizeof(given->bytes));
    assert_int_equal(arrived.size, given->size);
    assert_memory_equal(arrived.bytes, given->bytes, given->size);
}

static void decode(struct test_client *client, VkVideoDecodeInfoKHR info)
{
    static struct flat given;
    given.size = 0;
    info.sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_INFO_KHR;
    info.srcBuffer = HANDLE(VkBuffer, BUFFER);
    info.srcBufferOffset = 256;
    info.srcBufferRange = 4096;
    info.dstPictureResource.sType = VK_STRUCTURE_TYPE_VIDEO_PICTURE_RESOURCE_INFO_KHR;
    info.dstPictureResource.codedExtent = (VkExtent2D){1920, 1080};
    flat_decode(&given, &info);
    vdc_call_vkCmdDecodeVideoKHR(start(), &info);
    const struct test_record r = recorded();
    replay(client, &r);
    assert_int_equal((uint64_t)arrived_buffer, client_host_handle(client, BUFFER));
    same(&given);
}

static void h264_arrives(void **state)
{
    const VkVideoDecodeH264InlineSessionParametersInfoKHR parameters = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_H264_INLINE_SESSION_PARAMETERS_INFO_KHR,
        .pStdSPS = &h264_sps[0],
        .pStdPPS = &h264_pps[1],
    };
    const uint32_t offsets[] = {0, 77, 1234};
    const VkVideoDecodeH264PictureInfoKHR picture = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_H264_PICTURE_INFO_KHR,
        .pNext = &parameters,
        .pStdPictureInfo = &h264_picture,
        .sliceCount = 3,
        .pSliceOffsets = offsets,
    };
    const VkVideoDecodeH264DpbSlotInfoKHR dpb = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_H264_DPB_SLOT_INFO_KHR,
        .pStdReferenceInfo = &h264_reference,
    };
    const VkVideoPictureResourceInfoKHR resource = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_PICTURE_RESOURCE_INFO_KHR,
        .codedExtent = {640, 480},
        .baseArrayLayer = 3,
    };
    const VkVideoReferenceSlotInfoKHR slots[] = {
        {.sType = VK_STRUCTURE_TYPE_VIDEO_REFERENCE_SLOT_INFO_KHR,
         .pNext = &dpb,
         .slotIndex = 5,
         .pPictureResource = &resource},
        {.sType = VK_STRUCTURE_TYPE_VIDEO_REFERENCE_SLOT_INFO_KHR, .slotIndex = -1},
    };
    decode(*state, (VkVideoDecodeInfoKHR){.pNext = &picture,
                                          .pSetupReferenceSlot = &slots[1],
                                          .referenceSlotCount = 2,
                                          .pReferenceSlots = slots});
}

static void h265_arrives(void **state)
{
    const VkVideoDecodeH265InlineSessionParametersInfoKHR parameters = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_H265_INLINE_SESSION_PARAMETERS_INFO_KHR,
        .pStdVPS = &h265_vps,
        .pStdSPS = &h265_sps,
        .pStdPPS = &h265_pps,
    };
    const uint32_t offsets[] = {9};
    const VkVideoDecodeH265PictureInfoKHR picture = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_H265_PICTURE_INFO_KHR,
        .pNext = &parameters,
        .pStdPictureInfo = &h265_picture,
        .sliceSegmentCount = 1,
        .pSliceSegmentOffsets = offsets,
    };
    decode(*state, (VkVideoDecodeInfoKHR){.pNext = &picture});
}

static void av1_arrives(void **state)
{
    const VkVideoDecodeAV1InlineSessionParametersInfoKHR parameters = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_AV1_INLINE_SESSION_PARAMETERS_INFO_KHR,
        .pStdSequenceHeader = &av1_header,
    };
    const uint32_t offsets[] = {3, 5}, sizes[] = {7, 11};
    const VkVideoDecodeAV1PictureInfoKHR picture = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_AV1_PICTURE_INFO_KHR,
        .pNext = &parameters,
        .pStdPictureInfo = &av1_picture,
        .referenceNameSlotIndices = {-1, 2, [6] = 3},
        .tileCount = 2,
        .pTileOffsets = offsets,
        .pTileSizes = sizes,
    };
    decode(*state, (VkVideoDecodeInfoKHR){.pNext = &picture});
}

static void encode(struct test_client *client, const void *chain, VkCommandBuffer cb)
{
    static struct flat given;
    const VkVideoEncodeInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_ENCODE_INFO_KHR,
        .pNext = chain,
        .dstBuffer = HANDLE(VkBuffer, BUFFER),
        .dstBufferRange = 512,
        .srcPictureResource = {.sType = VK_STRUCTURE_TYPE_VIDEO_PICTURE_RESOURCE_INFO_KHR},
        .precedingExternallyEncodedBytes = 13,
    };
    given.size = 0;
    flat_encode(&given, &info, OPERATING_POINTS);
    vdc_call_vkCmdEncodeVideoKHR(cb, &info);
    const struct test_record r = recorded();
    replay(client, &r);
    same(&given);
}

static void encoded_h264_arrives(void **state)
{
    const VkVideoEncodeH264PictureInfoKHR picture = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_ENCODE_H264_PICTURE_INFO_KHR,
        .naluSliceEntryCount = 2,
        .pNaluSliceEntries = h264_slice_infos,
        .pStdPictureInfo = &h264_encoded,
        .generatePrefixNalu = VK_TRUE,
    };
    encode(*state, &picture, start());
}

/* The number of removal times is known from the parameters with which coding began. */
static void encoded_av1_arrives(void **state)
{
    const VkVideoEncodeAV1PictureInfoKHR picture = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_ENCODE_AV1_PICTURE_INFO_KHR,
        .constantQIndex = 40,
        .pStdPictureInfo = &av1_encoded,
        .referenceNameSlotIndices = {4, -5},
    };
    const uint64_t id = vdc_id_new(&instance, VD_TYPE_VkVideoSessionParametersKHR, 0);
    vdc_id_set_object(&instance, id, (void *)(uintptr_t)OPERATING_POINTS);
    const VkCommandBuffer cb = start();
    vdc_vkCmdBeginVideoCodingKHR(
        cb, &(VkVideoBeginCodingInfoKHR){
                .sType = VK_STRUCTURE_TYPE_VIDEO_BEGIN_CODING_INFO_KHR,
                .videoSessionParameters = HANDLE(VkVideoSessionParametersKHR, id),
            });
    assert_int_equal(recorder.operating_points, OPERATING_POINTS);
    recorder.encoder.base = chunk;
    recorder.encoder.capacity = sizeof(chunk);
    encode(*state, &picture, cb);
}

/* Of bit-fields only those bits cross that have a name. */
static void nameless_bits_stay(void **state)
{
    StdVideoDecodeH264PictureInfo named = {0};
    memset(&named.flags, 0xff, sizeof(named.flags));
    const VkVideoDecodeH264PictureInfoKHR picture = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_H264_PICTURE_INFO_KHR,
        .pStdPictureInfo = &named,
    };
    const VkVideoDecodeInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_INFO_KHR,
        .pNext = &picture,
        .dstPictureResource = {.sType = VK_STRUCTURE_TYPE_VIDEO_PICTURE_RESOURCE_INFO_KHR},
    };
    (void)state;
    vdc_call_vkCmdDecodeVideoKHR(start(), &info);
    const struct test_record r = recorded();
    const uint32_t at_info = (uint32_t)record_get64(&r, r.body);
    const uint32_t at_chain = (uint32_t)record_get64(&r, at_info + 8);
    const uint32_t at_picture = (uint32_t)record_get64(
        &r, at_chain + (uint32_t)offsetof(VkVideoDecodeH264PictureInfoKHR, pStdPictureInfo));
    uint32_t flags;
    memcpy(&flags, r.bytes + at_picture, sizeof(flags));
    assert_int_equal(flags, 0x3f);
}

/* What a flag says is not there may be anything. */
static void what_flags_deny_is_not_followed(void **state)
{
    StdVideoH265SequenceParameterSet sps = {0};
    sps.pScalingLists = (void *)(uintptr_t)0xdead0000beef0000u;
    sps.pSequenceParameterSetVui = (const void *)sps.pScalingLists;
    sps.pPredictorPaletteEntries = (const void *)sps.pScalingLists;
    const VkVideoDecodeH265InlineSessionParametersInfoKHR parameters = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_H265_INLINE_SESSION_PARAMETERS_INFO_KHR,
        .pStdSPS = &sps,
    };
    const VkVideoDecodeInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_VIDEO_DECODE_INFO_KHR,
        .pNext = &parameters,
        .dstPictureResource = {.sType = VK_STRUCTURE_TYPE_VIDEO_PICTURE_RESOURCE_INFO_KHR},
    };
    fake_driver.decode_video = NULL;
    vdc_call_vkCmdDecodeVideoKHR(start(), &info);
    const struct test_record r = recorded();
    replay(*state, &r);
}

static int begin(void **state)
{
    const int result = open_command_buffer(state);
    prepare_samples(*state);
    fake_driver.decode_video = look_at_decode;
    fake_driver.encode_video = look_at_encode;
    return result;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(h264_arrives, begin),
        TEST(h265_arrives, begin),
        TEST(av1_arrives, begin),
        TEST(encoded_h264_arrives, begin),
        TEST(encoded_av1_arrives, begin),
        TEST(nameless_bits_stay, begin),
        TEST(what_flags_deny_is_not_followed, begin),
    };
    instance.ids = vdc_ids_create();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vdc_ids_destroy(instance.ids);
    return failed;
}
