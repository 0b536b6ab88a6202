/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_SERVER_DEVICE_H
#define VIADUCT_SERVER_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "dispatch.h"
#include "semaphore.h"

struct vd_context;
struct vd_instance;
struct vd_physical_device;
struct vd_queue;

/* Queues of one family that the client has asked for. */
struct vd_queue_range {
    VkDeviceQueueCreateFlags flags;
    uint32_t family;
    uint32_t count;
};

struct vd_device {
    VkDevice handle;
    uint32_t index; /* in the object table */
    struct vd_device_dispatch dispatch;
    const struct vd_physical_device *physical_device;
    struct vd_queue_range *ranges;
    uint32_t range_count;
    struct vd_queue *queues;        /* a list */
    struct vd_semaphores leaving;   /* until each queue has finished a batch beyond its mark */
    struct vd_semaphores retired;   /* the next ones */
    struct vd_semaphores signalled; /* by the client; the driver does not know */
    struct vd_device *next;         /* in the instance's list */
};

/* Stops its threads and destroys what the client left behind. What cannot be ended, because a
 * thread does not come back from the driver, is left alone. */
void vd_device_destroy(struct vd_context *context, struct vd_device *device);

/* In place of commands of VK_EXT_debug_utils that the host does not have (debug_utils.c). */
void vd_debug_utils_stub(struct vd_device_dispatch *dispatch);

#endif
