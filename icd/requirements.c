/* SPDX-License-Identifier: MIT */
#include "requirements.h"

#include <assert.h>

#include "chain.h"
#include "memory_types.h"

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
static void translate(VkDevice device, enum vdc_backing backing, VkMemoryRequirements *requirements)
{
    const struct vdc_physical_device *pd = ((struct vdc_device *)device)->physical_device;
    requirements->memoryTypeBits = vdc_memory_bits(pd, requirements->memoryTypeBits, backing);
}

void vdc_requirements_of_host(VkDevice device, VkMemoryRequirements *requirements)
{
    translate(device, VDC_BACKING_HOST, requirements);
}

static void ask(VkDevice device, const struct vdc_requirements_query *query,
                VkMemoryRequirements2 *out)
{
    query->ask(device, query->info, out);
    translate(device, query->backing, &out->memoryRequirements);
}

void vdc_requirements_get(VkDevice device, const struct vdc_requirements_query *query,
                          VkMemoryRequirements2 *out)
{
    if (!query->entry || !is_remembered(out->pNext)) {
        ask(device, query, out);
        return;
    }
    struct requirements known;
    if (!vdc_memo_get(query->entry, &known, sizeof(known))) {
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
        /* Nobody knows what something needs whose creation failed, or on a lost device. */
        if (known.memory.size && vdc_device_status((struct vdc_device *)device) == VK_SUCCESS)
            vdc_memo_put(query->memo, query->entry, &known, sizeof(known));
    }
    out->memoryRequirements = known.memory;
    for (VkBaseOutStructure *link = out->pNext; link; link = link->pNext) {
        VkMemoryDedicatedRequirements *dedicated = (VkMemoryDedicatedRequirements *)link;
        dedicated->prefersDedicatedAllocation = known.prefers_dedicated;
        dedicated->requiresDedicatedAllocation = known.requires_dedicated;
    }
}

bool vdc_announce(const struct vdc_device *device, struct vdc_announcement *announcement,
                  enum vdc_backing backing, VkStructureType type, const void **chain)
{
    /* The two structs differ in name only. */
    static_assert(sizeof(VkExternalMemoryImageCreateInfo) ==
                      sizeof(VkExternalMemoryBufferCreateInfo),
                  "one stands for the other");
    announcement->copy = NULL;
    if (backing == VDC_BACKING_HOST)
        return true;
    const struct vdc_physical_device *pd = device->physical_device;
    announcement->external = (VkExternalMemoryImageCreateInfo){
        .sType = type,
        .pNext = *chain,
        .handleTypes = vdc_shared_handle_type(pd),
    };
    if (!vd_chain_find(*chain, type)) {
        *chain = &announcement->external;
        return true;
    }
    announcement->copy = vdc_chain_copy(*chain);
    VkExternalMemoryImageCreateInfo *copy = (void *)vd_chain_find(announcement->copy, type);
    if (!copy)
        return false;
    copy->handleTypes = announcement->external.handleTypes;
    *chain = announcement->copy;
    return true;
}
