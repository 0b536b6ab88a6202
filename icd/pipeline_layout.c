/* SPDX-License-Identifier: MIT */
#include "calls.h"
#include "device.h"
#include "entrypoints.h"

VKAPI_ATTR void VKAPI_CALL vdc_vkDestroyPipelineLayout(VkDevice device, VkPipelineLayout layout,
                                                       const VkAllocationCallbacks *pAllocator)
{
    if (!layout || !vdc_recordings_put_off(&((struct vdc_device *)device)->recordings, layout))
        vdc_call_vkDestroyPipelineLayout(device, layout, pAllocator);
}
