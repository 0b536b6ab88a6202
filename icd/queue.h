/* SPDX-License-Identifier: MIT
 *
 * A queue numbers its batches; the completion page says which are done.
 */
#ifndef VIADUCT_ICD_QUEUE_H
#define VIADUCT_ICD_QUEUE_H

#include <pthread.h>

#include "connection/waiter.h"
#include "object.h"

struct vdc_queue {
    struct vdc_dispatchable base;
    VkDeviceQueueCreateFlags flags;
    uint32_t family, index;
    uint32_t slot;        /* on the completion page */
    pthread_mutex_t lock; /* numbers are given in the order of the ring */
    uint64_t number;      /* of the last batch submitted, under the lock */
};

/* The queue of this index, of those that `info` asks for. */
VkResult vdc_queue_init(struct vdc_queue *queue, struct vdc_device *device,
                        const VkDeviceQueueCreateInfo *info, uint32_t index);
void vdc_queue_finish(struct vdc_queue *queue);

/* Submits one batch that waits and signals, also fences. *point, if not NULL, becomes its end. Any
 * thread. */
VkResult vdc_queue_submit_batch(struct vdc_queue *queue, const VkSubmitInfo *info,
                                uint32_t fence_count, const VkFence *fences,
                                struct vdc_point *point);
/* Signals a binary semaphore, as an acquired image does; `queue` is of its device. */
VkResult vdc_queue_signal(struct vdc_queue *queue, VkSemaphore semaphore);

#endif
