/* SPDX-License-Identifier: MIT */
#include "calls.h"
#include "device.h"
#include "entrypoints.h"

VKAPI_ATTR void VKAPI_CALL vd_vkDestroyPipelineLayout(VkDevice device, VkPipelineLayout layout,
                                                      const VkAllocationCallbacks *pAllocator)
{
    if (!layout || !vdc_recordings_put_off(&((struct vd_device *)device)->recordings, layout))
        vd_call_vkDestroyPipelineLayout(device, layout, pAllocator);
}
