/* SPDX-License-Identifier: MIT
 *
 * The one thread of a device: an epoll and what it watches. Nothing in it may block, but for answers
 * to the frontend, which waits for them.
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_LOOP_H
#define VIADUCT_SERVER_VIRTIO_GPU_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct vg_loop {
    int epoll;
};

/* A descriptor that is watched. Stands in a struct of whoever watches it, and must not move. */
struct vg_source {
    /* `events` are epoll's. May end any source, this one too. */
    void (*ready)(struct vg_source *source, uint32_t events);
    int fd;
};

/* False without descriptors. */
bool vg_loop_init(struct vg_loop *loop);
void vg_loop_finish(struct vg_loop *loop);

/* Watches for epoll's `events`. False with a line in the log. */
bool vg_loop_watch(struct vg_loop *loop, struct vg_source *source, uint32_t events);
void vg_loop_change(struct vg_loop *loop, struct vg_source *source, uint32_t events);
/* Before its descriptor is closed. */
void vg_loop_unwatch(struct vg_loop *loop, const struct vg_source *source);

/* Gives one source that is ready its turn; waits for one for `timeout_ms`, -1: for ever. Returns 1,
 * 0 if there was none, or -1 with errno set. */
int vg_loop_turn(struct vg_loop *loop, int timeout_ms);

#endif
