/* SPDX-License-Identifier: MIT
 *
 * What parameters and pictures of a video hold, with all that they point to, as one row of bytes: equal
 * for two that say the same, wherever they lie. Handles are left out. Padding must be zero.
 *
 * Written by hand from the headers of the codecs, for the generator's idea of them is what is tested.
 */
#ifndef TESTS_VIDEO_FLAT_H
#define TESTS_VIDEO_FLAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <vulkan/vulkan_core.h>

struct flat {
    uint8_t bytes[32768];
    size_t size;
};

static inline void flat_add(struct flat *f, const void *data, size_t size)
{
    if (size > sizeof(f->bytes) - f->size)
        size = sizeof(f->bytes) - f->size;
    memcpy(f->bytes + f->size, data, size);
    f->size += size;
}

static inline uint64_t flat_hash(const struct flat *f)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < f->size; i++)
        hash = (hash ^ f->bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static inline bool flat_has(struct flat *f, const void *pointer)
{
    const uint8_t has = pointer != NULL;
    flat_add(f, &has, 1);
    return has;
}

/* A struct up to the first of its pointers, and what stands between two of its members. */
#define FLAT_HEAD(f, s, pointer) flat_add(f, s, offsetof(__typeof__(*(s)), pointer))
#define FLAT_RANGE(f, s, first, end) \
    flat_add(f, &(s)->first, offsetof(__typeof__(*(s)), end) - offsetof(__typeof__(*(s)), first))
#define FLAT_ARRAY(f, pointer, count)                             \
    do {                                                          \
        if (flat_has(f, pointer))                                 \
            flat_add(f, pointer, (count) * sizeof((pointer)[0])); \
    } while (0)
#define FLAT_ONE(f, pointer) FLAT_ARRAY(f, pointer, 1)

/* ---- H.264 */

static inline void flat_h264_sps(struct flat *f, const StdVideoH264SequenceParameterSet *s)
{
    FLAT_HEAD(f, s, pOffsetForRefFrame);
    FLAT_ARRAY(f, s->pOffsetForRefFrame, s->num_ref_frames_in_pic_order_cnt_cycle);
    FLAT_ONE(f, s->pScalingLists);
    const StdVideoH264SequenceParameterSetVui *vui = s->pSequenceParameterSetVui;
    if (flat_has(f, vui)) {
        FLAT_HEAD(f, vui, pHrdParameters);
        FLAT_ONE(f, vui->pHrdParameters);
    }
}

static inline void flat_h264_pps(struct flat *f, const StdVideoH264PictureParameterSet *s)
{
    FLAT_HEAD(f, s, pScalingLists);
    FLAT_ONE(f, s->pScalingLists);
}

static inline void flat_h264_references(struct flat *f,
                                        const StdVideoEncodeH264ReferenceListsInfo *s)
{
    FLAT_HEAD(f, s, pRefList0ModOperations);
    FLAT_ARRAY(f, s->pRefList0ModOperations, s->refList0ModOpCount);
    FLAT_ARRAY(f, s->pRefList1ModOperations, s->refList1ModOpCount);
    FLAT_ARRAY(f, s->pRefPicMarkingOperations, s->refPicMarkingOpCount);
}

/* ---- H.265 */

static inline void flat_h265_hrd(struct flat *f, const StdVideoH265HrdParameters *s,
                                 uint32_t sub_layers)
{
    if (!flat_has(f, s))
        return;
    FLAT_HEAD(f, s, pSubLayerHrdParametersNal);
    FLAT_ARRAY(f, s->pSubLayerHrdParametersNal, sub_layers);
    FLAT_ARRAY(f, s->pSubLayerHrdParametersVcl, sub_layers);
}

static inline void flat_h265_vps(struct flat *f, const StdVideoH265VideoParameterSet *s)
{
    FLAT_HEAD(f, s, pDecPicBufMgr);
    FLAT_ONE(f, s->pDecPicBufMgr);
    flat_h265_hrd(f, s->pHrdParameters, s->vps_max_sub_layers_minus1 + 1u);
    FLAT_ONE(f, s->pProfileTierLevel);
}

static inline void flat_h265_sps(struct flat *f, const StdVideoH265SequenceParameterSet *s)
{
    FLAT_HEAD(f, s, pProfileTierLevel);
    FLAT_ONE(f, s->pProfileTierLevel);
    FLAT_ONE(f, s->pDecPicBufMgr);
    FLAT_ONE(f, s->pScalingLists);
    FLAT_ARRAY(f, s->pShortTermRefPicSet, s->num_short_term_ref_pic_sets);
    FLAT_ONE(f, s->pLongTermRefPicsSps);
    const StdVideoH265SequenceParameterSetVui *vui = s->pSequenceParameterSetVui;
    if (flat_has(f, vui)) {
        FLAT_HEAD(f, vui, pHrdParameters);
        flat_h265_hrd(f, vui->pHrdParameters, s->sps_max_sub_layers_minus1 + 1u);
    }
    FLAT_ONE(f, s->pPredictorPaletteEntries);
}

static inline void flat_h265_pps(struct flat *f, const StdVideoH265PictureParameterSet *s)
{
    FLAT_HEAD(f, s, pScalingLists);
    FLAT_ONE(f, s->pScalingLists);
    FLAT_ONE(f, s->pPredictorPaletteEntries);
}

/* ---- AV1 */

static inline void flat_av1_header(struct flat *f, const StdVideoAV1SequenceHeader *s)
{
    FLAT_HEAD(f, s, pColorConfig);
    FLAT_ONE(f, s->pColorConfig);
    FLAT_ONE(f, s->pTimingInfo);
}

static inline void flat_av1_tiles(struct flat *f, const StdVideoAV1TileInfo *s)
{
    FLAT_HEAD(f, s, pMiColStarts);
    FLAT_ARRAY(f, s->pMiColStarts, s->TileCols);
    FLAT_ARRAY(f, s->pMiRowStarts, s->TileRows);
    FLAT_ARRAY(f, s->pWidthInSbsMinus1, s->TileCols);
    FLAT_ARRAY(f, s->pHeightInSbsMinus1, s->TileRows);
}

static inline void flat_av1_decode(struct flat *f, const StdVideoDecodeAV1PictureInfo *s)
{
    FLAT_HEAD(f, s, pTileInfo);
    flat_av1_tiles(f, s->pTileInfo);
    FLAT_ONE(f, s->pQuantization);
    FLAT_ONE(f, s->pSegmentation);
    FLAT_ONE(f, s->pLoopFilter);
    FLAT_ONE(f, s->pCDEF);
    FLAT_ONE(f, s->pLoopRestoration);
    FLAT_ONE(f, s->pGlobalMotion);
    FLAT_ONE(f, s->pFilmGrain);
}

static inline void flat_av1_encode(struct flat *f, const StdVideoEncodeAV1PictureInfo *s,
                                   uint32_t operating_points)
{
    FLAT_HEAD(f, s, pTileInfo);
    flat_av1_tiles(f, s->pTileInfo);
    FLAT_ONE(f, s->pQuantization);
    FLAT_ONE(f, s->pSegmentation);
    FLAT_ONE(f, s->pLoopFilter);
    FLAT_ONE(f, s->pExtensionHeader);
    FLAT_ARRAY(f, s->pBufferRemovalTimes, operating_points);
}

/* ---- Vulkan's structs around them */

/* What stands in chains. `operating_points` are those of the session parameters in use. */
static inline void flat_chain(struct flat *f, const void *chain, uint32_t operating_points)
{
    for (const VkBaseInStructure *in = chain; in; in = in->pNext) {
        flat_add(f, &in->sType, sizeof(in->sType));
        switch ((int)in->sType) {
        case VK_STRUCTURE_TYPE_VIDEO_DECODE_H264_PROFILE_INFO_KHR: {
            const VkVideoDecodeH264ProfileInfoKHR *s = (const void *)in;
            flat_add(f, &s->stdProfileIdc, 8);
            break;
        }
        case VK_STRUCTURE_TYPE_VIDEO_DECODE_H264_SESSION_PARAMETERS_ADD_INFO_KHR: {
            const VkVideoDecodeH264SessionParametersAddInfoKHR *s = (const void *)in;
            for (uint32_t i = 0; i < s->stdSPSCount; i++)
                flat_h264_sps(f, &s->pStdSPSs[i]);
            for (uint32_t i = 0; i < s->stdPPSCount; i++)
                flat_h264_pps(f, &s->pStdPPSs[i]);
            break;
        }
        case VK_STRUCTURE_TYPE_VIDEO_DECODE_H264_SESSION_PARAMETERS_CREATE_INFO_KHR: {
            const VkVideoDecodeH264SessionParametersCreateInfoKHR *s = (const void *)in;
            FLAT_RANGE(f, s, maxStdSPSCount, pParametersAddInfo);
            if (flat_has(f, s->pParametersAddInfo))
                flat_chain(f, s->pParametersAddInfo, 0);
            break;
        }
        case VK_STRUCTURE_TYPE_VIDEO_DECODE_H265_SESSION_PARAMETERS_ADD_INFO_KHR: {
            const VkVideoDecodeH265SessionParametersAddInfoKHR *s = (const void *)in;
            for (uint32_t i = 0; i < s->stdVPSCount; i++)
                flat_h265_vps(f, &s->pStdVPSs[i]);
            for (uint32_t i = 0; i < s->stdSPSCount; i++)
                flat_h265_sps(f, &s->pStdSPSs[i]);
            for (uint32_t i = 0; i < s->stdPPSCount; i++)
                flat_h265_pps(f, &s->pStdPPSs[i]);
            break;
        }
        case VK_STRUCTURE_TYPE_VIDEO_DECODE_H265_SESSION_PARAMETERS_CREATE_INFO_KHR: {
            const VkVideoDecodeH265SessionParametersCreateInfoKHR *s = (const void *)in;
            FLAT_RANGE(f, s, maxStdVPSCount, pParametersAddInfo);
            if (flat_has(f, s->pParametersAddInfo))
                flat_chain(f, s->pParametersAddInfo, 0);
            break;
        }
        case VK_STRUCTURE_TYPE_VIDEO_ENCODE_AV1_SESSION_PARAMETERS_CREATE_INFO_KHR: {
            const VkVideoEncodeAV1SessionParametersCreateInfoKHR *s = (const void *)in;
            flat_av1_header(f, s->pStdSequenceHeader);
            FLAT_ONE(f, s->pStdDecoderModelInfo);
            FLAT_ARRAY(f, s->pStdOperatingPoints, s->stdOperatingPointCount);
            break;
        }
        case VK_STRUCTURE_TYPE_VIDEO_DECODE_H264_PICTURE_INFO_KHR: {
            const VkVideoDecodeH264PictureInfoKHR *s = (const void *)in;
            FLAT_ONE(f, s->pStdPictureInfo);
            FLAT_ARRAY(f, s->pSliceOffsets, s->sliceCount);
            break;
        }
        case VK_STRUCTURE_TYPE_VIDEO_DECODE_H264_DPB_SLOT_INFO_KHR: {
            const VkVideoDecodeH264DpbSlotInfoKHR *s = (const void *)in;
            FLAT_ONE(f, s->pStdReferenceInfo);
            break;
        }
        case VK_STRUCTURE_TYPE_VIDEO_DECODE_H265_PICTURE_INFO_KHR: {
            const VkVideoDecodeH265PictureInfoKHR *s = (const void *)in;
            FLAT_ONE(f, s->pStdPictureInfo);
            FLAT_ARRAY(f, s->pSliceSegmentOffsets, s->sliceSegmentCount);
            break;
        }
        case VK_STRUCTURE_TYPE_VIDEO_DECODE_H265_DPB_SLOT_INFO_KHR: {
            const VkVideoDecodeH265DpbSlotInfoKHR *s = (const void *)in;
            FLAT_ONE(f, s->pStdReferenceInfo);
            break;
        }
        case VK_STRUCTURE_TYPE_VIDEO_DECODE_AV1_PICTURE_INFO_KHR: {
            const VkVideoDecodeAV1PictureInfoKHR *s = (const void *)in;
            flat_av1_decode(f, s->pStdPictureInfo);
            FLAT_RANGE(f, s, referenceNameSlotIndices, pTileOffsets);
            FLAT_ARRAY(f, s->pTileOffsets, s->tileCount);
            FLAT_ARRAY(f, s->pTileSizes, s->tileCount);
            break;
        }
        case VK_STRUCTURE_TYPE_VIDEO_DECODE_H264_INLINE_SESSION_PARAMETERS_INFO_KHR: {
            const VkVideoDecodeH264InlineSessionParametersInfoKHR *s = (const void *)in;
            flat_h264_sps(f, s->pStdSPS);
            flat_h264_pps(f, s->pStdPPS);
            break;
        }
        case VK_STRUCTURE_TYPE_VIDEO_DECODE_H265_INLINE_SESSION_PARAMETERS_INFO_KHR: {
            const VkVideoDecodeH265InlineSessionParametersInfoKHR *s = (const void *)in;
            flat_h265_vps(f, s->pStdVPS);
            flat_h265_sps(f, s->pStdSPS);
            flat_h265_pps(f, s->pStdPPS);
            break;
        }
        case VK_STRUCTURE_TYPE_VIDEO_DECODE_AV1_INLINE_SESSION_PARAMETERS_INFO_KHR: {
            const VkVideoDecodeAV1InlineSessionParametersInfoKHR *s = (const void *)in;
            flat_av1_header(f, s->pStdSequenceHeader);
            break;
        }
        case VK_STRUCTURE_TYPE_VIDEO_ENCODE_H264_PICTURE_INFO_KHR: {
            const VkVideoEncodeH264PictureInfoKHR *s = (const void *)in;
            for (uint32_t i = 0; i < s->naluSliceEntryCount; i++) {
                const StdVideoEncodeH264SliceHeader *slice =
                    s->pNaluSliceEntries[i].pStdSliceHeader;
                flat_add(f, &s->pNaluSliceEntries[i].constantQp, 4);
                FLAT_HEAD(f, slice, pWeightTable);
                FLAT_ONE(f, slice->pWeightTable);
            }
            FLAT_HEAD(f, s->pStdPictureInfo, pRefLists);
            if (flat_has(f, s->pStdPictureInfo->pRefLists))
                flat_h264_references(f, s->pStdPictureInfo->pRefLists);
            flat_add(f, &s->generatePrefixNalu, 4);
            break;
        }
        case VK_STRUCTURE_TYPE_VIDEO_ENCODE_AV1_PICTURE_INFO_KHR: {
            const VkVideoEncodeAV1PictureInfoKHR *s = (const void *)in;
            FLAT_RANGE(f, s, predictionMode, pStdPictureInfo);
            flat_av1_encode(f, s->pStdPictureInfo, operating_points);
            flat_add(f, s->referenceNameSlotIndices, sizeof(s->referenceNameSlotIndices));
            break;
        }
        }
    }
}

static inline void flat_profile(struct flat *f, const VkVideoProfileInfoKHR *s)
{
    flat_add(f, &s->videoCodecOperation, 16);
    flat_chain(f, s->pNext, 0);
}

static inline void flat_resource(struct flat *f, const VkVideoPictureResourceInfoKHR *s)
{
    FLAT_RANGE(f, s, codedOffset, imageViewBinding);
    flat_chain(f, s->pNext, 0);
}

static inline void flat_slots(struct flat *f, const VkVideoReferenceSlotInfoKHR *slots,
                              uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        flat_add(f, &slots[i].slotIndex, sizeof(slots[i].slotIndex));
        if (flat_has(f, slots[i].pPictureResource))
            flat_resource(f, slots[i].pPictureResource);
        flat_chain(f, slots[i].pNext, 0);
    }
}

static inline void flat_decode(struct flat *f, const VkVideoDecodeInfoKHR *s)
{
    flat_add(f, &s->flags, sizeof(s->flags));
    FLAT_RANGE(f, s, srcBufferOffset, dstPictureResource);
    flat_resource(f, &s->dstPictureResource);
    if (flat_has(f, s->pSetupReferenceSlot))
        flat_slots(f, s->pSetupReferenceSlot, 1);
    flat_slots(f, s->pReferenceSlots, s->referenceSlotCount);
    flat_chain(f, s->pNext, 0);
}

static inline void flat_encode(struct flat *f, const VkVideoEncodeInfoKHR *s,
                               uint32_t operating_points)
{
    flat_add(f, &s->flags, sizeof(s->flags));
    FLAT_RANGE(f, s, dstBufferOffset, srcPictureResource);
    flat_resource(f, &s->srcPictureResource);
    flat_slots(f, s->pReferenceSlots, s->referenceSlotCount);
    flat_add(f, &s->precedingExternallyEncodedBytes, 4);
    flat_chain(f, s->pNext, operating_points);
}

#endif
