/* SPDX-License-Identifier: MIT
 *
 * The worker's hand on its counters (counters.h).
 */
#ifndef VIADUCT_SERVER_METER_H
#define VIADUCT_SERVER_METER_H

#include <pthread.h>
#include <stdint.h>

#include "counters.h"

struct vds_meter {
    struct vds_counters *counters;
    struct vds_counters own; /* where nobody else looks */
    pthread_mutex_t lock;    /* around what counts batches, and the choice of a long call's place */
};

/* `counters` outlives it; NULL: nobody looks. */
void vds_meter_init(struct vds_meter *meter, struct vds_counters *counters);
void vds_meter_finish(struct vds_meter *meter);

/* ---- By the thread that has the turn */

/* The ring holds something. */
void vds_meter_resume(struct vds_meter *meter);

static inline void vds_meter_bytes(struct vds_meter *meter, uint64_t bytes)
{
    struct vds_counters *counters = meter->counters;
    const uint64_t sum = atomic_load_explicit(&counters->bytes, memory_order_relaxed) + bytes;
    atomic_store_explicit(&counters->bytes, sum, memory_order_relaxed);
}

static inline void vds_meter_begin(struct vds_meter *meter, uint32_t opcode, uint32_t bytes)
{
    struct vds_counters *counters = meter->counters;
    const uint64_t calls = atomic_load_explicit(&counters->calls, memory_order_relaxed) + 1;
    atomic_store_explicit(&counters->calls, calls, memory_order_relaxed);
    atomic_store_explicit(&counters->opcode, opcode, memory_order_relaxed);
    vds_meter_bytes(meter, bytes);
}

static inline void vds_meter_end(struct vds_meter *meter)
{
    atomic_store_explicit(&meter->counters->opcode, 0, memory_order_relaxed);
}

/* ---- By any thread */

/* A call goes on beside the ring, from now on. Returns its place, or -1: it is not shown. */
int vds_meter_long_call(struct vds_meter *meter, uint32_t opcode);
void vds_meter_long_call_end(struct vds_meter *meter, int place);

/* Allocated bytes; those that are freed come as what makes the sum less. */
static inline void vds_meter_device_memory(struct vds_meter *meter, uint64_t bytes)
{
    atomic_fetch_add_explicit(&meter->counters->device_memory, bytes, memory_order_relaxed);
}

void vds_meter_submitted(struct vds_meter *meter, uint64_t batches);
/* Also of those that will never finish. */
void vds_meter_finished(struct vds_meter *meter, uint64_t batches);

#endif
