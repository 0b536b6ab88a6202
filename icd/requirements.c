/* SPDX-License-Identifier: MIT */
#include "requirements.h"

#include <assert.h>

#include "chain.h"

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

void vd_requirements_translate(VkDevice device, enum vd_backing backing,
                               VkMemoryRequirements *requirements)
{
    const struct vd_physical_device *pd = ((struct vd_device *)device)->physical_device;
    requirements->memoryTypeBits = vd_memory_bits(pd, requirements->memoryTypeBits, backing);
}

bool vd_announce(struct vd_announcement *announcement, enum vd_backing backing,
                 VkStructureType type, const void **chain)
{
    /* The two structs differ in name only. */
    static_assert(sizeof(VkExternalMemoryImageCreateInfo) ==
                      sizeof(VkExternalMemoryBufferCreateInfo),
                  "one stands for the other");
    announcement->copy = NULL;
    if (backing == VD_BACKING_HOST)
        return true;
    announcement->external = (VkExternalMemoryImageCreateInfo){
        .sType = type,
        .pNext = *chain,
        .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
    };
    if (!vd_chain_find(*chain, type)) {
        *chain = &announcement->external;
        return true;
    }
    announcement->copy = vd_chain_copy(*chain);
    VkExternalMemoryImageCreateInfo *copy = (void *)vd_chain_find(announcement->copy, type);
    if (!copy)
        return false;
    copy->handleTypes = announcement->external.handleTypes;
    *chain = announcement->copy;
    return true;
}
