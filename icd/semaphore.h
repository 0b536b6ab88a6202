/* SPDX-License-Identifier: MIT
 *
 * Semaphores live on the host. The client keeps, of each timeline semaphore, who is going to signal
 * which value: so values and waits are computed from the completion page, without asking.
 */
#ifndef VIADUCT_ICD_SEMAPHORE_H
#define VIADUCT_ICD_SEMAPHORE_H

#include "device.h"

/* Batch `number` of the queue is going to set the semaphore to `value`. Nothing happens for binary
 * semaphores. */
void vd_semaphore_expect(struct vd_instance *instance, VkSemaphore semaphore, uint64_t value,
                         struct vd_queue *queue, uint64_t number);

#endif
