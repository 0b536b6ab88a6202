/* SPDX-License-Identifier: MIT
 *
 * The device's end of a split virtqueue, with indirect descriptors and event index.
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_VIRTQUEUE_H
#define VIADUCT_SERVER_VIRTIO_GPU_VIRTQUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_ring.h>

#include "guest_memory.h"

#define VG_QUEUE_SIZE_MAX 1024u

struct vg_queue {
    /* As the frontend said, in its own addresses. */
    uint32_t size;
    uint64_t desc_user, avail_user, used_user;
    int kick, call; /* eventfds, -1: none */
    bool enabled, started;
    bool event_index;

    /* Where that is mapped; NULL: not yet, or no longer. */
    struct vring_desc *desc;
    struct vring_avail *avail;
    struct vring_used *used;

    uint16_t next_avail; /* the next entry of avail to look at */
    uint16_t next_used;
    uint16_t signalled; /* next_used when the guest was last told */
    bool broken;        /* by the guest; until it starts the queue again */
};

/* A request: what the guest wrote, and where an answer goes. */
struct vg_chain {
    uint16_t head;
    bool malformed; /* answer with nothing */
    struct vg_segment *segments;
    uint32_t out_count, in_count; /* first those to read, then those to write */
    uint64_t out_size, in_size;
};

void vg_queue_init(struct vg_queue *queue);
void vg_queue_finish(struct vg_queue *queue);

/* Finds the rings in the guest's memory, after that or their addresses changed. */
void vg_queue_map(struct vg_queue *queue, const struct vg_memory *memory);
/* Whether it can be used. */
bool vg_queue_ready(const struct vg_queue *queue);

/* The next request, whose segments are the caller's to free(). False: none. */
bool vg_queue_pop(struct vg_queue *queue, const struct vg_memory *memory, struct vg_chain *chain);
/* Asks for a kick when something comes. False: something has come, look again. */
bool vg_queue_rest(struct vg_queue *queue);
/* Hands a request back to the guest with `written` bytes of answer. */
void vg_queue_push(struct vg_queue *queue, uint16_t head, uint32_t written);
/* Interrupts the guest, if it wants that, for what has been pushed. */
void vg_queue_notify(struct vg_queue *queue);

#endif
