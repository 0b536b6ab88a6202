/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_ICD_INSTANCE_H
#define VIADUCT_ICD_INSTANCE_H

#include <pthread.h>
#include <stdbool.h>

#include "connection/connection.h"
#include "object.h"
#include "shm_pool.h"

struct vd_displays;
struct vd_physical_device;
struct vd_profile;
struct vd_scratch;

/* An instance owns a connection, and so a worker process on the other side. */
struct vd_instance {
    struct vd_dispatchable base;
    struct vd_connection *connection;
    struct vd_ids *ids;
    struct vd_shm_pool *memory;       /* for VkDeviceMemory and streams */
    uint32_t api_version;             /* what the application asked for */
    bool *extensions;                 /* enabled, by enum vd_extension_index */
    pthread_mutex_t lock;             /* physical devices, scratch, queue slots */
    _Atomic(struct vd_scratch *) hot; /* a buffer for records, taken and given without the lock */
    struct vd_scratch *scratch;       /* more of them */
    unsigned scratch_count;
    struct vd_profile *profile;   /* NULL: nobody asked */
    struct vd_displays *displays; /* of this machine */
    uint64_t queue_slots;         /* bit set: in use on the completion page */
    struct vd_physical_device *physical_devices;
    uint32_t physical_device_count;
    bool enumerated;
};

#endif
