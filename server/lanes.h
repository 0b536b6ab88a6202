/* SPDX-License-Identifier: MIT
 *
 * Lanes: what was recorded on several threads is replayed on several threads. Vulkan has the
 * application synchronise each command pool, so the streams of one pool form a lane, replayed in
 * order, and different lanes have nothing to do with each other.
 *
 * The thread that executes the ring (the engine) posts streams, and waits for lanes before it does
 * something that recording must not see: see vds_wait. It replays streams itself when it has nothing
 * else to do, and so alone for a client with one thread. Others help as soon as streams of different
 * lanes are there at the same time.
 */
#ifndef VIADUCT_SERVER_LANES_H
#define VIADUCT_SERVER_LANES_H

#include <stdbool.h>
#include <stdint.h>

#include "execute.h"

struct vd_lane;
struct vd_lanes;

/* A stream to be replayed; kept, with its memory, for later ones. */
struct vd_job {
    struct vds_execution execution; /* set to the command buffer and its device */
    uint8_t *bytes;
    size_t capacity;
    uint32_t size;
    bool goes_on; /* with an open stream */
    bool open;    /* and another one goes on with this */

    /* The rest is lanes.c's. */
    struct vd_lane *lane;
    struct vd_job *next, *previous;
    bool running;
};

/* Replays it, by any thread (stream.c). False: malformed. */
bool vd_stream_replay(struct vd_job *job);

/* NULL: no memory. `threads` help the engine; 0: it does everything itself. */
struct vd_lanes *vd_lanes_create(struct vd_context *context, uint32_t threads);
/* Drops what was posted and waits for what runs. Then nothing is posted any more. */
void vd_lanes_stop(struct vd_lanes *lanes);
void vd_lanes_destroy(struct vd_lanes *lanes);

/* ---- The engine's */

/* NULL: no memory. Ends up in vd_lanes_post or vd_lanes_give_back. */
struct vd_job *vd_lanes_take(struct vd_lanes *lanes);
void vd_lanes_give_back(struct vd_lanes *lanes, struct vd_job *job);

/* The lane of a command pool, by the pool's index. NULL: there is nobody to help, or no memory. */
struct vd_lane *vd_lanes_of(struct vd_lanes *lanes, uint32_t pool);
/* When the pool is gone; nothing is posted any more. */
void vd_lane_destroy(struct vd_lane *lane);

/* In order within the lane; the job is no longer the caller's. */
void vd_lanes_post(struct vd_lanes *lanes, struct vd_lane *lane, struct vd_job *job);
/* Until everything is replayed that was posted: to the lane of this pool, or to all. */
void vd_lanes_wait(struct vd_lanes *lanes, uint32_t pool);
void vd_lanes_wait_all(struct vd_lanes *lanes);
/* There is nothing else to execute for now. */
void vd_lanes_idle(struct vd_lanes *lanes);
/* Whether a stream was malformed: the connection must end. */
bool vd_lanes_failed(const struct vd_lanes *lanes);

#endif
