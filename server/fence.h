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

struct vds_context;
struct vds_pending_fence;
struct vds_queue;
struct vds_shm_table;

struct vds_pending_fences {
    pthread_mutex_t lock;
    struct vds_pending_fence *first;
    _Atomic uint32_t count;
    bool lost; /* no batch is finished any more: fences that come now are marked at once */
    struct vds_shm_table *shm;
};

void vds_pending_fences_init(struct vds_pending_fences *fences, struct vds_shm_table *shm);
/* Marks what is left. */
void vds_pending_fences_finish(struct vds_pending_fences *fences);

/* Marks what waits for batches of the queue up to `number`. Any thread. */
void vds_pending_fences_advance(struct vds_pending_fences *fences, const struct vds_queue *queue,
                                uint64_t number);

/* Marks all, and what comes later. Any thread. */
void vds_pending_fences_lose(struct vds_pending_fences *fences);

#endif
