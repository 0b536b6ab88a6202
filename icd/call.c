/* SPDX-License-Identifier: MIT */
#include "call.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/trace.h"

#include "log.h"
#include "names.h"
#include "opcodes.h"
#include "profile.h"

/* Buffers for records are kept, a few and not the huge ones, so that a call allocates nothing. */
#define SCRATCH_KEPT      8
#define SCRATCH_KEPT_SIZE (2u << 20)
#define SCRATCH_FIRST     4096u

/* For so long after memory was refused the next refusal is expected. */
#define SCARCE_NS (2 * VD_NS_PER_S)

struct vdc_scratch {
    struct vdc_scratch *next;
    uint32_t capacity;
    uint32_t reserved;
    uint8_t data[];
};

static struct vdc_scratch *scratch_get(struct vdc_instance *instance)
{
    /* acquire and release: its contents pass from thread to thread. */
    struct vdc_scratch *scratch =
        atomic_exchange_explicit(&instance->hot, NULL, memory_order_acquire);
    if (scratch)
        return scratch;
    pthread_mutex_lock(&instance->lock);
    scratch = instance->scratch;
    if (scratch) {
        instance->scratch = scratch->next;
        instance->scratch_count--;
    }
    pthread_mutex_unlock(&instance->lock);
    if (!scratch) {
        scratch = malloc(sizeof(*scratch) + SCRATCH_FIRST);
        if (scratch)
            scratch->capacity = SCRATCH_FIRST;
    }
    return scratch;
}

static void scratch_put(struct vdc_instance *instance, struct vdc_scratch *scratch)
{
    struct vdc_scratch *none = NULL;
    if (!scratch ||
        (scratch->capacity <= SCRATCH_KEPT_SIZE &&
         atomic_compare_exchange_strong_explicit(&instance->hot, &none, scratch,
                                                 memory_order_release, memory_order_relaxed)))
        return;
    pthread_mutex_lock(&instance->lock);
    const bool keep =
        instance->scratch_count < SCRATCH_KEPT && scratch->capacity <= SCRATCH_KEPT_SIZE;
    if (keep) {
        scratch->next = instance->scratch;
        instance->scratch = scratch;
        instance->scratch_count++;
    }
    pthread_mutex_unlock(&instance->lock);
    if (!keep)
        free(scratch);
}

VkResult vdc_call_catch_up(void *self)
{
    struct vdc_call call;
    VkResult result = vdc_call_begin(&call, self, VD_OP_SYNC, 0, VDC_CALL_SYNC);
    if (result != VK_SUCCESS)
        return result;
    result = vdc_call_wait(&call);
    vdc_call_end(&call);
    return result;
}

VkResult vdc_call_settle(struct vdc_unanswered *calls, void *self)
{
    /* Whatever is counted by now stands in the ring before what is sent next. */
    const uint64_t made = vdc_unanswered_made(calls);
    if (vdc_unanswered_executed(calls) >= made)
        return VK_SUCCESS;
    const VkResult result = vdc_call_catch_up(self);
    if (result == VK_SUCCESS)
        vdc_unanswered_note(calls, made);
    return result;
}

void vdc_scratch_finish(struct vdc_instance *instance)
{
    free(atomic_load_explicit(&instance->hot, memory_order_relaxed));
    while (instance->scratch) {
        struct vdc_scratch *next = instance->scratch->next;
        free(instance->scratch);
        instance->scratch = next;
    }
}

/* Only for encoders with call_ops. */
static struct vdc_call *call_of_encoder(struct vdc_encoder *e)
{
    return (struct vdc_call *)((char *)e - offsetof(struct vdc_call, encoder));
}

/* A record that outgrows its place in the ring moves to memory of its own. */
static bool grow(struct vdc_encoder *e, uint64_t capacity)
{
    struct vdc_call *call = call_of_encoder(e);
    const bool in_ring = !call->scratch;
    struct vdc_scratch *scratch = in_ring ? scratch_get(e->instance) : call->scratch;
    if (!scratch)
        return false;
    uint64_t larger = scratch->capacity;
    while (larger < capacity)
        larger *= 2;
    if (larger > scratch->capacity) {
        struct vdc_scratch *moved = realloc(scratch, sizeof(*scratch) + larger);
        if (!moved) {
            if (in_ring)
                scratch_put(e->instance, scratch);
            return false;
        }
        scratch = moved;
        scratch->capacity = (uint32_t)larger;
    }
    if (in_ring) {
        memcpy(scratch->data, e->base, e->size);
        vdc_ring_write_end(e->instance->connection->ring, 0, false);
    }
    call->scratch = scratch;
    e->base = scratch->data;
    e->capacity = scratch->capacity;
    return true;
}

static struct vdc_share *new_share(struct vdc_encoder *e, uint64_t size)
{
    struct vdc_call *call = call_of_encoder(e);
    struct vdc_share *share = calloc(1, sizeof(*share));
    /* The ring's lock is not held while so much is copied. */
    if (!share || (!call->scratch && !grow(e, e->size)) ||
        vdc_shm_pool_alloc(e->instance->memory, size, &share->part) != VK_SUCCESS) {
        free(share);
        return NULL;
    }
    share->pointer = vd_shm_pointer(share->part.shm, share->part.offset);
    share->next = call->shares;
    call->shares = share;
    return share;
}

static const struct vdc_encoder_ops call_ops = {.grow = grow, .share = new_share};

/* Behind an answer, nobody uses it any more. */
static void free_shares(struct vdc_call *call)
{
    struct vdc_instance *instance = call->encoder.instance;
    while (call->shares) {
        struct vdc_share *next = call->shares->next;
        vdc_shm_pool_free_after(instance->memory, &call->shares->part,
                                call->answered ? 0 : call->position);
        free(call->shares);
        call->shares = next;
    }
}

/* An application that is told of a refusal can make room. If that of an ordinary object were not told, it
 * would be seen only where the object is used, as a lost device. */
static bool is_scarce(struct vdc_instance *instance)
{
    uint64_t until = atomic_load_explicit(&instance->scarce_until, memory_order_relaxed);
    if (until == 0 || vd_clock_ns() < until)
        return until != 0;
    atomic_compare_exchange_strong(&instance->scarce_until, &until, 0);
    return false;
}

static void note_refusal(struct vdc_instance *instance, VkResult result)
{
    if (result == VK_ERROR_OUT_OF_HOST_MEMORY || result == VK_ERROR_OUT_OF_DEVICE_MEMORY)
        atomic_store_explicit(&instance->scarce_until, vd_clock_ns() + SCARCE_NS,
                              memory_order_relaxed);
}

VkResult vdc_call_begin(struct vdc_call *call, void *self, uint16_t opcode, size_t size,
                        enum vdc_call_kind kind)
{
    const struct vdc_dispatchable *object = self;
    struct vdc_instance *instance = object->instance;
    struct vdc_encoder *e = &call->encoder;
    const struct vdc_link *link = &instance->connection->link;
    if (kind == VDC_CALL_ANYWAY ? vdc_link_gone(link) : vdc_link_lost(link))
        return VK_ERROR_DEVICE_LOST;
    call->traced = vd_trace_begin();
    call->opcode = opcode;
    call->kind = kind;
    call->sync = kind >= VDC_CALL_SYNC || (vdc_debug_flags() & VDC_DEBUG_SYNC) ||
                 (kind == VDC_CALL_UNLESS_SCARCE && is_scarce(instance));
    call->sent = false;
    call->answered = false;
    call->scratch = NULL;
    call->shares = NULL;
    call->position = 0;
    call->space.reply = NULL;
    e->base = call->sync ? NULL : vdc_ring_write_begin(instance->connection->ring, &e->capacity);
    if (!e->base) {
        call->scratch = scratch_get(instance);
        if (!call->scratch)
            return VK_ERROR_OUT_OF_HOST_MEMORY;
        e->base = call->scratch->data;
        e->capacity = call->scratch->capacity;
    }
    e->out_size = 0;
    e->echo = 0;
    e->new_count = 0;
    e->opcode = opcode;
    e->failed = false;
    e->ops = &call_ops;
    e->instance = instance;
    e->device = object->device;
    e->at = sizeof(struct vd_record) + (call->sync ? sizeof(struct vd_reply_request) : 0);
    e->size = e->at;
    vdc_enc_reserve(e, size);
    if (e->failed) {
        vdc_call_end(call);
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    return VK_SUCCESS;
}

static VkResult send(struct vdc_call *call)
{
    struct vdc_encoder *e = &call->encoder;
    if (e->failed)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    const struct vd_record record = {
        .size = e->size,
        .opcode = call->opcode,
        .flags =
            (uint16_t)((call->sync ? VD_RECORD_REPLY : 0) | (call->shares ? VD_RECORD_SHARES : 0)),
    };
    memcpy(e->base, &record, sizeof(record));
    /* What is written in the ring stays as it is until vdc_call_end. */
    struct vdc_ring *ring = e->instance->connection->ring;
    VkResult result = VK_SUCCESS;
    if (call->scratch && call->kind == VDC_CALL_ANYWAY)
        result = vdc_ring_send_anyway(ring, e->base, &call->position);
    else if (call->scratch)
        result = vdc_ring_send(ring, e->base, &call->position);
    call->sent = result == VK_SUCCESS;
    if (e->instance->profile)
        vdc_profile_call(e->instance->profile, call->opcode, e->size);
    return result;
}

VkResult vdc_call_send(struct vdc_call *call)
{
    return call->sync ? vdc_call_wait(call) : send(call);
}

static VkResult reply_wait(struct vdc_call *call)
{
    struct vdc_instance *instance = call->encoder.instance;
    const uint64_t traced = vd_trace_begin();
    const uint64_t begun = instance->profile ? vd_clock_ns() : 0;
    const VkResult result = vdc_reply_wait(instance->connection->replies, &call->space);
    if (instance->profile)
        vdc_profile_answer(instance->profile, call->opcode, vd_clock_ns() - begun);
    vd_trace_end(traced, "wait for the answer", 0);
    return result;
}

/* The server can still write what it has answered, so that a private copy is looked at. Large answers
 * are data of the application: they stay where they are, and are copied once. */
static const uint8_t *take_answer(struct vdc_call *call, size_t size)
{
    const struct vd_reply *reply = call->space.reply;
    call->answer.reply = *reply;
    if (size > sizeof(call->answer.bytes))
        return (const uint8_t *)(reply + 1);
    memcpy(call->answer.bytes, reply + 1, size);
    return call->answer.bytes;
}

VkResult vdc_call_wait(struct vdc_call *call)
{
    struct vdc_encoder *e = &call->encoder;
    struct vdc_connection *connection = e->instance->connection;
    if (e->failed)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    const uint32_t echo_size = e->echo ? e->size - e->echo : 0;
    const uint64_t size = (uint64_t)e->out_size + echo_size;
    VkResult result = call->kind == VDC_CALL_ANYWAY
                          ? vdc_reply_begin_anyway(connection->replies, size, &call->space)
                          : vdc_reply_begin(connection->replies, size, &call->space);
    if (result != VK_SUCCESS)
        return result;
    const struct vd_reply_request request = {
        .shm = call->space.shm,
        .offset = call->space.offset,
        .out_size = e->out_size,
        .echo = e->echo,
    };
    memcpy(e->base + sizeof(struct vd_record), &request, sizeof(request));
    result = send(call);
    if (result == VK_SUCCESS)
        result = reply_wait(call);
    if (result != VK_SUCCESS)
        return result;
    const uint8_t *out = take_answer(call, (size_t)e->out_size + echo_size);
    call->fill = (struct vdc_fill){
        .record = e->base,
        .record_size = e->size,
        .out = out,
        .out_size = e->out_size,
        .echo = out + e->out_size,
        .echo_from = e->echo,
        .result = (VkResult)call->answer.reply.result,
        .shares = call->shares,
    };
    call->answered = true;
    note_refusal(e->instance, call->fill.result);
    return call->fill.result;
}

uint64_t vdc_call_value(const struct vdc_call *call)
{
    if (!call->answered)
        return 0;
    const struct vd_reply *reply = &call->answer.reply;
    return reply->value ? reply->value : (uint64_t)(uint32_t)reply->result;
}

/* The id that stands at `at`. */
static uint64_t new_id(const struct vdc_call *call, uint32_t at)
{
    uint64_t id;
    memcpy(&id, call->encoder.base + at, sizeof(id));
    return id;
}

/* The same, 0 if nothing was created. */
static uint64_t created(const struct vdc_call *call, uint32_t at)
{
    if (!call->answered)
        return !call->sync && call->sent ? new_id(call, at) : 0;
    uint64_t id = 0;
    const void *echo = vdc_fill_echo(&call->fill, at, sizeof(id));
    if (echo)
        memcpy(&id, echo, sizeof(id));
    return id == new_id(call, at) ? id : 0;
}

void vdc_call_take_new(struct vdc_call *call, void *handles, uint64_t count)
{
    const struct vdc_encoder *e = &call->encoder;
    uint64_t *out = handles;
    if (!out)
        return;
    /* A count that came back is no more than what was asked for. */
    if (call->answered && count > e->new_count)
        count = e->new_count;
    for (uint64_t i = 0; i < count; i++)
        out[i] = i < e->new_count ? created(call, e->news + (uint32_t)(8 * i)) : 0;
}

static void free_not_created(struct vdc_call *call)
{
    const struct vdc_encoder *e = &call->encoder;
    for (uint32_t i = 0; i < e->new_count; i++) {
        const uint32_t at = e->news + 8 * i;
        if (!created(call, at))
            vdc_id_free(e->instance, new_id(call, at));
    }
}

void vdc_call_end(struct vdc_call *call)
{
    struct vdc_instance *instance = call->encoder.instance;
    free_not_created(call);
    if (!call->scratch) {
        vdc_ring_write_end(instance->connection->ring, call->sent ? call->encoder.size : 0,
                           call->kind > VDC_CALL_UNLESS_SCARCE);
    } else {
        if (call->space.reply)
            vdc_reply_end(instance->connection->replies, &call->space);
        free_shares(call);
        scratch_put(instance, call->scratch);
        call->scratch = NULL;
    }
    vd_trace_end(call->traced, vd_opcode_name(call->opcode), call->encoder.size);
}
