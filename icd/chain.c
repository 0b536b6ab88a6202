/* SPDX-License-Identifier: MIT */
#include "chain.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "protocol/record.h"

VkBaseOutStructure *vd_chain_copy(const void *chain)
{
    size_t size = 0;
    for (const VkBaseInStructure *in = chain; in; in = in->pNext)
        size += vd_align(vd_stype_size(in->sType));
    uint8_t *at = size ? malloc(size) : NULL;
    VkBaseOutStructure *first = NULL, **next = &first;
    for (const VkBaseInStructure *in = chain; at && in; in = in->pNext) {
        const uint32_t bytes = vd_stype_size(in->sType);
        if (!bytes)
            continue;
        VkBaseOutStructure *copy = memcpy(at, in, bytes);
        copy->pNext = NULL;
        *next = copy;
        next = &copy->pNext;
        at += vd_align(bytes);
    }
    return first;
}

const void *vd_chain_announce(struct vd_announcement *announcement, const void *chain,
                              VkStructureType type)
{
    /* The two structs differ in name only. */
    static_assert(sizeof(VkExternalMemoryImageCreateInfo) ==
                      sizeof(VkExternalMemoryBufferCreateInfo),
                  "one stands for the other");
    const VkExternalMemoryImageCreateInfo *given = vd_chain_find(chain, type);
    *announcement = (struct vd_announcement){
        .external =
            {
                .sType = type,
                .pNext = chain,
                .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
            },
    };
    if (!given)
        return &announcement->external;
    announcement->copy = vd_chain_copy(chain);
    VkExternalMemoryImageCreateInfo *copy = (void *)vd_chain_find(announcement->copy, type);
    if (copy)
        copy->handleTypes = announcement->external.handleTypes;
    return announcement->copy;
}
