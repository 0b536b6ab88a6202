/* SPDX-License-Identifier: MIT
 *
 * VK_EXT_device_fault and VK_KHR_device_fault. The host's driver answers, also after a loss, as long as the
 * server is there. If the server is what was lost, nothing is known of a fault.
 */
#include <stdio.h>

#include "calls.h"
#include "entrypoints.h"

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetDeviceFaultInfoEXT(VkDevice device,
                                                           VkDeviceFaultCountsEXT *pFaultCounts,
                                                           VkDeviceFaultInfoEXT *pFaultInfo)
{
    /* The arrays do not cross: the driver must not fill them, nor the application read them. */
    VkDeviceFaultCountsEXT none = {.sType = VK_STRUCTURE_TYPE_DEVICE_FAULT_COUNTS_EXT};
    const VkResult result = vdc_call_vkGetDeviceFaultInfoEXT(device, &none, pFaultInfo);
    pFaultCounts->addressInfoCount = 0;
    pFaultCounts->vendorInfoCount = 0;
    pFaultCounts->vendorBinarySize = 0;
    if (result != VK_ERROR_DEVICE_LOST)
        return result;
    if (pFaultInfo)
        snprintf(pFaultInfo->description, sizeof(pFaultInfo->description),
                 "Viaduct's server is gone");
    return VK_SUCCESS;
}

#ifdef VDC_HAS_vkGetDeviceFaultReportsKHR
VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetDeviceFaultReportsKHR(VkDevice device, uint64_t timeout,
                                                              uint32_t *pFaultCounts,
                                                              VkDeviceFaultInfoKHR *pFaultInfo)
{
    const VkResult result =
        vdc_call_vkGetDeviceFaultReportsKHR(device, timeout, pFaultCounts, pFaultInfo);
    if (result != VK_ERROR_DEVICE_LOST)
        return result;
    *pFaultCounts = 0;
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL
vdc_vkGetDeviceFaultDebugInfoKHR(VkDevice device, VkDeviceFaultDebugInfoKHR *pDebugInfo)
{
    const VkResult result = vdc_call_vkGetDeviceFaultDebugInfoKHR(device, pDebugInfo);
    if (result != VK_ERROR_DEVICE_LOST)
        return result;
    pDebugInfo->vendorBinarySize = 0;
    return VK_SUCCESS;
}
#endif
