/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_SERVER_GPU_CHOICE_H
#define VIADUCT_SERVER_GPU_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

/* What a physical device can be called by. */
struct vds_gpu_identity {
    uint32_t number; /* in the order of vkEnumeratePhysicalDevices */
    char name[VK_MAX_PHYSICAL_DEVICE_NAME_SIZE];
    uint8_t uuid[VK_UUID_SIZE];
    bool on_pci;
    uint32_t domain, bus, device, function; /* where on_pci */
};

/* Whether this is a device that --gpu means by `wanted`: its number, its deviceUUID (32 hexadecimal
 * digits, dashes between them as one likes), its PCI address (0000:03:00.0 or 03:00.0), or a part of
 * its name, in upper or lower case. NULL means all. */
bool vds_gpu_is_wanted(const char *wanted, const struct vds_gpu_identity *identity);

/* Whether a render node may be that device's. Before a driver is loaded only a PCI address tells: any other name
 * means that it may. `folder` says what nodes belong to, as /sys/class/drm does. */
bool vds_gpu_may_be_node(const char *wanted, const char *folder, const char *node);

#endif
