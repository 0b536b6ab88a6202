/* SPDX-License-Identifier: MIT
 *
 * One command on its way through the control ring, and the recording of streams.
 */
#ifndef VIADUCT_ICD_CALL_H
#define VIADUCT_ICD_CALL_H

#include "connection/connection.h"
#include "encoder.h"
#include "instance.h"

enum vdc_call_kind {
    VDC_CALL_LAZY, /* nothing comes back, and what it does is seen only through later calls */
    VDC_CALL_UNLESS_SCARCE, /* the same, while nobody lacks memory; else it waits, for its result may tell that */
    VDC_CALL_PROMPT, /* nothing comes back */
    VDC_CALL_SYNC,   /* waits for an answer */
    VDC_CALL_ANYWAY, /* the same, also when the device is lost: it asks why */
};

/* What fits into a slot for answers does not stay there. */
#define VDC_ANSWER_COPIED 4096

struct vdc_call {
    struct vdc_encoder encoder;
    struct vdc_fill fill;
    struct vdc_reply_space space;
    struct vdc_share *shares;
    uint64_t position;           /* in the ring, behind the record, if it shares anything */
    struct vdc_scratch *scratch; /* NULL: the record is written in the ring, whose lock is held */
    uint64_t traced;             /* when it began, 0: nobody watches */
    uint16_t opcode;
    enum vdc_call_kind kind;
    bool sync;
    bool sent;
    bool answered;
    /* A copy of the answer, less what is large; not initialised before. */
    struct {
        struct vd_reply reply;
        _Alignas(8) uint8_t bytes[VDC_ANSWER_COPIED];
    } answer;
};

/* Starts a record whose arguments take `size` bytes, `self` being any dispatchable object.
 * VK_ERROR_DEVICE_LOST or VK_ERROR_OUT_OF_HOST_MEMORY: nothing was begun. */
VkResult vdc_call_begin(struct vdc_call *call, void *self, uint16_t opcode, size_t size,
                        enum vdc_call_kind kind);
/* Sends without waiting; until vdc_call_end the thread must not begin another call. */
VkResult vdc_call_send(struct vdc_call *call);
/* Sends and waits; returns the command's own result. */
VkResult vdc_call_wait(struct vdc_call *call);
static inline bool vdc_call_answered(const struct vdc_call *call)
{
    return call->answered;
}
/* The command's 64-bit or boolean return value, 0 without an answer. */
uint64_t vdc_call_value(const struct vdc_call *call);
/* Gives new handles to the application: those that were created, VK_NULL_HANDLE for others. */
void vdc_call_take_new(struct vdc_call *call, void *handles, uint64_t count);
/* The same for a call that was not begun. */
static inline void vdc_call_no_new(void *handles, uint64_t count)
{
    if (handles)
        memset(handles, 0, count * sizeof(uint64_t));
}
/* Ids of handles that were not created are free again. */
void vdc_call_end(struct vdc_call *call);
/* Waits until the server has come as far as this in the ring. `self` as for vdc_call_begin. */
VkResult vdc_call_catch_up(void *self);
/* The same for calls of a kind, unless they are known to have been executed. */
VkResult vdc_call_settle(struct vdc_unanswered *calls, void *self);
/* Frees the buffers that calls kept. */
void vdc_scratch_finish(struct vdc_instance *instance);

#endif
