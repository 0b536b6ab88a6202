/* SPDX-License-Identifier: MIT
 *
 * pNext chains belong to the application; what must be changed is copied first.
 */
#ifndef VIADUCT_ICD_CHAIN_H
#define VIADUCT_ICD_CHAIN_H

#include <vulkan/vulkan_core.h>

#include "common/chain.h"

/* A shallow copy of the structs that we know, in one piece of memory that starts with the first of
 * them, for free(). NULL: there is none, or no memory. */
VkBaseOutStructure *vd_chain_copy(const void *chain);

/* What vd_chain_announce() makes. */
struct vd_announcement {
    VkExternalMemoryImageCreateInfo external;
    VkBaseOutStructure *copy; /* for free() */
};

/* The chain of a resource, where its VkExternalMemoryBufferCreateInfo or
 * VkExternalMemoryImageCreateInfo (`type`) names the handle type of the client's memory and no other,
 * for that is what will be bound to it. NULL: no memory. */
const void *vd_chain_announce(struct vd_announcement *announcement, const void *chain,
                              VkStructureType type);

#endif
