/* SPDX-License-Identifier: MIT
 *
 * The control ring: one producer (the client, under its lock), one consumer (a thread of the
 * worker). Free-running byte counters; a record never wraps: the producer fills the end of the
 * data area with VD_OP_NOP.
 */
#ifndef VIADUCT_PROTOCOL_RING_H
#define VIADUCT_PROTOCOL_RING_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define VD_RING_DATA_OFFSET 4096u
#define VD_RING_DATA_SIZE   (1u << 20) /* bytes, a power of two */
/* A larger record travels through VD_OP_INDIRECT. */
#define VD_RING_RECORD_MAX (VD_RING_DATA_SIZE / 4)

struct vd_ring {
    /* Bytes ever produced. Stored with release by the producer; the consumer loads with acquire. */
    _Alignas(64) _Atomic uint64_t tail;
    /* Bytes ever copied out. Stored with release by the consumer once per batch; the producer
     * loads with acquire before it overwrites. Does not pass a VD_OP_INDIRECT or VD_OP_STREAM
     * before the server is also done with the shared memory that the record names. */
    _Alignas(64) _Atomic uint64_t head;
    /* 1 while the consumer sleeps or is about to: it stores 1, looks at tail once more, then
     * waits. The producer publishes tail, then exchanges this with 0 and wakes if it was 1. Both
     * sides use seq_cst, for this is Dekker's pattern. */
    _Alignas(64) _Atomic uint32_t consumer_sleeps;
    /* The same for a producer that found the ring full and waits for head. */
    _Alignas(64) _Atomic uint32_t producer_sleeps;
};
static_assert(offsetof(struct vd_ring, head) == 64, "ring is wire format");
static_assert(offsetof(struct vd_ring, consumer_sleeps) == 128, "ring is wire format");
static_assert(offsetof(struct vd_ring, producer_sleeps) == 192, "ring is wire format");
static_assert(sizeof(struct vd_ring) <= VD_RING_DATA_OFFSET, "ring header fits its page");

#endif
