/* SPDX-License-Identifier: MIT
 *
 * The payload of a fence that others share by descriptor: a file that they all map. One belongs to
 * one fence, which may be created with it, or borrow it for a while.
 */
#ifndef VIADUCT_ICD_FENCE_PAYLOAD_H
#define VIADUCT_ICD_FENCE_PAYLOAD_H

#include "connection/connection.h"

struct vd_fence_payload;

VkResult vd_fence_payload_create(struct vd_connection *connection, bool signaled,
                                 struct vd_fence_payload **payload);
/* VK_ERROR_INVALID_EXTERNAL_HANDLE for what vd_fence_payload_export has not made. Owns the descriptor
 * on success. */
VkResult vd_fence_payload_import(struct vd_connection *connection, int fd,
                                 struct vd_fence_payload **payload);
/* NULL is fine. */
void vd_fence_payload_destroy(struct vd_fence_payload *payload);
/* A new descriptor, the caller's to close; -1: there is none left. */
int vd_fence_payload_export(const struct vd_fence_payload *payload);

bool vd_fence_payload_is_signaled(const struct vd_fence_payload *payload);
void vd_fence_payload_reset(struct vd_fence_payload *payload);
void vd_fence_payload_signal(struct vd_fence_payload *payload);
/* The first: it is going to be signalled when batch `number` of the queue with this id is done, and
 * that batch comes next. The second: it is not, because the batch could not be submitted. */
void vd_fence_payload_expect(struct vd_fence_payload *payload, uint64_t queue, uint64_t number);
void vd_fence_payload_withdraw(struct vd_fence_payload *payload, uint64_t queue);

/* What to sleep on while it is not signalled; whoever signals it is told to wake. */
struct vd_futex_word vd_fence_payload_await(struct vd_fence_payload *payload);

#endif
