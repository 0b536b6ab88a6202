/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_ICD_DEVICE_H
#define VIADUCT_ICD_DEVICE_H

#include "instance.h"
#include "memo.h"
#include "physical_device.h"
#include "pipeline_layout.h"

/* A queue numbers its batches; the completion page says which are done. */
struct vd_queue {
    struct vd_dispatchable base;
    VkDeviceQueueCreateFlags flags;
    uint32_t family, index;
    uint32_t slot;        /* on the completion page */
    pthread_mutex_t lock; /* numbers are given in the order of the ring */
    uint64_t number;      /* of the last batch submitted, under the lock */
};

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

/* Submits one batch that waits and signals, also fences. *number, if not NULL, receives its number. Any
 * thread. */
VkResult vd_queue_submit_batch(struct vd_queue *queue, const VkSubmitInfo *info,
                               uint32_t fence_count, const VkFence *fences, uint64_t *number);
/* VK_SUCCESS, VK_TIMEOUT or VK_ERROR_DEVICE_LOST. */
VkResult vd_queue_wait(struct vd_queue *queue, uint64_t number, uint64_t timeout_ns);

bool vd_queue_done(const struct vd_queue *queue, uint64_t number);

/* VK_ERROR_DEVICE_LOST once the connection or the host's device is lost, else VK_SUCCESS. */
VkResult vd_device_status(const struct vd_device *device);

#endif
