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
    bool spare;          /* an imported type without host access, for what cannot be bound to that:
                            sparse resources, SwiftShader's optimal images, what is exported */
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
void vdc_physical_devices_finish(struct vd_instance *instance);

/* A struct of the data fetched at start, by its sType, without sType and pNext; NULL if unknown. */
const void *vd_physical_device_property(const struct vd_physical_device *pd, VkStructureType type,
                                        uint32_t *size);
const void *vd_physical_device_feature(const struct vd_physical_device *pd, VkStructureType type,
                                       uint32_t *size);

/* Whose memory may be bound to a resource: the client's is imported by the host. */
enum vd_backing {
    VD_BACKING_ANY,
    VD_BACKING_HOST,
    VD_BACKING_CLIENT,
};

/* That of a resource which names these external handle types and which the host can import memory
 * for. A CPU has one memory, so that what is shared by opaque descriptor is the client's there, and
 * can be mapped, as the specification promises of buffers and linear images. */
enum vd_backing vd_physical_device_backing(const struct vd_physical_device *pd,
                                           VkExternalMemoryHandleTypeFlags types);

/* Host memoryTypeBits to the application's. */
uint32_t vd_memory_bits(const struct vd_physical_device *pd, uint32_t host_bits,
                        enum vd_backing backing);

#endif
