/* SPDX-License-Identifier: MIT
 *
 * The producer's end of the control ring (protocol/ring.h). Thread-safe; records of one thread stay
 * in order.
 */
#ifndef VIADUCT_ICD_CONNECTION_RING_H
#define VIADUCT_ICD_CONNECTION_RING_H

#include "link.h"
#include "protocol/record.h"

struct vdc_ring_stage;
struct vdc_buffers;
struct vdc_ring;

/* Errors as vdc_link_shm_create, and VK_ERROR_OUT_OF_HOST_MEMORY. */
VkResult vdc_ring_create(struct vdc_link *link, struct vdc_buffers *buffers,
                         struct vdc_ring **ring);
/* NULL is fine. What is still on its way may be lost. */
void vdc_ring_destroy(struct vdc_ring *ring);
/* The region that the server is told of. */
uint32_t vdc_ring_shm(const struct vdc_ring *ring);
/* The server is gone, and the link says so: whoever waits for space wakes up. */
void vdc_ring_lose(struct vdc_ring *ring);

/* Copies a complete record into the ring and wakes the server if it sleeps. Records larger than
 * VD_RING_RECORD_MAX go through shared memory. Blocks while the ring is full. VK_ERROR_DEVICE_LOST
 * when the connection is lost, VK_ERROR_OUT_OF_HOST_MEMORY when there is no memory for a large
 * record.
 * *position, if not NULL, receives the ring position after the record: once vdc_ring_consumed() has
 * passed it the server has copied the record and, for VD_OP_STREAM, is done with the chunks that it
 * names. */
VkResult vdc_ring_send(struct vdc_ring *ring, const void *record, uint64_t *position);
/* The same, also where the device is lost and the server still reads. Only as long as there is room. */
VkResult vdc_ring_send_anyway(struct vdc_ring *ring, const void *record, uint64_t *position);
/* Sends a small record that nobody waits for; it may go with the next one that is sent at once. */
VkResult vdc_ring_post(struct vdc_ring *ring, const struct vd_record *record);
uint64_t vdc_ring_consumed(const struct vdc_ring *ring);

/* Instead of a copy: where a record may be written in the ring itself, and how large it may be, at
 * least 1 KiB. Nobody else can send before vdc_ring_write_end by the same thread. NULL: there is no
 * room just now, or the connection is lost; vdc_ring_send it. */
uint8_t *vdc_ring_write_begin(struct vdc_ring *ring, uint32_t *capacity);
/* The record there is complete; size 0: there is none. Not `now`: it may wait until the next record
 * that is sent at once, or until there are enough of them. */
void vdc_ring_write_end(struct vdc_ring *ring, uint32_t size, bool now);
/* Where `size` bytes, at most 4 KiB, are appended to a record whose body begins with `head` and goes on
 * with such pieces. Nothing else is done with the ring before vdc_ring_append_end by the same thread. The
 * server sees it no later than the next record, of whatever thread. Takes no lock where one thread appends
 * and others do not. NULL: there is no room just now, or the connection is lost; vdc_ring_send it. */
struct vdc_ring_piece {
    struct vdc_ring_stage *stage; /* NULL: it is in the ring, whose lock is held */
    uint32_t size;
};

uint8_t *vdc_ring_append_begin(struct vdc_ring *ring, uint16_t opcode, uint64_t head, uint32_t size,
                               struct vdc_ring_piece *piece);
void vdc_ring_append_end(struct vdc_ring *ring, const struct vdc_ring_piece *piece);

/* Adds what travelled elsewhere, in stream chunks. */
void vdc_ring_count(struct vdc_ring *ring, uint64_t calls, uint64_t bytes);
/* Records, and their bytes, so far. */
void vdc_ring_stats(const struct vdc_ring *ring, uint64_t *calls, uint64_t *bytes);

#endif
