/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_ICD_UNDEDICATE_H
#define VIADUCT_ICD_UNDEDICATE_H

#include <vulkan/vulkan_core.h>

struct vdc_undedicated {
    VkMemoryAllocateFlagsInfo flags;
    VkMemoryOpaqueCaptureAddressAllocateInfo address;
    VkMemoryPriorityAllocateInfoEXT priority;
};

/* A dedicated allocation has exactly its resource's size, but whole pages are what can be imported.
 * The dedication is only a hint, so where the sizes differ the chain goes on without it. Nor is it the
 * host's business with whom the client shares its memory. */
const void *vdc_undedicate(struct vdc_undedicated *copy, const void *chain);

#endif
