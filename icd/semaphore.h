/* SPDX-License-Identifier: MIT
 *
 * Semaphores live on the host. The client keeps, of each timeline semaphore, who is going to signal
 * which value: so values and waits are computed from the completion page, without asking. Not of
 * those that are shared by descriptor, which others signal, too.
 */
#ifndef VIADUCT_ICD_SEMAPHORE_H
#define VIADUCT_ICD_SEMAPHORE_H

#include "connection/waiter.h"

struct vdc_instance;

/* At this point the semaphore is going to be set to `value`. Nothing happens for semaphores that the
 * host is asked about. */
void vdc_semaphore_expect(struct vdc_instance *instance, VkSemaphore semaphore, uint64_t value,
                          struct vdc_point point);
/* Whether others may wait for it by way of the host. */
bool vdc_semaphore_is_shared(struct vdc_instance *instance, VkSemaphore semaphore);

#endif
