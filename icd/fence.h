/* SPDX-License-Identifier: MIT
 *
 * A fence is a point: it is signalled once the completion page has reached that. Nothing of it exists
 * on the server. One that is shared by descriptor has a payload (fence_payload.h) in place of these.
 */
#ifndef VIADUCT_ICD_FENCE_H
#define VIADUCT_ICD_FENCE_H

#include "connection/waiter.h"

struct vdc_instance;

/* The fence will be signalled at this point; number 0: now. NULL is fine. */
void vdc_fence_attach(struct vdc_instance *instance, VkFence fence, struct vdc_point point);

/* Whether it has a payload that others see. NULL has none. */
bool vdc_fence_is_shared(VkFence fence);

/* Before batch `number` of the queue with this id, which signals the fence, is sent: the server marks a
 * shared fence before it says that the batch is done, and so has to know of it first. Nothing happens
 * to other fences. */
void vdc_fence_expect(VkFence fence, uint64_t queue, uint64_t number);
/* The batch could not be submitted. True: the server has been told so. */
bool vdc_fence_withdraw(VkFence fence, uint64_t queue);

#endif
