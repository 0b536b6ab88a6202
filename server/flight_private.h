/* SPDX-License-Identifier: MIT
 *
 * What is recorded (flight.c), for whoever reports it (flight_report.c).
 */
#ifndef VIADUCT_SERVER_FLIGHT_PRIVATE_H
#define VIADUCT_SERVER_FLIGHT_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "protocol/completion.h"

struct vds_object_table;

#define VDS_FLIGHT_BATCHES         32
#define VDS_FLIGHT_COMMAND_BUFFERS 8 /* of a batch; more are only counted */
#define VDS_FLIGHT_NAME            64
#define VDS_FLIGHT_NAMES           4096 /* a power of two */

/* Written while others may read, who make sense of what they find or do not. */
struct vds_flight_batch {
    _Atomic uint64_t number; /* 0: none */
    _Atomic uint32_t slot, count;
    _Atomic uint64_t command_buffers[VDS_FLIGHT_COMMAND_BUFFERS];
};

/* The name holds for an object that was there when it was given: another one may have its handle later. */
struct vds_flight_named {
    uint64_t handle;
    uint32_t type; /* 0: none */
    uint32_t births;
    char name[VDS_FLIGHT_NAME];
};

/* Where the name of an object is, or would be. Under the lock. */
struct vds_flight_named *vds_flight_place(struct vds_flight_named *names, uint32_t type,
                                          uint64_t handle);

struct vds_flight {
    struct vds_object_table *objects;
    _Atomic uint64_t tape_bytes; /* of all command buffers */
    struct vds_flight_batch batches[VDS_FLIGHT_BATCHES];
    _Atomic uint32_t next_batch;
    _Atomic uint64_t finished[VD_QUEUE_MAX];

    pthread_mutex_t lock;           /* of which tape a command buffer has, and of names */
    struct vds_flight_named *names; /* NULL: none was given */
};

#endif
