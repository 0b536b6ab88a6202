/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_ICD_DEVICE_H
#define VIADUCT_ICD_DEVICE_H

#include "descriptor_cache.h"
#include "instance.h"
#include "memo.h"
#include "physical_device.h"
#include "recordings.h"

struct vdc_queue;

struct vdc_device {
    struct vdc_dispatchable base;
    struct vdc_physical_device *physical_device;
    uint32_t api_version; /* min(instance, device) */
    bool *extensions;     /* enabled, by enum vd_extension_index */
    bool is_sparse;       /* sparse resources may be bound to its memory */
    struct vdc_queue *queues;
    uint32_t queue_count;
    struct vdc_memo buffers, images; /* requirements, by what they were created with */
    struct vdc_descriptor_cache descriptors;
    struct vdc_recordings recordings;
};

/* VK_ERROR_DEVICE_LOST once the connection or the host's device is lost, else VK_SUCCESS. */
static inline VkResult vdc_device_status(const struct vdc_device *device)
{
    return vdc_connection_lost(device->base.instance->connection) ? VK_ERROR_DEVICE_LOST
                                                                  : VK_SUCCESS;
}

#endif
