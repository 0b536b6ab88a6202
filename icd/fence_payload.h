/* SPDX-License-Identifier: MIT
 *
 * The payload of a fence that others share by descriptor: a file that they all map. One belongs to
 * one fence, which may be created with it, or borrow it for a while.
 */
#ifndef VIADUCT_ICD_FENCE_PAYLOAD_H
#define VIADUCT_ICD_FENCE_PAYLOAD_H

#include "connection/connection.h"

struct vdc_fence_payload;

VkResult vdc_fence_payload_create(struct vdc_connection *connection, bool signaled,
                                  struct vdc_fence_payload **payload);
/* VK_ERROR_INVALID_EXTERNAL_HANDLE for what vdc_fence_payload_export has not made. Owns the descriptor
 * on success. */
VkResult vdc_fence_payload_import(struct vdc_connection *connection, int fd,
                                  struct vdc_fence_payload **payload);
/* NULL is fine. */
void vdc_fence_payload_destroy(struct vdc_fence_payload *payload);
/* A new descriptor, the caller's to close; -1: there is none left. */
int vdc_fence_payload_export(const struct vdc_fence_payload *payload);

bool vdc_fence_payload_is_signaled(const struct vdc_fence_payload *payload);
void vdc_fence_payload_reset(struct vdc_fence_payload *payload);
void vdc_fence_payload_signal(struct vdc_fence_payload *payload);
/* The first: it is going to be signalled when batch `number` of the queue with this id is done, and
 * that batch comes next. The second: it is not, because the batch could not be submitted. */
void vdc_fence_payload_expect(struct vdc_fence_payload *payload, uint64_t queue, uint64_t number);
void vdc_fence_payload_withdraw(struct vdc_fence_payload *payload, uint64_t queue);

/* What to sleep on while it is not signalled; whoever signals it is told to wake. */
struct vdc_futex_word vdc_fence_payload_await(struct vdc_fence_payload *payload);

#endif
