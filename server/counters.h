/* SPDX-License-Identifier: MIT
 *
 * What a worker counts of its client, in the page that it shares with the listener (child_page.h). The
 * worker writes (meter.h), the listener reads (stats.h), so that looking costs a client nothing. To the
 * listener each of these is a number that may be wrong, and no more.
 */
#ifndef VIADUCT_SERVER_COUNTERS_H
#define VIADUCT_SERVER_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

/* Calls that take long and are shown at the same time. */
#define VDS_LONG_CALLS_MAX 8

/* A call that is made beside the ring. */
struct vds_long_call {
    _Atomic uint32_t opcode; /* VD_OP_NOP: there is none */
    _Atomic uint64_t since;  /* vd_clock_ns() */
};

struct vds_counters {
    /* Of the records in the ring: how many, and the bytes of them and of what was recorded. As the
     * client's own VIADUCT_DEBUG=stats. */
    _Alignas(64) _Atomic uint64_t calls;
    _Atomic uint64_t bytes;
    _Atomic uint32_t opcode; /* of the record that is being executed; VD_OP_NOP: none is */
    _Atomic uint64_t since;  /* vd_clock_ns() when the ring was last found to hold something */
    struct vds_long_call long_calls[VDS_LONG_CALLS_MAX];

    _Alignas(64) _Atomic uint64_t shared_memory; /* bytes that are mapped */
    _Atomic uint64_t device_memory; /* bytes that are allocated, but for imported ones */

    /* Of all queues. */
    _Alignas(64) _Atomic uint64_t submitted; /* batches */
    _Atomic uint64_t finished;
    _Atomic uint64_t gpu_ns; /* in which a batch was not finished, but for what goes on now */
    _Atomic uint64_t
        gpu_since; /* vd_clock_ns() when the oldest such time began; 0: all are finished */
};

#endif
