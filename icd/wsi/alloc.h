/* SPDX-License-Identifier: MIT
 *
 * Memory of objects that the application may want to allocate itself.
 */
#ifndef VIADUCT_ICD_WSI_ALLOC_H
#define VIADUCT_ICD_WSI_ALLOC_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <vulkan/vulkan_core.h>

/* Zeroed. NULL when there is no memory. */
static inline void *vdc_wsi_alloc(const VkAllocationCallbacks *allocator, size_t size)
{
    if (!allocator)
        return calloc(1, size);
    void *memory = allocator->pfnAllocation(allocator->pUserData, size, _Alignof(max_align_t),
                                            VK_SYSTEM_ALLOCATION_SCOPE_OBJECT);
    return memory ? memset(memory, 0, size) : NULL;
}

static inline void vdc_wsi_free(const VkAllocationCallbacks *allocator, void *memory)
{
    if (!allocator)
        free(memory);
    else if (memory)
        allocator->pfnFree(allocator->pUserData, memory);
}

#endif
