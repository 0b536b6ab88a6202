/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include "context_private.h"
#include "execute.h"
#include "futex.h"
#include "shm.h"

bool vds_answer_read(struct vds_execution *x)
{
    struct vds_decoder *d = &x->decoder;
    const struct vd_record *record = (const struct vd_record *)d->record;
    if (!(record->flags & VD_RECORD_REPLY))
        return true;
    const uint32_t body = vd_record_body(record);
    if (record->size < body)
        return vds_dec_fail(d, "a reply request that is cut short");
    struct vd_reply_request *request = &x->answer.request;
    memcpy(request, record + 1, sizeof(*request));
    if (request->out_size % VD_ALIGN != 0 || request->out_size > VD_RECORD_MAX ||
        request->offset % VD_ALIGN != 0 ||
        (request->echo &&
         (request->echo < body || request->echo > record->size || request->echo % VD_ALIGN != 0)))
        return vds_dec_fail(d, "a reply request that makes no sense");
    x->answer.asked = true;
    return true;
}

bool vds_answer_hold(struct vds_execution *x)
{
    struct vds_answer *answer = &x->answer;
    const struct vd_reply_request *request = &answer->request;
    if (!answer->asked)
        return true;
    const uint32_t echo_size = request->echo ? x->decoder.size - request->echo : 0;
    answer->region = vds_shm_get(x->context->shm, request->shm, request->offset,
                                 sizeof(struct vd_reply) + (uint64_t)request->out_size + echo_size);
    return answer->region || vds_dec_fail(&x->decoder, "a reply outside of shared memory");
}

static void publish(struct vd_reply *reply)
{
    /* seq_cst: the client's look at all of the reply, and its VD_REPLY_WAITING. */
    static_assert(sizeof(_Atomic uint32_t) == sizeof(reply->state), "a futex word");
    _Atomic uint32_t *state = (_Atomic uint32_t *)&reply->state;
    if (atomic_exchange(state, VD_REPLY_DONE) == VD_REPLY_WAITING)
        vds_wake(state);
}

/* Another thread may have written the last answer here, before the client gave the slot again. */
static void take_over(struct vd_reply *reply)
{
    atomic_load_explicit((_Atomic uint32_t *)&reply->state, memory_order_acquire);
}

void vds_answer_send(struct vds_execution *x)
{
    struct vds_decoder *d = &x->decoder;
    if (!x->answer.region)
        return;
    const struct vd_reply_request *request = &x->answer.request;
    struct vd_reply *reply = (struct vd_reply *)(x->answer.region->map + request->offset);
    uint8_t *to = (uint8_t *)(reply + 1);
    take_over(reply);
    if (request->out_size)
        memcpy(to, d->out, request->out_size);
    if (request->echo) {
        vds_decoder_restore(d);
        memcpy(to + request->out_size, d->record + request->echo, d->size - request->echo);
    }
    reply->result = x->result;
    reply->value = x->value;
    publish(reply);
    vds_answer_end(x->context, &x->answer);
}

void vds_answer_send_lost(struct vds_context *context, struct vds_answer *answer)
{
    if (!answer->region)
        return;
    struct vd_reply *reply = (struct vd_reply *)(answer->region->map + answer->request.offset);
    take_over(reply);
    reply->result = VK_ERROR_DEVICE_LOST;
    reply->value = 0;
    publish(reply);
    vds_answer_end(context, answer);
}

void vds_answer_end(struct vds_context *context, struct vds_answer *answer)
{
    if (answer->region) {
        vds_shm_put(context->shm, answer->region);
        answer->region = NULL;
    }
}
