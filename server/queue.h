/* SPDX-License-Identifier: MIT
 *
 * A queue and its place on the completion page. Each batch signals the queue's own timeline
 * semaphore with its number; a thread waits for it and tells the client (completion.c).
 */
#ifndef VIADUCT_SERVER_QUEUE_H
#define VIADUCT_SERVER_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "dispatch.h"

struct vds_context;
struct vds_device;
struct vds_execution;

struct vds_queue {
    VkQueue handle;
    pthread_mutex_t host; /* while a command of the handle runs: they are synchronised externally */
    struct vds_context *context;
    struct vds_device *device;
    uint32_t slot;        /* on the completion page */
    VkSemaphore timeline; /* NULL: nothing was submitted yet, and the thread not started */
    uint64_t number;      /* of the last batch; the ring thread's */
    uint64_t mark;        /* number when semaphores began to leave (semaphore.c) */
    bool sparse;          /* the last batch was of vkQueueBindSparse, which is unordered */
    uint8_t *scratch;
    size_t scratch_capacity;
    struct vds_queue *next; /* in the device's list */

    /* The ring thread's, too. */
    uint64_t expected; /* number of the last batch that the driver accepted */
    uint64_t seen;     /* of the last one that was seen to have finished */
    bool watched;      /* it looks at the timeline itself */
    struct vds_queue *next_watched;

    pthread_t thread;
    VkFence
        probe; /* the thread's; submitted behind what takes long, to learn whether that is lost */
    bool probing; /* it is submitted */
    pthread_mutex_t lock;
    pthread_cond_t wanted;  /* for the thread: target, stop */
    pthread_cond_t stopped; /* for whoever stops it */
    uint64_t target;        /* number of the last batch that the thread waits for */
    uint64_t done;          /* and of the last one that is known to have finished */
    bool stop;              /* end when all is done */
    bool ended;             /* the thread has */
    bool abandoned;         /* nobody waits for the thread: it must touch nothing but the driver */
};

/* NULL, with a line in the log, when that fails. `slot` must be free. Few queues of many are used, so
 * that it costs next to nothing. */
struct vds_queue *vds_queue_create(struct vds_context *context, struct vds_device *device,
                                   VkQueue handle, uint32_t slot);

/* Before a submission: makes what the first one needs. False, with a line in the log, when that fails. */
bool vds_queue_start(struct vds_queue *queue);

/* The queue that is the first parameter of the command. */
struct vds_queue *vds_queue_of(const struct vds_execution *x);

/* Waits until all batches have finished, for some time, and ends the thread. False: it does not
 * come back, and has been left to itself; then the queue must not be destroyed. */
bool vds_queue_stop(struct vds_queue *queue);
void vds_queue_destroy(struct vds_queue *queue);

/* The ring's thread says: the driver has accepted the batches up to `number`. */
void vds_queue_expect(struct vds_queue *queue, uint64_t number);

#endif
