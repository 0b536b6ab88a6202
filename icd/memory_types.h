/* SPDX-License-Identifier: MIT
 *
 * The memory types that the application sees, of those that the host has.
 */
#ifndef VIADUCT_ICD_MEMORY_TYPES_H
#define VIADUCT_ICD_MEMORY_TYPES_H

#include "physical_device.h"

/* Fills pd->memory and pd->memory_types from pd->data: with each type of the host whose flags hold
 * here, too, in the host's order, so that applications decide as they do natively. */
void vdc_memory_types_choose(struct vdc_physical_device *pd);

/* Whose memory may be bound to a resource: the client's is imported by the host. */
enum vdc_backing {
    VDC_BACKING_ANY,
    VDC_BACKING_HOST,
    VDC_BACKING_OWN, /* the host's, too, some of it with descriptors: see vd_physical_device_data */
    VDC_BACKING_CLIENT,
};

/* Whose memory may be bound to a resource that names these external handle types, if the host can
 * import memory for it, or make a descriptor of it. A CPU has one memory: what is shared by opaque descriptor is the client's
 * there, and can be mapped, as the specification demands for buffers and linear images. */
enum vdc_backing vdc_physical_device_backing(const struct vdc_physical_device *pd,
                                             VkExternalMemoryHandleTypeFlags types);

/* What resources are created for, so that such memory can be bound to them. */
VkExternalMemoryHandleTypeFlags vdc_shared_handle_type(const struct vdc_physical_device *pd);

/* What the host can do with such memory for images like this one (VkExternalMemoryFeatureFlags); 0 also where it
 * does not answer. The question has no chain. */
VkExternalMemoryFeatureFlags vdc_image_sharing(struct vdc_physical_device *pd,
                                               const VkPhysicalDeviceImageFormatInfo2 *question);

/* Host memoryTypeBits to the application's. */
uint32_t vdc_memory_bits(const struct vdc_physical_device *pd, uint32_t host_bits,
                         enum vdc_backing backing);

#endif
