/* SPDX-License-Identifier: MIT
 *
 * A physical device, about which everything is known from the start.
 */
#ifndef VIADUCT_ICD_PHYSICAL_DEVICE_H
#define VIADUCT_ICD_PHYSICAL_DEVICE_H

#include "memo.h"
#include "object.h"
#include "protocol/physical_device.h"

/* A memory type that the application sees. */
struct vdc_memory_type {
    uint32_t host_index; /* of the host's type */
    bool imported;       /* host-visible: the client's memory, imported by the host */
    bool own; /* host-visible: the host's memory, of which the client maps a descriptor */
    /* Imported, and no other type beside it: resources can have it, or the driver's own of it. */
    bool sole;
    /* An imported type without host access, for what cannot be bound to that: sparse resources,
     * SwiftShader's optimal images, what is exported. */
    bool spare;
};

struct vdc_physical_device {
    struct vdc_dispatchable base;
    const struct vd_physical_device_data *data; /* as the server sent it */
    uint8_t *blob;                              /* owns data, shared by all devices */
    VkPhysicalDeviceProperties properties;      /* with our names */
    VkPhysicalDeviceFeatures features;
    uint32_t *extensions; /* revision offered, by enum vd_extension_index; 0: none */
    uint32_t extension_count;
    VkPhysicalDeviceMemoryProperties memory; /* what the application sees */
    struct vdc_memory_type memory_types[VK_MAX_MEMORY_TYPES];
    struct vdc_memo formats, image_formats; /* VkFormatProperties, VkImageFormatProperties */
    struct vdc_memo shareable_images;       /* whether they are */
};

/* The one to ask: this one, or where its connection is lost the same one of another connection, which is
 * made now. Where there is none, this one, whose connection is lost. */
struct vdc_physical_device *vdc_physical_device_living(struct vdc_physical_device *pd);
/* Whether there is none. */
bool vdc_physical_device_is_lost(struct vdc_physical_device *pd);

/* A struct of the data fetched at start, by its sType, without sType and pNext; NULL if unknown. */
const void *vdc_physical_device_property(const struct vdc_physical_device *pd, VkStructureType type,
                                         uint32_t *size);
const void *vdc_physical_device_feature(const struct vdc_physical_device *pd, VkStructureType type,
                                        uint32_t *size);

#endif
