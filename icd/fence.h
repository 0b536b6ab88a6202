/* SPDX-License-Identifier: MIT
 *
 * A fence is a queue and the number of a batch: it is signalled once the completion page has
 * reached the number. Nothing of it exists on the server.
 */
#ifndef VIADUCT_ICD_FENCE_H
#define VIADUCT_ICD_FENCE_H

#include "device.h"

struct vd_fence;

/* The fence will be signalled when batch `number` of `queue` is done; a NULL queue: now. */
void vd_fence_attach(struct vd_instance *instance, VkFence fence, struct vd_queue *queue,
                     uint64_t number);

#endif
