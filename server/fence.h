/* SPDX-License-Identifier: MIT
 *
 * Fences that the client shares with others: words in shared memory, to be marked when a queue has
 * finished a batch. Others sleep on these words, so each one is marked in the end, whatever happens to
 * the batch.
 */
#ifndef VIADUCT_SERVER_FENCE_H
#define VIADUCT_SERVER_FENCE_H

#include <stdint.h>

struct vds_context;
struct vds_pending_fences;
struct vds_queue;
struct vds_shm_table;

/* `shm` outlives it. NULL: no memory. */
struct vds_pending_fences *vds_pending_fences_create(struct vds_shm_table *shm);
/* Marks what is left. NULL is fine. */
void vds_pending_fences_destroy(struct vds_pending_fences *fences);

/* Marks what waits for batches of the queue up to `number`. Any thread. */
void vds_pending_fences_advance(struct vds_pending_fences *fences, const struct vds_queue *queue,
                                uint64_t number);

/* Marks all, and what comes later. Any thread. */
void vds_pending_fences_lose(struct vds_pending_fences *fences);

#endif
