/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include "context_private.h"

bool vd_answer_begin(struct vd_context *context, struct vd_answer *answer,
                     const struct vd_record *record)
{
    *answer = (struct vd_answer){0};
    if (!(record->flags & VD_RECORD_REPLY)) {
        return true;
    }
    const uint32_t body = vd_record_body(record);
    if (record->size < body) {
        return vd_malformed(record, "a reply request that is cut short");
    }
    memcpy(&answer->request, record + 1, sizeof(answer->request));
    const struct vd_reply_request *request = &answer->request;
    if (request->out_size % VD_ALIGN != 0 || request->out_size > VD_RECORD_MAX ||
        request->offset % VD_ALIGN != 0 ||
        (request->echo &&
         (request->echo < body || request->echo > record->size || request->echo % VD_ALIGN != 0))) {
        return vd_malformed(record, "a reply request that makes no sense");
    }
    const uint32_t echo_size = request->echo ? record->size - request->echo : 0;
    answer->region = vd_shm_get(context->shm, request->shm, request->offset,
                                sizeof(struct vd_reply) + (uint64_t)request->out_size + echo_size);
    if (!answer->region) {
        return vd_malformed(record, "a reply outside of shared memory");
    }
    return true;
}

static void publish(struct vd_reply *reply)
{
    /* seq_cst: the client's look at all of the reply, and its VD_REPLY_WAITING. */
    static_assert(sizeof(_Atomic uint32_t) == sizeof(reply->state), "a futex word");
    _Atomic uint32_t *state = (_Atomic uint32_t *)&reply->state;
    if (atomic_exchange(state, VD_REPLY_DONE) == VD_REPLY_WAITING) {
        vd_wake(state);
    }
}

void vd_answer_send(struct vd_context *context, struct vd_answer *answer, struct vd_decoder *d)
{
    if (!answer->region) {
        return;
    }
    const struct vd_reply_request *request = &answer->request;
    struct vd_reply *reply = (struct vd_reply *)(answer->region->map + request->offset);
    uint8_t *to = (uint8_t *)(reply + 1);
    if (request->out_size) {
        memcpy(to, d->out, request->out_size);
    }
    if (request->echo) {
        vd_decoder_restore(d);
        memcpy(to + request->out_size, d->record + request->echo, d->size - request->echo);
    }
    reply->result = d->result;
    reply->value = d->value;
    publish(reply);
    vd_answer_end(context, answer);
}

void vd_answer_send_lost(struct vd_context *context, struct vd_answer *answer)
{
    if (!answer->region) {
        return;
    }
    struct vd_reply *reply = (struct vd_reply *)(answer->region->map + answer->request.offset);
    reply->result = VK_ERROR_DEVICE_LOST;
    reply->value = 0;
    publish(reply);
    vd_answer_end(context, answer);
}

void vd_answer_end(struct vd_context *context, struct vd_answer *answer)
{
    if (answer->region) {
        vd_shm_put(context->shm, answer->region);
        answer->region = NULL;
    }
}
