/* SPDX-License-Identifier: MIT
 *
 * Parameters and pictures of a video with something at the end of each kind of pointer. Nothing could be
 * decoded with them; each number is another one.
 */
#ifndef TESTS_VIDEO_SAMPLES_H
#define TESTS_VIDEO_SAMPLES_H

#include <vulkan/vulkan_core.h>

/* ---- H.264 */

static const StdVideoH264ScalingLists h264_scaling = {
    .scaling_list_present_mask = 0x55,
    .ScalingList4x4 = {{1, 2, 3}, [5] = {[15] = 4}},
    .ScalingList8x8 = {{5, 6, 7}, [5] = {[63] = 8}},
};
static const StdVideoH264HrdParameters h264_hrd = {
    .cpb_cnt_minus1 = 2,
    .bit_rate_value_minus1 = {11, 12, 13, [31] = 14},
    .cbr_flag = {1, 0, 1},
    .time_offset_length = 24,
};
static const StdVideoH264SequenceParameterSetVui h264_vui = {
    .flags = {.timing_info_present_flag = 1, .nal_hrd_parameters_present_flag = 1},
    .num_units_in_tick = 1001,
    .time_scale = 60000,
    .pHrdParameters = &h264_hrd,
};
static const int32_t h264_offsets[5] = {-1, 20, -300, 4000, -50000};
static const StdVideoH264SequenceParameterSet h264_sps[2] = {
    {
        .flags = {.frame_mbs_only_flag = 1,
                  .seq_scaling_matrix_present_flag = 1,
                  .vui_parameters_present_flag = 1},
        .profile_idc = STD_VIDEO_H264_PROFILE_IDC_HIGH,
        .level_idc = STD_VIDEO_H264_LEVEL_IDC_5_1,
        .pic_order_cnt_type = STD_VIDEO_H264_POC_TYPE_1,
        .offset_for_non_ref_pic = -7,
        .num_ref_frames_in_pic_order_cnt_cycle = 5,
        .pic_width_in_mbs_minus1 = 119,
        .pOffsetForRefFrame = h264_offsets,
        .pScalingLists = &h264_scaling,
        .pSequenceParameterSetVui = &h264_vui,
    },
    {.seq_parameter_set_id = 1, .max_num_ref_frames = 4},
};
static const StdVideoH264PictureParameterSet h264_pps[3] = {
    {.pic_init_qp_minus26 = -3},
    {.flags = {.pic_scaling_matrix_present_flag = 1},
     .pic_parameter_set_id = 1,
     .pScalingLists = &h264_scaling},
    {.pic_parameter_set_id = 2, .second_chroma_qp_index_offset = 5},
};
static const StdVideoDecodeH264PictureInfo h264_picture = {
    .flags = {.is_intra = 1, .is_reference = 1},
    .frame_num = 17,
    .PicOrderCnt = {-34, 35},
};
static const StdVideoDecodeH264ReferenceInfo h264_reference = {.FrameNum = 16, .PicOrderCnt = {32}};

static const StdVideoEncodeH264WeightTable h264_weights = {
    .luma_log2_weight_denom = 3,
    .luma_weight_l0 = {1, -2, 3},
    .chroma_offset_l1 = {[31] = {-4, 5}},
};
static const StdVideoEncodeH264SliceHeader h264_slices[2] = {
    {.first_mb_in_slice = 1,
     .slice_type = STD_VIDEO_H264_SLICE_TYPE_P,
     .pWeightTable = &h264_weights},
    {.first_mb_in_slice = 60, .slice_qp_delta = -6},
};
static const StdVideoEncodeH264RefListModEntry h264_changes[3] = {
    {.abs_diff_pic_num_minus1 = 1}, {.long_term_pic_num = 2}, {.abs_diff_pic_num_minus1 = 3}};
static const StdVideoEncodeH264RefPicMarkingEntry h264_marks[2] = {
    {.difference_of_pic_nums_minus1 = 4}, {.long_term_pic_num = 5}};
static const StdVideoEncodeH264ReferenceListsInfo h264_lists = {
    .RefPicList0 = {3, 2, 1},
    .refList0ModOpCount = 1,
    .refList1ModOpCount = 3,
    .refPicMarkingOpCount = 2,
    .pRefList0ModOperations = h264_changes,
    .pRefList1ModOperations = h264_changes,
    .pRefPicMarkingOperations = h264_marks,
};
static const StdVideoEncodeH264PictureInfo h264_encoded = {
    .frame_num = 90,
    .PicOrderCnt = -180,
    .pRefLists = &h264_lists,
};
static const VkVideoEncodeH264NaluSliceInfoKHR h264_slice_infos[2] = {
    {.sType = VK_STRUCTURE_TYPE_VIDEO_ENCODE_H264_NALU_SLICE_INFO_KHR,
     .constantQp = 25,
     .pStdSliceHeader = &h264_slices[0]},
    {.sType = VK_STRUCTURE_TYPE_VIDEO_ENCODE_H264_NALU_SLICE_INFO_KHR,
     .constantQp = 26,
     .pStdSliceHeader = &h264_slices[1]},
};

/* ---- H.265: the parameter sets have different numbers of sub-layers */

static const StdVideoH265SubLayerHrdParameters h265_layers[4] = {
    {.bit_rate_value_minus1 = {100}, .cbr_flag = 1},
    {.cpb_size_value_minus1 = {[31] = 200}, .cbr_flag = 2},
    {.bit_rate_du_value_minus1 = {300}, .cbr_flag = 3},
    {.cpb_size_du_value_minus1 = {400}, .cbr_flag = 4},
};
static const StdVideoH265HrdParameters h265_hrd = {
    .flags = {.nal_hrd_parameters_present_flag = 1, .vcl_hrd_parameters_present_flag = 1},
    .bit_rate_scale = 5,
    .cpb_cnt_minus1 = {1, 2, 3},
    .pSubLayerHrdParametersNal = h265_layers,
    .pSubLayerHrdParametersVcl = h265_layers + 1,
};
static const StdVideoH265DecPicBufMgr h265_buffers = {.max_latency_increase_plus1 = {1, 2, 3},
                                                      .max_num_reorder_pics = {[6] = 4}};
static const StdVideoH265ProfileTierLevel h265_tier = {
    .flags = {.general_tier_flag = 1},
    .general_profile_idc = STD_VIDEO_H265_PROFILE_IDC_MAIN_10,
    .general_level_idc = STD_VIDEO_H265_LEVEL_IDC_6_2,
};
static const StdVideoH265VideoParameterSet h265_vps = {
    .vps_video_parameter_set_id = 3,
    .vps_max_sub_layers_minus1 = 2,
    .vps_time_scale = 24000,
    .pDecPicBufMgr = &h265_buffers,
    .pHrdParameters = &h265_hrd,
    .pProfileTierLevel = &h265_tier,
};
static const StdVideoH265ScalingLists h265_scaling = {.ScalingList32x32 = {{1, 2}, {[63] = 3}}};
static const StdVideoH265ShortTermRefPicSet h265_sets[4] = {
    {.delta_idx_minus1 = 1},
    {.num_negative_pics = 2, .delta_poc_s0_minus1 = {3, 4}},
    {.flags = {.delta_rps_sign = 1}},
    {.num_positive_pics = 1, .delta_poc_s1_minus1 = {[15] = 5}}};
static const StdVideoH265LongTermRefPicsSps h265_long = {.used_by_curr_pic_lt_sps_flag = 6,
                                                         .lt_ref_pic_poc_lsb_sps = {7, 8}};
static const StdVideoH265PredictorPaletteEntries h265_palette = {
    .PredictorPaletteEntries = {{9, 10}, [2] = {[127] = 11}}};
static const StdVideoH265SequenceParameterSetVui h265_vui = {
    .flags = {.vui_hrd_parameters_present_flag = 1},
    .vui_time_scale = 50,
    .pHrdParameters = &h265_hrd,
};
static const StdVideoH265SequenceParameterSet h265_sps = {
    .flags = {.sps_scaling_list_data_present_flag = 1,
              .long_term_ref_pics_present_flag = 1,
              .vui_parameters_present_flag = 1,
              .sps_palette_predictor_initializers_present_flag = 1},
    .pic_width_in_luma_samples = 3840,
    .sps_max_sub_layers_minus1 = 1,
    .num_short_term_ref_pic_sets = 4,
    .conf_win_bottom_offset = 12,
    .pProfileTierLevel = &h265_tier,
    .pDecPicBufMgr = &h265_buffers,
    .pScalingLists = &h265_scaling,
    .pShortTermRefPicSet = h265_sets,
    .pLongTermRefPicsSps = &h265_long,
    .pSequenceParameterSetVui = &h265_vui,
    .pPredictorPaletteEntries = &h265_palette,
};
static const StdVideoH265PictureParameterSet h265_pps = {
    .flags = {.pps_scaling_list_data_present_flag = 1,
              .pps_palette_predictor_initializers_present_flag = 1},
    .init_qp_minus26 = -9,
    .row_height_minus1 = {1, 2, 3},
    .pScalingLists = &h265_scaling,
    .pPredictorPaletteEntries = &h265_palette,
};
static const StdVideoDecodeH265PictureInfo h265_picture = {
    .flags = {.IrapPicFlag = 1},
    .PicOrderCntVal = 99,
    .RefPicSetStCurrBefore = {1, 2, 0xff},
};
static const StdVideoDecodeH265ReferenceInfo h265_reference = {.PicOrderCntVal = 98};

/* ---- AV1 */

static const StdVideoAV1ColorConfig av1_colours = {.BitDepth = 10, .subsampling_x = 1};
static const StdVideoAV1TimingInfo av1_timing = {.num_units_in_display_tick = 1, .time_scale = 25};
static const StdVideoAV1SequenceHeader av1_header = {
    .flags = {.enable_cdef = 1, .timing_info_present_flag = 1},
    .max_frame_width_minus_1 = 1919,
    .pColorConfig = &av1_colours,
    .pTimingInfo = &av1_timing,
};
static const uint16_t av1_columns[3] = {0, 16, 32}, av1_rows[2] = {0, 9};
static const StdVideoAV1TileInfo av1_tiles = {
    .TileCols = 3,
    .TileRows = 2,
    .pMiColStarts = av1_columns,
    .pMiRowStarts = av1_rows,
    .pWidthInSbsMinus1 = av1_columns,
    .pHeightInSbsMinus1 = av1_rows,
};
static const StdVideoAV1Quantization av1_quantization = {.base_q_idx = 60, .DeltaQVAc = -2};
static const StdVideoAV1Segmentation av1_segments = {.FeatureEnabled = {1},
                                                     .FeatureData = {{-70}, [7] = {[7] = 71}}};
static const StdVideoAV1LoopFilter av1_filter = {.loop_filter_level = {1, 2, 3, 4}};
static const StdVideoAV1CDEF av1_cdef = {.cdef_bits = 2, .cdef_uv_sec_strength = {[7] = 3}};
static const StdVideoAV1LoopRestoration av1_restoration = {.LoopRestorationSize = {64, 32, 16}};
static const StdVideoAV1GlobalMotion av1_motion = {.gm_params = {{1 << 16}, [7] = {[5] = -80}}};
static const StdVideoAV1FilmGrain av1_grain = {.grain_seed = 0xbeef,
                                               .ar_coeffs_cr_plus_128 = {[24] = 1}};
static const StdVideoDecodeAV1PictureInfo av1_picture = {
    .flags = {.UsesLr = 1, .apply_grain = 1},
    .current_frame_id = 123,
    .expectedFrameId = {[7] = 124},
    .pTileInfo = &av1_tiles,
    .pQuantization = &av1_quantization,
    .pSegmentation = &av1_segments,
    .pLoopFilter = &av1_filter,
    .pCDEF = &av1_cdef,
    .pLoopRestoration = &av1_restoration,
    .pGlobalMotion = &av1_motion,
    .pFilmGrain = &av1_grain,
};
static const StdVideoEncodeAV1DecoderModelInfo av1_model = {.num_units_in_decoding_tick = 77};
static const StdVideoEncodeAV1OperatingPointInfo av1_points[3] = {
    {.operating_point_idc = 1}, {.operating_point_idc = 2}, {.decoder_buffer_delay = 3}};
static const StdVideoEncodeAV1ExtensionHeader av1_extension = {.temporal_id = 1, .spatial_id = 2};
static const uint32_t av1_times[3] = {1000, 2000, 3000};
static const StdVideoEncodeAV1PictureInfo av1_encoded = {
    .flags = {.buffer_removal_time_present_flag = 1, .show_frame = 1},
    .frame_presentation_time = 500,
    .ref_frame_idx = {1, -2, 3},
    .pTileInfo = &av1_tiles,
    .pQuantization = &av1_quantization,
    .pLoopFilter = &av1_filter,
    .pExtensionHeader = &av1_extension,
    .pBufferRemovalTimes = av1_times,
};

#endif
