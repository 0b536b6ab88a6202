/* SPDX-License-Identifier: MIT
 *
 * Video coding is forwarded by generated code, but for one length that no struct tells: an AV1 picture
 * has a buffer removal time for each operating point of its session parameters.
 */
#include "calls.h"
#include "chain.h"
#include "command_buffer.h"
#include "entrypoints.h"
#include "instance.h"

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkCreateVideoSessionParametersKHR(
    VkDevice device, const VkVideoSessionParametersCreateInfoKHR *pCreateInfo,
    const VkAllocationCallbacks *pAllocator, VkVideoSessionParametersKHR *pVideoSessionParameters)
{
    const VkResult result = vdc_call_vkCreateVideoSessionParametersKHR(
        device, pCreateInfo, pAllocator, pVideoSessionParameters);
    const VkVideoEncodeAV1SessionParametersCreateInfoKHR *av1 = vd_chain_find(
        pCreateInfo->pNext, VK_STRUCTURE_TYPE_VIDEO_ENCODE_AV1_SESSION_PARAMETERS_CREATE_INFO_KHR);
    /* The number itself stands where others have a pointer. */
    if (result == VK_SUCCESS && av1)
        vdc_id_set_object(vdc_instance_of(device), (uint64_t)*pVideoSessionParameters,
                          (void *)(uintptr_t)av1->stdOperatingPointCount);
    return result;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkCmdBeginVideoCodingKHR(VkCommandBuffer commandBuffer,
                                                        const VkVideoBeginCodingInfoKHR *pBeginInfo)
{
    struct vdc_command_buffer *cb = (struct vdc_command_buffer *)commandBuffer;
    cb->operating_points = (uint32_t)(uintptr_t)vdc_id_object(
        cb->base.instance, (uint64_t)pBeginInfo->videoSessionParameters);
    vdc_call_vkCmdBeginVideoCodingKHR(commandBuffer, pBeginInfo);
}

uint64_t vdc_buffer_removal_times_size(const struct vdc_encoder *e)
{
    const struct vdc_command_buffer *cb =
        (const void *)((const char *)e - offsetof(struct vdc_command_buffer, encoder));
    return cb->operating_points * sizeof(uint32_t);
}
