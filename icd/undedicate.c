/* SPDX-License-Identifier: MIT */
#include "undedicate.h"

#include <stddef.h>

const void *vdc_undedicate(struct vdc_undedicated *copy, const void *chain)
{
    const void *head = NULL;
    for (const VkBaseInStructure *in = chain; in; in = in->pNext) {
        switch ((int)in->sType) {
        case VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO:
            copy->flags = *(const VkMemoryAllocateFlagsInfo *)in;
            copy->flags.pNext = head;
            head = &copy->flags;
            break;
        case VK_STRUCTURE_TYPE_MEMORY_OPAQUE_CAPTURE_ADDRESS_ALLOCATE_INFO:
            copy->address = *(const VkMemoryOpaqueCaptureAddressAllocateInfo *)in;
            copy->address.pNext = head;
            head = &copy->address;
            break;
        case VK_STRUCTURE_TYPE_MEMORY_PRIORITY_ALLOCATE_INFO_EXT:
            copy->priority = *(const VkMemoryPriorityAllocateInfoEXT *)in;
            copy->priority.pNext = head;
            head = &copy->priority;
            break;
        }
    }
    return head;
}
