/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_ICD_DEVICE_MEMORY_H
#define VIADUCT_ICD_DEVICE_MEMORY_H

#include "device.h"

/* The shared memory behind host-visible memory, NULL for memory that only the host has. Owned by
 * the VkDeviceMemory. */
const struct vdc_shm_part *vdc_device_memory_part(struct vdc_device *device, VkDeviceMemory memory);

/* Whether somebody may need what is freed with it at once: it is large, the application's pages, a file's, or
 * memory is scarce. Else the client goes on before the server has freed it. Who gets the same pages next
 * tells the server of it behind that, in the same ring. */
bool vdc_device_memory_is_missed(struct vdc_device *device, VkDeviceMemory memory);

/* In the chain of VkMemoryAllocateInfo, of the driver's own calls: where the memory is a file's, others are
 * given it, a window system above all. */
extern const VkBaseInStructure vdc_shown_memory;
/* And the file has nothing else in it. */
extern const VkBaseInStructure vdc_own_file;

#endif
