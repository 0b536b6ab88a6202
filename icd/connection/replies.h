/* SPDX-License-Identifier: MIT
 *
 * Space for answers in shared memory, and waiting for them. Small answers come from slots that are
 * used again, large ones get a buffer of their own. Thread-safe.
 */
#ifndef VIADUCT_ICD_CONNECTION_REPLIES_H
#define VIADUCT_ICD_CONNECTION_REPLIES_H

#include "link.h"
#include "protocol/record.h"

struct vdc_buffers;
struct vdc_replies;

/* NULL without memory. */
struct vdc_replies *vdc_replies_create(struct vdc_link *link, struct vdc_buffers *buffers);
/* NULL is fine. */
void vdc_replies_destroy(struct vdc_replies *replies);
/* The server is gone, and the link says so: whoever waits for an answer wakes up. */
void vdc_replies_lose(struct vdc_replies *replies);

/* Space for one answer. */
struct vdc_reply_space {
    struct vd_reply *reply; /* cleared, pending */
    uint32_t shm;
    uint32_t offset;
    uint32_t capacity;    /* bytes behind the struct vd_reply */
    uint32_t slot;        /* private */
    struct vdc_shm large; /* private; id 0: none */
};

/* For an answer of `size` bytes behind the struct vd_reply. VK_ERROR_DEVICE_LOST,
 * VK_ERROR_OUT_OF_HOST_MEMORY. */
VkResult vdc_reply_begin(struct vdc_replies *replies, uint64_t size, struct vdc_reply_space *space);
/* The same, also where the device is lost and the server still answers. */
VkResult vdc_reply_begin_anyway(struct vdc_replies *replies, uint64_t size,
                                struct vdc_reply_space *space);
/* Waits until the answer is there: spins briefly, then sleeps. VK_SUCCESS or VK_ERROR_DEVICE_LOST.
 * Acquire: what the server wrote is visible. */
VkResult vdc_reply_wait(struct vdc_replies *replies, struct vdc_reply_space *space);
void vdc_reply_end(struct vdc_replies *replies, struct vdc_reply_space *space);

/* How many answers were waited for. */
uint64_t vdc_replies_count(const struct vdc_replies *replies);

#endif
