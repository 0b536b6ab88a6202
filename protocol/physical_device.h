/* SPDX-License-Identifier: MIT
 *
 * What VD_OP_GET_PHYSICAL_DEVICES answers: everything about every physical device, once.
 */
#ifndef VIADUCT_PROTOCOL_PHYSICAL_DEVICE_H
#define VIADUCT_PROTOCOL_PHYSICAL_DEVICE_H

#include <assert.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

#include "wire.h"

/* Arguments: up to id_count devices get the ids that follow. */
struct vd_get_physical_devices {
    uint32_t id_count;
    uint32_t capacity; /* bytes of output area */
    /* uint64_t ids[id_count] follows. */
};
static_assert(sizeof(struct vd_get_physical_devices) == 8, "wire format");

/* The answer's first bytes. Where `size` exceeds the capacity, only these were written. Behind the last
 * device, if all are there, follow texts, each ending with a 0 byte, and padding: why the host has devices
 * that are not offered. They are for people. */
struct vd_physical_devices {
    uint32_t count;
    uint32_t size; /* bytes of the whole answer */
};
static_assert(sizeof(struct vd_physical_devices) == 8, "wire format");

/* One device; the next one begins `size` bytes further. Offsets count from this struct's start and
 * are multiples of 8. */
struct vd_physical_device_data {
    uint32_t size;
    uint32_t own_types;  /* host memory types that are shared by descriptor, as memoryTypeBits */
    uint32_t importable; /* host memory types that shared memory is imported to, the same */
    uint32_t import_alignment; /* of such memory's offsets and sizes, 0: none can be imported */
    uint32_t extension_count, extensions;        /* VkExtensionProperties */
    uint32_t queue_family_count, queue_families; /* VkQueueFamilyProperties */
    uint32_t features, features_size;            /* struct vd_chain_entry, one after another */
    uint32_t properties, properties_size;        /* the same */
    VD_WIRE(VkPhysicalDeviceMemoryProperties) memory;
    uint32_t handle_type; /* VkExternalMemoryHandleTypeFlagBits of either kind of memory */
    VkPhysicalDeviceFeatures core_features;
    uint32_t own_start; /* where such memory begins in what the descriptor is of */
    /* Of `importable` those of which the client can have the driver's own memory as well: GET_MEMORY_FILE
     * tells the file that it is in. Older servers have anything here: it counts only from those whose capset
     * has the bit of that record. */
    uint32_t file_types;
    VD_WIRE(VkPhysicalDeviceProperties) core_properties;
};
static_assert(sizeof(struct vd_physical_device_data) == 1624, "wire format");

/* A struct that extends VkPhysicalDeviceFeatures2 or VkPhysicalDeviceProperties2; its bytes after
 * sType and pNext follow, padded to a multiple of 8. */
struct vd_chain_entry {
    uint32_t type; /* VkStructureType */
    uint32_t size; /* bytes that follow, unpadded */
};
static_assert(sizeof(struct vd_chain_entry) == 8, "wire format");

#endif
