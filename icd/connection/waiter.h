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
                        uint32_t (*words)(const void *data, struct vd_futex_word *words,
                                          uint32_t capacity),
                        const void *data, uint64_t timeout_ns);
/* Something that a ready() looks at has changed on this side. */
void vdc_waiter_changed(struct vdc_waiter *waiter);

/* Whether batch `number` is done on the queue with this slot. Acquire: what the host wrote is
 * visible. */
bool vdc_batch_done(const struct vdc_waiter *waiter, uint32_t slot, uint64_t number);
/* Waits until it is. */
VkResult vdc_wait_batch(struct vdc_waiter *waiter, uint32_t slot, uint64_t number,
                        uint64_t timeout_ns);

/* How many waits did not find what they waited for, and how long they took. */
void vdc_waiter_stats(const struct vdc_waiter *waiter, uint64_t *waits, uint64_t *wait_ns);

#endif
