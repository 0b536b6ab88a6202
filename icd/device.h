/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_ICD_DEVICE_H
#define VIADUCT_ICD_DEVICE_H

#include "instance.h"
#include "memo.h"
#include "physical_device.h"
#include "recordings.h"

struct vd_queue;

struct vd_device {
    struct vd_dispatchable base;
    struct vd_physical_device *physical_device;
    uint32_t api_version; /* min(instance, device) */
    bool *extensions;     /* enabled, by enum vd_extension_index */
    struct vd_queue *queues;
    uint32_t queue_count;
    struct vd_private_data *private_data;
    struct vd_memo buffers, images; /* requirements, by what they were created with */
    struct vd_recordings recordings;
};

/* VK_ERROR_DEVICE_LOST once the connection or the host's device is lost, else VK_SUCCESS. */
static inline VkResult vd_device_status(const struct vd_device *device)
{
    return vd_connection_lost(device->base.instance->connection) ? VK_ERROR_DEVICE_LOST
                                                                 : VK_SUCCESS;
}

#endif
