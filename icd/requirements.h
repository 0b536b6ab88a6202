/* SPDX-License-Identifier: MIT
 *
 * What buffers and images say of the memory that may be bound to them, and memory requirements, in the
 * application's memory types; asked once for all that are created alike.
 */
#ifndef VIADUCT_ICD_REQUIREMENTS_H
#define VIADUCT_ICD_REQUIREMENTS_H

#include "device.h"
#include "memory_types.h"

/* What is wanted of a resource that exists, or of one as it is described. */
struct vdc_requirements_query {
    enum vdc_backing backing;
    struct vdc_memo *memo;
    struct vdc_memo_entry
        *entry; /* of `memo`, for those that are created alike; NULL: ask always */
    void (*ask)(VkDevice device, const void *info, VkMemoryRequirements2 *out);
    const void *info; /* for `ask` */
};

/* Answers from what is remembered, or asks the host. */
void vdc_requirements_get(VkDevice device, const struct vdc_requirements_query *query,
                          VkMemoryRequirements2 *out);

/* For what is bound to memory without being a buffer or an image: the client's memory is not made for
 * it. */
void vdc_requirements_of_host(VkDevice device, VkMemoryRequirements *requirements);

/* What vdc_announce() makes. */
struct vdc_announcement {
    VkExternalMemoryImageCreateInfo external;
    VkBaseOutStructure *copy; /* for free(); NULL: none */
};

/* The specification wants a resource to name the handle types of memory that may be bound to it. Where
 * that is the client's, or has descriptors, the VkExternalMemoryBufferCreateInfo or VkExternalMemoryImageCreateInfo
 * (`type`) in *chain names its handle type and no other; an application's chain is copied. False: no
 * memory, and nothing has changed. */
bool vdc_announce(const struct vdc_device *device, struct vdc_announcement *announcement,
                  enum vdc_backing backing, VkStructureType type, const void **chain);

#endif
