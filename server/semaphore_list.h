/* SPDX-License-Identifier: MIT
 *
 * Semaphores that wait for something, up to a limit.
 */
#ifndef VIADUCT_SERVER_SEMAPHORE_LIST_H
#define VIADUCT_SERVER_SEMAPHORE_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

/* All zeroes: empty. */
struct vds_semaphore_list {
    VkSemaphore *handles;
    uint32_t count;
};

/* False: the list is full, or there is no memory for it. */
bool vds_semaphore_list_add(struct vds_semaphore_list *list, VkSemaphore semaphore);
/* Takes it out. False: it was not there. */
bool vds_semaphore_list_take(struct vds_semaphore_list *list, VkSemaphore semaphore);
/* Forgets them all. */
void vds_semaphore_list_finish(struct vds_semaphore_list *list);

#endif
