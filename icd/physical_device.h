/* SPDX-License-Identifier: MIT
 *
 * Everything about a physical device is fetched in one round trip and kept.
 */
#ifndef VIADUCT_ICD_PHYSICAL_DEVICE_H
#define VIADUCT_ICD_PHYSICAL_DEVICE_H

#include "instance.h"
#include "memo.h"
#include "protocol/physical_device.h"

/* A memory type that the application sees. */
struct vd_memory_type {
    uint32_t host_index; /* of the host's type */
    bool imported;       /* host-visible: the client's memory, imported by the host */
};

struct vd_physical_device {
    struct vd_dispatchable base;
    const struct vd_physical_device_data *data; /* as the server sent it */
    uint8_t *blob;                              /* owns data, shared by all devices */
    VkPhysicalDeviceProperties properties;      /* with our names */
    VkPhysicalDeviceFeatures features;
    uint32_t *extensions; /* revision offered, by enum vd_extension_index; 0: none */
    uint32_t extension_count;
    VkPhysicalDeviceMemoryProperties memory; /* what the application sees */
    struct vd_memory_type memory_types[VK_MAX_MEMORY_TYPES];
    struct vd_memo formats, image_formats; /* VkFormatProperties, VkImageFormatProperties */
    struct vd_memo importable_images;      /* whether they are */
};

/* Fills instance->physical_devices, once. */
VkResult vd_physical_devices_fetch(struct vd_instance *instance);
void vd_physical_devices_finish(struct vd_instance *instance);

/* A struct of the data fetched at start, by its sType, without sType and pNext; NULL if unknown. */
const void *vd_physical_device_property(const struct vd_physical_device *pd, VkStructureType type,
                                        uint32_t *size);
const void *vd_physical_device_feature(const struct vd_physical_device *pd, VkStructureType type,
                                       uint32_t *size);

/* Host memoryTypeBits to the application's. `importable`: the resource was created so that
 * imported memory may be bound to it. */
uint32_t vd_memory_bits(const struct vd_physical_device *pd, uint32_t host_bits, bool importable);

#endif
