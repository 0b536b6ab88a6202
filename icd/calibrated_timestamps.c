/* SPDX-License-Identifier: MIT
 *
 * Timestamps of the host's clocks, as this process's clocks show them.
 */
#include "calls.h"
#include "device.h"
#include "entrypoints.h"

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetCalibratedTimestampsKHR(
    VkDevice handle, uint32_t count, const VkCalibratedTimestampInfoKHR *infos, uint64_t *stamps,
    uint64_t *deviation)
{
    const VkResult result =
        vdc_call_vkGetCalibratedTimestampsKHR(handle, count, infos, stamps, deviation);
    const int64_t ahead = ((struct vdc_device *)handle)->base.instance->nearness.ahead_ns;
    for (uint32_t i = 0; result == VK_SUCCESS && i < count; i++)
        if (infos[i].timeDomain == VK_TIME_DOMAIN_CLOCK_MONOTONIC_KHR ||
            infos[i].timeDomain == VK_TIME_DOMAIN_CLOCK_MONOTONIC_RAW_KHR)
            stamps[i] += (uint64_t)ahead;
    return result;
}
