/* SPDX-License-Identifier: MIT
 *
 * Waiting for the GPU: for what the completion page, or other words that are shared, say.
 * Thread-safe.
 */
#ifndef VIADUCT_ICD_CONNECTION_WAITER_H
#define VIADUCT_ICD_CONNECTION_WAITER_H

#include "link.h"

struct vdc_waiter;

/* NULL without memory. */
struct vdc_waiter *vdc_waiter_create(struct vdc_link *link);
/* NULL is fine. */
void vdc_waiter_destroy(struct vdc_waiter *waiter);
/* The server is gone, and the link says so: whoever waits wakes up. */
void vdc_waiter_lose(struct vdc_waiter *waiter);

/* Waits until ready(data), looking again after each change on the completion page and after each
 * vdc_waiter_changed(). VK_SUCCESS, VK_TIMEOUT, VK_ERROR_DEVICE_LOST. timeout_ns 0 only looks,
 * UINT64_MAX waits for ever. Spins for a short time before it sleeps. */
VkResult vdc_wait_until(struct vdc_waiter *waiter, bool (*ready)(const void *data),
                        const void *data, uint64_t timeout_ns);
/* The same where ready() also looks at words that others than this connection's server change.
 * words() writes up to `capacity` of them, with what they hold while there is reason to sleep, and
 * returns how many there are; ready() is asked once more after it. */
VkResult vdc_wait_words(struct vdc_waiter *waiter, bool (*ready)(const void *data),
                        uint32_t (*words)(const void *data, struct vdc_futex_word *words,
                                          uint32_t capacity),
                        const void *data, uint64_t timeout_ns);
/* Something that a ready() looks at has changed on this side. */
void vdc_waiter_changed(struct vdc_waiter *waiter);

/* A point in time: when a batch is done. Whoever waits for it needs to know no queue. */
struct vdc_point {
    uint32_t slot;   /* of the queue, on the completion page */
    uint64_t number; /* of the batch; the first one is 1, and 0 has always been done */
};

/* Whether it has come. Acquire: what the host wrote is visible. */
bool vdc_point_done(const struct vdc_waiter *waiter, struct vdc_point point);
/* Waits until it has. */
VkResult vdc_wait_point(struct vdc_waiter *waiter, struct vdc_point point, uint64_t timeout_ns);

/* How many waits did not find what they waited for, and how long they took. */
void vdc_waiter_stats(const struct vdc_waiter *waiter, uint64_t *waits, uint64_t *wait_ns);

#endif
