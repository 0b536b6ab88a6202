/* SPDX-License-Identifier: MIT
 *
 * A fence is a queue and the number of a batch: it is signalled once the completion page has
 * reached the number. Nothing of it exists on the server. One that is shared by descriptor has a
 * payload (fence_payload.h) in place of these.
 */
#ifndef VIADUCT_ICD_FENCE_H
#define VIADUCT_ICD_FENCE_H

#include "device.h"

/* The fence will be signalled when batch `number` of `queue` is done; a NULL queue: now. */
void vd_fence_attach(struct vd_instance *instance, VkFence fence, struct vd_queue *queue,
                     uint64_t number);

/* The server must know of a shared fence before it is told of the batch that signals it, for nobody
 * may see that done and the fence not. Nothing happens to other fences. */
void vd_fence_expect(VkFence fence, struct vd_queue *queue, uint64_t number);
/* The batch could not be submitted. True: the server has been told so. */
bool vd_fence_withdraw(VkFence fence, struct vd_queue *queue);

#endif
