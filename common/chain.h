/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_COMMON_CHAIN_H
#define VIADUCT_COMMON_CHAIN_H

#include <vulkan/vulkan_core.h>

/* The first struct of this type in a pNext chain, or NULL. */
static inline const void *vd_chain_find(const void *chain, VkStructureType type)
{
    const VkBaseInStructure *in = chain;
    while (in && in->sType != type)
        in = in->pNext;
    return in;
}

#endif
