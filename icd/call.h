/* SPDX-License-Identifier: MIT
 *
 * One command on its way through the control ring, and the recording of streams.
 */
#ifndef VIADUCT_ICD_CALL_H
#define VIADUCT_ICD_CALL_H

#include "connection/connection.h"
#include "encoder.h"
#include "instance.h"

enum vd_call_kind {
    VD_CALL_LAZY,   /* nothing comes back, and what it does is seen only through later calls */
    VD_CALL_PROMPT, /* nothing comes back */
    VD_CALL_SYNC,   /* waits for an answer */
};

struct vd_call {
    struct vd_encoder encoder;
    struct vd_fill fill;
    struct vd_reply_space space;
    struct vd_share *shares;
    uint64_t position;          /* in the ring, behind the record, if it shares anything */
    struct vd_scratch *scratch; /* NULL: the record is written in the ring, whose lock is held */
    uint64_t traced;            /* when it began, 0: nobody watches */
    uint16_t opcode;
    enum vd_call_kind kind;
    bool sync;
    bool sent;
    bool answered;
};

/* Starts a record whose arguments take `size` bytes, `self` being any dispatchable object.
 * VK_ERROR_DEVICE_LOST or VK_ERROR_OUT_OF_HOST_MEMORY: nothing was begun. */
VkResult vd_call_begin(struct vd_call *call, void *self, uint16_t opcode, size_t size,
                       enum vd_call_kind kind);
/* Sends without waiting; until vd_call_end the thread must not begin another call. */
VkResult vd_call_send(struct vd_call *call);
/* Sends and waits; returns the command's own result. */
VkResult vd_call_wait(struct vd_call *call);
static inline bool vd_call_answered(const struct vd_call *call)
{
    return call->answered;
}
/* The command's 64-bit or boolean return value, 0 without an answer. */
uint64_t vd_call_value(const struct vd_call *call);
/* Gives new handles to the application: those that were created, VK_NULL_HANDLE for others. */
void vd_call_take_new(struct vd_call *call, void *handles, uint64_t count);
/* The same for a call that was not begun. */
static inline void vd_call_no_new(void *handles, uint64_t count)
{
    if (handles)
        memset(handles, 0, count * sizeof(uint64_t));
}
/* Ids of handles that were not created are free again. */
void vd_call_end(struct vd_call *call);
/* Frees the buffers that calls kept. */
void vd_scratch_finish(struct vd_instance *instance);

#endif
