/* SPDX-License-Identifier: MIT
 *
 * The completion pages: what has finished on each queue, written by the worker, read by the client
 * without asking.
 */
#ifndef VIADUCT_PROTOCOL_COMPLETION_H
#define VIADUCT_PROTOCOL_COMPLETION_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VD_QUEUE_MAX 1023

/* Every batch of vkQueueSubmit, vkQueueSubmit2 and vkQueueBindSparse takes the next number of its
 * queue, starting at 1; a call without batches takes one number. Both ends count alike. */
struct vd_completion_queue {
    /* Number of the last finished batch. Stored with release by the worker; the client loads with
     * acquire. */
    _Alignas(64) _Atomic uint64_t done;
};

struct vd_completion {
    /* 0, or 1 once the host's device is lost or the context is dead (client's watcher, worker). */
    _Alignas(64) _Atomic uint32_t lost;
    /* Changes whenever somebody who waits for anything must look again: a futex word. */
    _Atomic uint32_t event;
    /* Threads that wait on `event`; nobody is woken when it is 0. */
    _Atomic uint32_t waiters;
    /* What the worker's CLOCK_MONOTONIC is ahead of its kernel's own, for it may be in a time namespace.
     * Written before the first answer. 0: the worker does not say. */
    uint32_t monotonic_known;
    int64_t monotonic_ahead_ns;
    /* As many as there is room for in the region. */
    struct vd_completion_queue queues[VD_QUEUE_MAX];
};
static_assert(sizeof(struct vd_completion) == 65536, "completion page is wire format");
static_assert(offsetof(struct vd_completion, queues) == 64, "completion page is wire format");

/* Announces a change that was stored before. True: `event` must be woken. seq_cst, for a waiter does
 * the opposite: it counts itself and reads `event`, and then looks whether it must wait at all. */
static inline bool vd_completion_changed(struct vd_completion *page)
{
    atomic_fetch_add(&page->event, 1);
    return atomic_load(&page->waiters) != 0;
}

#endif
