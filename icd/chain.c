/* SPDX-License-Identifier: MIT */
#include "chain.h"

#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "protocol/record.h"

VkBaseOutStructure *vdc_chain_copy(const void *chain)
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
