/* SPDX-License-Identifier: MIT
 *
 * The device's end of the link to a context's worker (link.h), from its start to its end. A context
 * has one worker at most, and never a second one.
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_WORKER_LINK_H
#define VIADUCT_SERVER_VIRTIO_GPU_WORKER_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "link.h"
#include "loop.h"

/* All workers of a device. */
struct vg_workers {
    struct vg_loop *loop;
    int spawn;            /* to the listener, which starts and kills them (spawn.h) */
    uint32_t last_number; /* given to a worker */
    uint32_t count;       /* of those that are there */
};

struct vg_worker_link {
    struct vg_workers *workers;
    const struct vg_worker_listener *listener;
    struct vg_source link; /* fd -1: no worker */
    struct vg_source wake;
    uint32_t number;
    bool lost;             /* there was a worker, or there should have been */
    uint64_t end_deadline; /* vd_clock_ms() until which it may take to end; 0: it need not */
};

struct vg_worker_listener {
    /* The worker says something about one ADD. */
    void (*answered)(struct vg_worker_link *link, const struct vg_link_message *message);
    /* The worker has changed words that somebody may wait for. */
    void (*woke)(struct vg_worker_link *link);
    /* The worker is gone, and the link closed. May free the link. */
    void (*gone)(struct vg_worker_link *link);
};

/* Without a worker. Both pointers must outlive it. */
void vg_worker_link_init(struct vg_worker_link *link, struct vg_workers *workers,
                         const struct vg_worker_listener *listener);
/* Whether there is a worker. */
bool vg_worker_link_is_open(const struct vg_worker_link *link);
/* Whether there is one that goes on. */
bool vg_worker_link_serves(const struct vg_worker_link *link);

/* Starts the worker of context `id` if that has not had one. False, with a line in the log if that
 * is news, if there is none that goes on. `name` has 64 bytes. */
bool vg_worker_link_start(struct vg_worker_link *link, uint32_t id, const char *name);
/* Does not wait. False with errno set. The descriptors stay the caller's. */
bool vg_worker_link_send(const struct vg_worker_link *link, const struct vg_link_message *message,
                         const int *fds, unsigned fd_count);
/* Asks for an orderly end, for which there is some time. */
void vg_worker_link_end(struct vg_worker_link *link);
void vg_worker_link_kill(const struct vg_worker_link *link);
/* It has had its time: kills it, which takes until the new end_deadline. */
void vg_worker_link_give_up(struct vg_worker_link *link);
/* Kills it and waits until it is gone, because the guest's memory must be let go of. */
void vg_worker_link_stop(struct vg_worker_link *link);

#endif
