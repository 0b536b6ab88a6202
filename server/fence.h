/* SPDX-License-Identifier: MIT
 *
 * Fences that the client shares with others: words in shared memory, to be marked when a queue has
 * finished a batch. Others sleep on these words, so each one is marked in the end, whatever happens to
 * the batch.
 */
#ifndef VIADUCT_SERVER_FENCE_H
#define VIADUCT_SERVER_FENCE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct vd_context;
struct vd_pending_fence;
struct vd_queue;
struct vd_shm_table;

struct vd_pending_fences {
    pthread_mutex_t lock;
    struct vd_pending_fence *first;
    _Atomic uint32_t count;
    bool lost; /* no batch is finished any more: fences that come now are marked at once */
    struct vd_shm_table *shm;
};

void vd_pending_fences_init(struct vd_pending_fences *fences, struct vd_shm_table *shm);
/* Marks what is left. */
void vd_pending_fences_finish(struct vd_pending_fences *fences);

/* Marks what waits for batches of the queue up to `number`. Any thread. */
void vd_pending_fences_advance(struct vd_pending_fences *fences, const struct vd_queue *queue,
                               uint64_t number);

/* Marks all, and what comes later. Any thread. */
void vd_pending_fences_lose(struct vd_pending_fences *fences);

#endif
