/* SPDX-License-Identifier: MIT
 *
 * The flight recorder: what a client did last, for the log when its device is lost.
 *
 * It notes what was submitted, and keeps of each command buffer the stream that was replayed into it: the
 * bytes that are copied out of shared memory anyway, in memory which the command buffer has until it is
 * recorded again. So recording costs nothing more, and all that can be told is found out when somebody
 * wants to know (flight_report.c). Of a long stream only the end is kept, in a copy: it is replayed from
 * memory that all of them share, which is in the cache.
 */
#ifndef VIADUCT_SERVER_FLIGHT_H
#define VIADUCT_SERVER_FLIGHT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "object.h"

struct vds_flight;

/* What was recorded into a command buffer in one go. */
struct vds_tape {
    _Atomic uint32_t references;
    uint32_t size, capacity;
    uint32_t before; /* tapes, of an open stream that this one goes on with */
    struct vds_tape
        *previous; /* the last one of these; owned; NULL: there is none, or it is not kept */
    struct vds_flight *flight;
    bool whole;       /* the stream is copied here, and replayed from here */
    uintptr_t origin; /* where the bytes were when they were replayed, and pointers in them lead */
    _Alignas(8) uint8_t bytes[];
};

/* `objects` outlives it. NULL without memory. */
struct vds_flight *vds_flight_create(struct vds_object_table *objects);
/* All tapes have been put. NULL is fine. */
void vds_flight_destroy(struct vds_flight *flight);

/* ---- By the thread that has the turn */

/* For a stream of this command buffer, which `goes_on` with what it has or begins anew. The command
 * buffer owns it (its links' data), and the caller a reference. NULL: there is no room, and nothing is kept
 * of the command buffer. Where the tape is not whole, the stream is somewhere else. */
struct vds_tape *vds_flight_tape(struct vds_flight *flight, struct vds_object_links *command_buffer,
                                 uint32_t size, bool goes_on);
/* Of a tape that is not whole: how many bytes of the end may be kept; and what they are. */
#define VDS_TAPE_END UINT32_C(8192)
void vds_tape_keep(struct vds_tape *tape, const uint8_t *end, uint32_t size);
/* Gives up a reference. NULL is fine. */
void vds_tape_put(struct vds_tape *tape);

/* A queue begins or ends at this place: what was submitted there before is nothing any more. */
void vds_flight_queue(struct vds_flight *flight, uint32_t slot);
/* The batch of this number is about to be submitted, with command buffers that are in an array of structs
 * of `stride` bytes. */
void vds_flight_submit(struct vds_flight *flight, uint32_t slot, uint64_t number, uint32_t count,
                       const void *command_buffers, size_t stride);

/* ---- By any thread */

/* The batches up to `number` have finished. */
void vds_flight_finish(struct vds_flight *flight, uint32_t slot, uint64_t number);

/* The application calls an object so; NULL: no longer. */
void vds_flight_name(struct vds_flight *flight, uint32_t type, uint64_t handle, const char *name);

/* Says in the log what the GPU was doing. */
void vds_flight_report(struct vds_flight *flight);

#endif
