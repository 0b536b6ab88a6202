/* SPDX-License-Identifier: MIT
 *
 * What buffers and images say of the memory that may be bound to them, and memory requirements, in the
 * application's memory types; asked once for all that are created alike.
 */
#ifndef VIADUCT_ICD_REQUIREMENTS_H
#define VIADUCT_ICD_REQUIREMENTS_H

#include "device.h"
#include "physical_device.h"

struct vd_requirements {
    VkMemoryRequirements memory;
    VkBool32 prefers_dedicated, requires_dedicated;
};

/* Gives what is known to a chain that can be answered from it. False: somebody else must answer. */
bool vd_requirements_fill(const struct vd_requirements *requirements, VkMemoryRequirements2 *out);

/* Host memoryTypeBits to the application's. */
void vd_requirements_translate(VkDevice device, enum vd_backing backing,
                               VkMemoryRequirements *requirements);

/* What vd_announce() makes. */
struct vd_announcement {
    VkExternalMemoryImageCreateInfo external;
    VkBaseOutStructure *copy; /* for free(); NULL: none */
};

/* The specification wants a resource to name the handle types of memory that may be bound to it. Where
 * that is the client's, the VkExternalMemoryBufferCreateInfo or VkExternalMemoryImageCreateInfo
 * (`type`) in *chain names its handle type and no other; an application's chain is copied. False: no
 * memory, and nothing has changed. */
bool vd_announce(struct vd_announcement *announcement, enum vd_backing backing,
                 VkStructureType type, const void **chain);

#endif
