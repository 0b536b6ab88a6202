/* SPDX-License-Identifier: MIT */
#include "semaphore_list.h"

#include <stdlib.h>

/* More that are to be destroyed are worth a wait for all queues; more that are signalled, a
 * submission. */
#define SEMAPHORES_MAX 256

bool vds_semaphore_list_add(struct vds_semaphore_list *list, VkSemaphore semaphore)
{
    if (!list->handles)
        list->handles = calloc(SEMAPHORES_MAX, sizeof(*list->handles));
    if (!list->handles || list->count == SEMAPHORES_MAX)
        return false;
    list->handles[list->count++] = semaphore;
    return true;
}

bool vds_semaphore_list_take(struct vds_semaphore_list *list, VkSemaphore semaphore)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->handles[i] == semaphore) {
            list->handles[i] = list->handles[--list->count];
            return true;
        }
    }
    return false;
}

void vds_semaphore_list_finish(struct vds_semaphore_list *list)
{
    free(list->handles);
    *list = (struct vds_semaphore_list){0};
}
