/* SPDX-License-Identifier: MIT
 *
 * Descriptors of memory that the host's driver has made.
 */
#ifndef VIADUCT_ICD_MEMORY_DESCRIPTOR_H
#define VIADUCT_ICD_MEMORY_DESCRIPTOR_H

#include "device.h"

/* In place of a handle type: the driver keeps the memory in a file that it gives nobody a descriptor of, and the
 * server finds it. */
#define VDC_MEMORY_IS_FOUND ((VkExternalMemoryHandleTypeFlags)1 << 31)

/* A descriptor, the caller's to close. */
VkResult vdc_memory_fetch_fd(VkDevice device, const VkMemoryGetFdInfoKHR *info, int *fd);

/* Maps bytes of the memory that the descriptor is of, at `place` unless that is NULL; the caller's to
 * unmap. NULL, with a line in the log: it can not be mapped. */
void *vdc_memory_map_fd(const struct vdc_physical_device *pd,
                        VkExternalMemoryHandleTypeFlags handle_type, int fd, uint64_t offset,
                        uint64_t size, void *place);

/* Both, without keeping the descriptor. */
void *vdc_memory_fetch_and_map(VkDevice device, VkDeviceMemory handle,
                               VkExternalMemoryHandleTypeFlags type, uint64_t offset, uint64_t size,
                               void *place);

/* Allocates memory that is what `import` has; `info` names the host's memory type. The descriptor stays the
 * caller's. */
VkResult vdc_memory_import_fd(VkDevice device, VkMemoryAllocateInfo *info,
                              const VkImportMemoryFdInfoKHR *import, VkDeviceMemory *memory);

#endif
