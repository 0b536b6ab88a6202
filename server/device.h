/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_SERVER_DEVICE_H
#define VIADUCT_SERVER_DEVICE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device_limits.h"
#include "dispatch.h"
#include "semaphore_list.h"

struct vds_context;
struct vds_instance;
struct vds_physical_device;
struct vds_queue;

/* Queues of one family that the client has asked for. */
struct vds_queue_range {
    VkDeviceQueueCreateFlags flags;
    uint32_t family;
    uint32_t count;
};

struct vds_device {
    struct vds_limits limits; /* first: to decoding a device is no more than this */
    VkDevice handle;
    uint32_t index; /* in the object table */
    struct vds_device_dispatch dispatch;
    const struct vds_physical_device *physical_device;
    struct vds_queue_range *ranges;
    uint32_t range_count;
    struct vds_queue *queues;            /* a list */
    bool tells_faults;                   /* VK_EXT_device_fault is enabled */
    bool submitted;                      /* something, to one of them */
    struct vds_semaphore_list leaving;   /* until each queue has finished a batch beyond its mark */
    struct vds_semaphore_list retired;   /* the next ones */
    struct vds_semaphore_list signalled; /* by the client; the driver does not know */
    struct vds_device *next;             /* in the instance's list */
};

static_assert(offsetof(struct vds_device, limits) == 0, "see vds_dec_first()");

/* Stops its threads and destroys what the client left behind. What cannot be ended, because a
 * thread does not come back from the driver, is left alone. */
void vds_device_destroy(struct vds_context *context, struct vds_device *device);

/* In place of commands of VK_EXT_debug_utils that the host does not have (debug_utils.c). */
void vds_debug_utils_stub(struct vds_device_dispatch *dispatch);

#endif
