/* SPDX-License-Identifier: MIT
 *
 * pNext chains belong to the application; what must be changed is copied first.
 */
#ifndef VIADUCT_ICD_CHAIN_H
#define VIADUCT_ICD_CHAIN_H

#include <vulkan/vulkan_core.h>

/* The struct of this type in a chain, or NULL. */
static inline const void *vd_chain_find(const void *chain, VkStructureType type)
{
    const VkBaseInStructure *in = chain;
    while (in && in->sType != type)
        in = in->pNext;
    return in;
}

/* A shallow copy of the structs that we know, in one piece of memory that starts with the first of
 * them, for free(). NULL: there is none, or no memory. */
VkBaseOutStructure *vd_chain_copy(const void *chain);

#endif
