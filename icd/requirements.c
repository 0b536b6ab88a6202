/* SPDX-License-Identifier: MIT */
#include "requirements.h"

#include <assert.h>

#include "chain.h"

/* What is remembered: an answer to everything that a chain of this struct alone asks. */
struct requirements {
    VkMemoryRequirements memory;
    VkBool32 prefers_dedicated, requires_dedicated;
};

static bool is_remembered(const VkBaseOutStructure *chain)
{
    while (chain && chain->sType == VK_STRUCTURE_TYPE_MEMORY_DEDICATED_REQUIREMENTS)
        chain = chain->pNext;
    return !chain;
}

/* The host's memory types become the application's. */
static void translate(VkDevice device, enum vd_backing backing, VkMemoryRequirements *requirements)
{
    const struct vd_physical_device *pd = ((struct vd_device *)device)->physical_device;
    requirements->memoryTypeBits = vd_memory_bits(pd, requirements->memoryTypeBits, backing);
}

void vd_requirements_of_host(VkDevice device, VkMemoryRequirements *requirements)
{
    translate(device, VD_BACKING_HOST, requirements);
}

static void ask(VkDevice device, const struct vd_requirements_query *query,
                VkMemoryRequirements2 *out)
{
    query->ask(device, query->info, out);
    translate(device, query->backing, &out->memoryRequirements);
}

void vd_requirements_get(VkDevice device, const struct vd_requirements_query *query,
                         VkMemoryRequirements2 *out)
{
    if (!query->entry || !is_remembered(out->pNext)) {
        ask(device, query, out);
        return;
    }
    struct requirements known;
    if (!vd_memo_get(query->entry, &known, sizeof(known))) {
        VkMemoryDedicatedRequirements dedicated = {
            .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_REQUIREMENTS,
        };
        VkMemoryRequirements2 answer = {
            .sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2,
            .pNext = &dedicated,
        };
        ask(device, query, &answer);
        known =
            (struct requirements){answer.memoryRequirements, dedicated.prefersDedicatedAllocation,
                                  dedicated.requiresDedicatedAllocation};
        /* A lost device knows nothing. */
        if (vd_device_status((struct vd_device *)device) == VK_SUCCESS)
            vd_memo_put(query->memo, query->entry, &known, sizeof(known));
    }
    out->memoryRequirements = known.memory;
    for (VkBaseOutStructure *link = out->pNext; link; link = link->pNext) {
        VkMemoryDedicatedRequirements *dedicated = (VkMemoryDedicatedRequirements *)link;
        dedicated->prefersDedicatedAllocation = known.prefers_dedicated;
        dedicated->requiresDedicatedAllocation = known.requires_dedicated;
    }
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
