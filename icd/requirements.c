/* SPDX-License-Identifier: MIT */
#include "requirements.h"

bool vd_requirements_fill(const struct vd_requirements *requirements, VkMemoryRequirements2 *out)
{
    for (VkBaseOutStructure *link = out->pNext; link; link = link->pNext)
        if (link->sType != VK_STRUCTURE_TYPE_MEMORY_DEDICATED_REQUIREMENTS)
            return false;
    out->memoryRequirements = requirements->memory;
    for (VkBaseOutStructure *link = out->pNext; link; link = link->pNext) {
        VkMemoryDedicatedRequirements *dedicated = (VkMemoryDedicatedRequirements *)link;
        dedicated->prefersDedicatedAllocation = requirements->prefers_dedicated;
        dedicated->requiresDedicatedAllocation = requirements->requires_dedicated;
    }
    return true;
}
