/* SPDX-License-Identifier: MIT */
#include "buffers.h"

#include <pthread.h>
#include <stdlib.h>

#define IDLE_BUFFERS 4
#define IDLE_BYTES   (UINT64_C(32) << 20)

struct vdc_buffers {
    struct vdc_link *link;
    pthread_mutex_t lock;
    struct vdc_shm idle[IDLE_BUFFERS];
    uint32_t idle_count;
    uint64_t idle_bytes;
};

struct vdc_buffers *vdc_buffers_create(struct vdc_link *link)
{
    struct vdc_buffers *buffers = calloc(1, sizeof(*buffers));
    if (buffers) {
        buffers->link = link;
        pthread_mutex_init(&buffers->lock, NULL);
    }
    return buffers;
}

void vdc_buffers_destroy(struct vdc_buffers *buffers)
{
    if (!buffers)
        return;
    for (uint32_t i = 0; i < buffers->idle_count; i++)
        vdc_link_shm_destroy(buffers->link, &buffers->idle[i]);
    if (!vdc_link_forked(buffers->link))
        pthread_mutex_destroy(&buffers->lock);
    free(buffers);
}

VkResult vdc_buffers_take(struct vdc_buffers *buffers, uint64_t size, struct vdc_shm *shm)
{
    pthread_mutex_lock(&buffers->lock);
    for (uint32_t i = 0; i < buffers->idle_count; i++) {
        if (buffers->idle[i].size >= size) {
            *shm = buffers->idle[i];
            buffers->idle[i] = buffers->idle[--buffers->idle_count];
            buffers->idle_bytes -= shm->size;
            pthread_mutex_unlock(&buffers->lock);
            return VK_SUCCESS;
        }
    }
    pthread_mutex_unlock(&buffers->lock);
    const VkResult result = vdc_link_shm_create(buffers->link, size, shm);
    return result == VK_SUCCESS || result == VK_ERROR_DEVICE_LOST ? result
                                                                  : VK_ERROR_OUT_OF_HOST_MEMORY;
}

void vdc_buffers_give(struct vdc_buffers *buffers, struct vdc_shm *shm)
{
    pthread_mutex_lock(&buffers->lock);
    const bool keep =
        buffers->idle_count < IDLE_BUFFERS && shm->size <= IDLE_BYTES - buffers->idle_bytes;
    if (keep) {
        buffers->idle[buffers->idle_count++] = *shm;
        buffers->idle_bytes += shm->size;
    }
    pthread_mutex_unlock(&buffers->lock);
    if (!keep)
        vdc_link_shm_destroy(buffers->link, shm);
    *shm = (struct vdc_shm){.fd = -1};
}
