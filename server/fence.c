/* SPDX-License-Identifier: MIT */
#include "fence.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "protocol/fence.h"

#include "context_private.h"
#include "execution.h"
#include "futex.h"
#include "log.h"
#include "opcodes.h"
#include "own_records.h"
#include "queue.h"
#include "shm.h"

struct pending_fence {
    struct pending_fence *next;
    const struct vds_queue *queue; /* NULL: there was none, and the device is lost */
    uint64_t number;
    struct vds_shm_region *region;
    _Atomic uint32_t *state; /* in it */
};

struct vds_pending_fences {
    pthread_mutex_t lock;
    struct pending_fence *first;
    _Atomic uint32_t count;
    bool lost; /* no batch is finished any more: fences that come now are marked at once */
    struct vds_shm_table *shm;
};

struct vds_pending_fences *vds_pending_fences_create(struct vds_shm_table *shm)
{
    struct vds_pending_fences *fences = calloc(1, sizeof(*fences));
    if (fences) {
        pthread_mutex_init(&fences->lock, NULL);
        fences->shm = shm;
    }
    return fences;
}

void vds_pending_fences_destroy(struct vds_pending_fences *fences)
{
    if (!fences)
        return;
    vds_pending_fences_lose(fences);
    pthread_mutex_destroy(&fences->lock);
    free(fences);
}

static void mark(_Atomic uint32_t *state)
{
    if (vd_fence_mark(state))
        vds_wake(state);
}

/* Takes the fence at this place out of the list. Under the lock. */
static void settle(struct vds_pending_fences *fences, struct pending_fence **link, bool marks)
{
    struct pending_fence *fence = *link;
    *link = fence->next;
    atomic_fetch_sub_explicit(&fences->count, 1, memory_order_relaxed);
    if (marks)
        mark(fence->state);
    vds_shm_put(fences->shm, fence->region);
    free(fence);
}

void vds_pending_fences_advance(struct vds_pending_fences *fences, const struct vds_queue *queue,
                                uint64_t number)
{
    /* Relaxed: a batch is not finished before it was submitted, nor submitted before its fence
     * was added. */
    if (atomic_load_explicit(&fences->count, memory_order_relaxed) == 0)
        return;
    pthread_mutex_lock(&fences->lock);
    for (struct pending_fence **link = &fences->first; *link;)
        if ((*link)->queue == queue && (*link)->number <= number)
            settle(fences, link, true);
        else
            link = &(*link)->next;
    pthread_mutex_unlock(&fences->lock);
}

void vds_pending_fences_lose(struct vds_pending_fences *fences)
{
    pthread_mutex_lock(&fences->lock);
    fences->lost = true;
    while (fences->first)
        settle(fences, &fences->first, true);
    pthread_mutex_unlock(&fences->lock);
}

static void take_back(struct vds_pending_fences *fences, const _Atomic uint32_t *state)
{
    pthread_mutex_lock(&fences->lock);
    for (struct pending_fence **link = &fences->first; *link;)
        if ((*link)->state == state)
            settle(fences, link, false);
        else
            link = &(*link)->next;
    pthread_mutex_unlock(&fences->lock);
}

/* The reference to the region becomes the list's. */
static bool add(struct vds_pending_fences *fences, const struct pending_fence *wanted)
{
    struct pending_fence *fence = malloc(sizeof(*fence));
    if (!fence)
        return false;
    pthread_mutex_lock(&fences->lock);
    *fence = *wanted;
    fence->next = fences->first;
    fences->first = fence;
    atomic_fetch_add_explicit(&fences->count, 1, memory_order_relaxed);
    if (fences->lost)
        settle(fences, &fences->first, true);
    pthread_mutex_unlock(&fences->lock);
    return true;
}

/* A queue that there is not, for its creation failed, does not keep the fence from being marked. */
bool vds_decode_signal_fence(struct vds_decoder *d, void *body)
{
    const struct vd_signal_fence *args = body;
    if (!vds_object_find_type(d->objects, args->queue, VD_TYPE_VkQueue))
        return vds_dec_fail(d, "no such queue");
    d->first = vd_id_index(args->queue);
    return true;
}

void vds_call_signal_fence(struct vds_execution *x, void *body)
{
    const struct vd_signal_fence *args = body;
    struct vds_context *context = x->context;
    struct vds_decoder *d = &x->decoder;
    struct pending_fence fence = {
        .queue = vds_object_links(d->objects, d->first)->data,
        .number = args->number,
    };
    if (fence.number && fence.queue && fence.number <= fence.queue->number) {
        vds_dec_fail(d, "for a batch that came before");
        return;
    }
    const uint64_t offset = vd_shm_pointer_offset(args->state);
    fence.region = offset % sizeof(*fence.state) == 0
                       ? vds_shm_get(context->shm, vd_shm_pointer_id(args->state), offset,
                                     sizeof(*fence.state))
                       : NULL;
    if (!fence.region) {
        /* When the device is lost, fences are destroyed that the client has not seen signalled. */
        if (!atomic_load_explicit(&context->lost, memory_order_relaxed))
            vds_dec_fail(d, "no such word in shared memory");
        return;
    }
    fence.state = (_Atomic uint32_t *)(fence.region->map + offset);
    if (fence.number == 0) {
        take_back(context->fences, fence.state);
        vds_shm_put(context->shm, fence.region);
    } else if (!add(context->fences, &fence)) {
        vds_context_lose(context, "no memory for a fence");
        mark(fence.state);
        vds_shm_put(context->shm, fence.region);
    }
}
