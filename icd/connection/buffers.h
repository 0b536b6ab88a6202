/* SPDX-License-Identifier: MIT
 *
 * Large buffers: shared memory that is used once, for a record or an answer that fits nowhere else,
 * and kept for the next use. Thread-safe.
 */
#ifndef VIADUCT_ICD_CONNECTION_BUFFERS_H
#define VIADUCT_ICD_CONNECTION_BUFFERS_H

#include "link.h"

struct vdc_buffers;

/* NULL without memory. */
struct vdc_buffers *vdc_buffers_create(struct vdc_link *link);
/* NULL is fine. */
void vdc_buffers_destroy(struct vdc_buffers *buffers);

/* At least `size` bytes, not zeroed. VK_ERROR_DEVICE_LOST or VK_ERROR_OUT_OF_HOST_MEMORY. */
VkResult vdc_buffers_take(struct vdc_buffers *buffers, uint64_t size, struct vdc_shm *shm);
/* What the server neither reads nor writes any more. */
void vdc_buffers_give(struct vdc_buffers *buffers, struct vdc_shm *shm);

#endif
