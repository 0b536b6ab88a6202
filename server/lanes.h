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

#include "execution.h"

struct vds_lane;
struct vds_lanes;
struct vds_tape;

/* A stream to be replayed; kept, with its memory, for later ones. */
struct vds_job {
    struct vds_execution execution; /* set to the command buffer and its device */
    uint8_t *bytes;                 /* of streams without a tape */
    size_t capacity;
    struct vds_tape *tape; /* that holds the stream (flight.h); NULL: `bytes` do */
    uint32_t size;
    bool goes_on; /* with an open stream */
    bool open;    /* and another one goes on with this */

    /* The rest is lanes.c's. */
    struct vds_lane *lane;
    struct vds_job *next, *previous;
    bool running;
};

/* Replays it, by any thread (stream.c). False: malformed. */
bool vds_stream_replay(struct vds_job *job);

/* NULL: no memory. `threads` help the engine; 0: it does everything itself. */
struct vds_lanes *vds_lanes_create(struct vds_context *context, uint32_t threads);
/* Drops what was posted and waits for what runs. Then nothing is posted any more. */
void vds_lanes_stop(struct vds_lanes *lanes);
void vds_lanes_destroy(struct vds_lanes *lanes);

/* ---- The engine's */

/* NULL: no memory. Ends up in vds_lanes_post or vds_lanes_give_back. */
struct vds_job *vds_lanes_take(struct vds_lanes *lanes);
void vds_lanes_give_back(struct vds_lanes *lanes, struct vds_job *job);

/* The lane of a command pool, by the pool's index. NULL: there is nobody to help, or no memory. */
struct vds_lane *vds_lanes_of(struct vds_lanes *lanes, uint32_t pool);
/* When the pool is gone; nothing is posted any more. */
void vds_lane_destroy(struct vds_lane *lane);

/* In order within the lane; the job is no longer the caller's. */
void vds_lanes_post(struct vds_lanes *lanes, struct vds_lane *lane, struct vds_job *job);
/* Until everything is replayed that was posted: to the lane of this pool, or to all. */
void vds_lanes_wait(struct vds_lanes *lanes, uint32_t pool);
void vds_lanes_wait_all(struct vds_lanes *lanes);
/* There is nothing else to execute for now. */
void vds_lanes_idle(struct vds_lanes *lanes);
/* Whether a stream was malformed: the connection must end. */
bool vds_lanes_failed(const struct vds_lanes *lanes);

#endif
