/* SPDX-License-Identifier: MIT
 *
 * What a device says of itself that decoding looks at.
 */
#ifndef VIADUCT_SERVER_DEVICE_LIMITS_H
#define VIADUCT_SERVER_DEVICE_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

struct vds_limits {
    VkPhysicalDeviceLimits core;
    /* The driver runs on the CPU: what it addresses is this process's memory. */
    bool cpu;
    /* Such a driver that takes the pages of a file and nothing that stands in them. */
    bool plain_files;
    /* Bytes of a shader group's handles, 0 where there are none. */
    uint32_t group_handle, group_capture;
    VkPhysicalDeviceDescriptorBufferPropertiesEXT descriptors; /* zero where there are none */
    /* Bytes of opaque capture data. */
    uint64_t tensor_capture, tensor_view_capture;
};

/* Of what belongs to no device, or to one whose creation failed: everything goes, for nothing of it
 * reaches a driver. */
extern const struct vds_limits vds_no_limits;

#endif
