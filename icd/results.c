/* SPDX-License-Identifier: MIT */
#include "results.h"

#include <stdbool.h>
#include <string.h>

static bool is_end(VkResult listed)
{
    return listed == VK_SUCCESS || listed == VK_ERROR_UNKNOWN;
}

static bool lists(const VkResult *list, VkResult result)
{
    while (!is_end(*list) && *list != result)
        list++;
    return *list == result;
}

VkResult vdc_listed_result(VkResult result, const VkResult *list)
{
    /* From what says most of it to what says least. A device that is lost is of no use any more, and
     * neither is memory that has run out. Nothing else says of success or a state that it is one. */
    static const VkResult lost[] = {
        VK_ERROR_DEVICE_LOST,           VK_ERROR_OUT_OF_HOST_MEMORY, VK_ERROR_OUT_OF_DEVICE_MEMORY,
        VK_ERROR_INITIALIZATION_FAILED, VK_ERROR_SURFACE_LOST_KHR,   VK_SUCCESS,
    };
    static const VkResult failed[] = {
        VK_ERROR_OUT_OF_HOST_MEMORY,
        VK_ERROR_OUT_OF_DEVICE_MEMORY,
        VK_ERROR_TOO_MANY_OBJECTS,
        VK_ERROR_INITIALIZATION_FAILED,
        VK_ERROR_DEVICE_LOST,
        VK_ERROR_SURFACE_LOST_KHR,
        VK_SUCCESS,
    };
    static const VkResult none[] = {VK_SUCCESS};
    if (result == VK_ERROR_UNKNOWN || result == VK_ERROR_VALIDATION_FAILED_EXT ||
        lists(list, result))
        return result;
    const VkResult *next = result > 0 ? none : result == VK_ERROR_DEVICE_LOST ? lost : failed;
    while (*next != VK_SUCCESS && !lists(list, *next))
        next++;
    if (*next != VK_SUCCESS)
        return *next;
    while (!is_end(*list))
        list++;
    return result > 0 ? VK_ERROR_UNKNOWN : *list;
}

void vdc_zero_chain(void *first)
{
    for (VkBaseOutStructure *link = first; link; link = link->pNext) {
        const size_t size = vdc_output_size(link->sType);
        if (size > sizeof(*link))
            memset(link + 1, 0, size - sizeof(*link));
    }
}
