/* SPDX-License-Identifier: MIT
 *
 * The turn: which thread executes the ring. One has it, and goes from record to record. While it is
 * in the driver with a call whose client waits for the answer, nothing else waits for that call; so
 * when the call takes long, another thread takes the turn and executes what comes next. The call then
 * ends by itself, beside the ring. A short call costs two atomic operations and no system call.
 *
 * Which calls are long nobody has to know in advance: a watcher looks while there are calls, and
 * sleeps when there are none.
 */
#ifndef VIADUCT_SERVER_TURN_H
#define VIADUCT_SERVER_TURN_H

#include <stdbool.h>
#include <stdint.h>

struct vds_context;
struct vds_device;
struct vds_execution;
struct vds_turn;

/* NULL without memory. The turn is the caller's. */
struct vds_turn *vds_turn_create(struct vds_context *context);
/* Nobody watches, and no call is left, any more. NULL is fine. */
void vds_turn_destroy(struct vds_turn *turn);

/* ---- By the thread that has the turn */

/* What it executes the next record in. Stays the same while it has the turn. */
struct vds_execution *vds_turn_execution(const struct vds_turn *turn);
/* Before a call of this execution, during which another thread may take the turn; returns the call's
 * number. */
uint64_t vds_turn_open(struct vds_turn *turn, struct vds_execution *x);
/* After the call of this number. False: another thread has the turn. Then the caller touches nothing
 * that is that thread's, and ends with vds_turn_return. */
bool vds_turn_close(struct vds_turn *turn, uint64_t number);
/* The end of a call that lost the turn. */
void vds_turn_return(struct vds_turn *turn, struct vds_execution *x);

/* Waits for some time until no call that lost the turn uses the device any more. */
bool vds_turn_drain(struct vds_turn *turn, const struct vds_device *device);

/* ---- By others */

/* Waits for a call that takes long: true, and the turn is the caller's; or for vds_turn_stop: false. */
bool vds_turn_await(struct vds_turn *turn);
/* Makes vds_turn_await return, at once and from now on. From any thread. */
void vds_turn_stop(struct vds_turn *turn);

#endif
