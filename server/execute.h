/* SPDX-License-Identifier: MIT
 *
 * Executing records: decode, wait, call, commit, answer. The thread that has the turn (turn.h) takes
 * one record after another through all of it (engine.c), and loses the turn where a call takes long.
 * A call that waits for the GPU (wait.h) is made by another thread, and what stands in a stream
 * (stream.c), which creates, destroys and answers nothing, is decoded and called in one go, on any
 * thread.
 */
#ifndef VIADUCT_SERVER_EXECUTE_H
#define VIADUCT_SERVER_EXECUTE_H

#include "execution.h"

/* ---- The steps. False: malformed, with a line in the log: the connection must end. */

/* Checks and patches the record, which must stay until vds_end, and finds out what it touches. */
bool vds_decode(struct vds_execution *x, uint8_t *record);
/* Returns when it may touch that, and holds on to it. */
bool vds_wait(struct vds_execution *x);
/* Calls the driver, or does not where there is no sense in it. */
bool vds_call(struct vds_execution *x);
/* The call and nothing else: touches only this execution and the driver. */
void vds_call_driver(struct vds_execution *x);
/* Around what takes long in a call that else keeps the turn: from the first one on, which returns what the second
 * one takes, the caller touches only its own execution, the driver, and what has a lock. */
uint64_t vds_call_open(struct vds_execution *x);
void vds_call_close(struct vds_execution *x, uint64_t number);
/* Adds to the object table what was created, and removes what was destroyed (commit.c). */
bool vds_commit(struct vds_execution *x);
/* Lets go of everything. Follows vds_decode, whatever came between. */
void vds_end(struct vds_execution *x);

/* Marks what the call will destroy, and checks that it can (commit.c). */
bool vds_doom(struct vds_execution *x);

/* ---- Answers (reply.c) */

/* Reads a record's reply request, if it has one. False: malformed. */
bool vds_answer_read(struct vds_execution *x);
/* Holds on to the place. False: malformed. */
bool vds_answer_hold(struct vds_execution *x);
/* Writes result, output area and echo, restoring the record; then wakes the client. */
void vds_answer_send(struct vds_execution *x);
/* Writes VK_ERROR_DEVICE_LOST instead of anything else. */
void vds_answer_send_lost(struct vds_context *context, struct vds_answer *answer);
/* Lets go of the place; may follow vds_answer_send or not. */
void vds_answer_end(struct vds_context *context, struct vds_answer *answer);

/* ---- Streams (stream.c) */

/* What is to be done with a record of a stream that has been decoded. */
enum vds_next {
    VDS_CALL,
    VDS_PASS, /* leave it out */
    VDS_STOP, /* it is malformed, or the device is lost */
};

enum vds_next vds_stream_next_rare(struct vds_execution *x);
static inline enum vds_next vds_stream_next(struct vds_execution *x)
{
    const struct vds_decoder *d = &x->decoder;
    return d->cursor == d->size && d->plan.notes == 0 ? VDS_CALL : vds_stream_next_rare(x);
}
/* The arguments of the next record of the stream, which take as many bytes, where its header is the same as
 * this one's: what was checked of that holds for it. NULL: another kind of record follows, or none. */
static inline void *vds_stream_repeats(struct vds_execution *x, uint32_t arguments)
{
    struct vds_decoder *d = &x->decoder;
    uint8_t *next = d->record + d->size;
    if (x->run_end - next < (ptrdiff_t)d->size ||
        memcmp(next, d->record, sizeof(struct vd_record)) != 0)
        return NULL;
    d->record = next;
    d->cursor = (uint32_t)sizeof(struct vd_record) + arguments;
    d->plan.notes = 0;
    return next + sizeof(struct vd_record);
}
/* What the driver says to something recorded. False: the device is lost. */
bool vds_stream_result(struct vds_execution *x, VkResult result);

/* Until all is replayed that was recorded into what the record names. */
void vds_wait_for_recordings(struct vds_execution *x);
/* Whether it uses a poisoned object, whose creation failed: the context is lost then. */
bool vds_lose_if_poisoned(struct vds_execution *x);

#endif
