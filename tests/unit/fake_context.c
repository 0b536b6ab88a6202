/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_context.h"
#include "server/futex.h"
#include "server/log.h"

_Atomic uint64_t fake_numbers[FAKE_THREADS];
_Atomic bool fake_closed;

struct vds_context {
    struct vds_shm_table *shm;
    struct vd_completion *completion;
    _Atomic uint32_t stop;
};

static uint8_t filler(uint64_t number, size_t i)
{
    return (uint8_t)(number * 31 + i * 7 + (i >> 8));
}

void fake_fill(void *data, uint32_t size, uint16_t opcode, const struct vd_reply_request *reply,
               uint32_t thread, uint64_t number)
{
    struct vd_record *record = data;
    *record = (struct vd_record){
        .size = size,
        .opcode = opcode,
        .flags = reply ? VD_RECORD_REPLY : 0,
    };
    if (reply)
        memcpy(record + 1, reply, sizeof(*reply));
    struct fake_sequence *sequence =
        (struct fake_sequence *)((uint8_t *)data + vd_record_body(record));
    *sequence = (struct fake_sequence){.thread = thread, .number = number};
    for (uint8_t *byte = (uint8_t *)(sequence + 1); byte < (uint8_t *)data + size; byte++)
        *byte = filler(number, (size_t)(byte - (uint8_t *)data));
}

struct vds_context *vds_context_create(const struct vds_context_options *options,
                                       struct vds_shm_table *shm)
{
    (void)options;
    struct vds_context *context = calloc(1, sizeof(*context));
    if (context) {
        context->shm = shm;
        for (int i = 0; i < FAKE_THREADS; i++)
            atomic_store(&fake_numbers[i], 0);
    }
    return context;
}

void vds_context_set_guest(struct vds_context *context)
{
    (void)context;
}

void vds_context_warm(struct vds_context *context)
{
    (void)context;
}

bool vds_context_destroy(struct vds_context *context)
{
    free(context);
    return true;
}

void vds_context_set_completion(struct vds_context *context, struct vd_completion *page,
                                uint64_t size)
{
    (void)size;
    context->completion = page;
}

static bool check(const struct vd_record *record)
{
    const uint8_t *bytes = (const uint8_t *)record;
    const uint32_t body = vd_record_body(record);
    struct fake_sequence sequence;
    if (record->size < body + sizeof(sequence))
        return false;
    memcpy(&sequence, bytes + body, sizeof(sequence));
    if (sequence.thread >= FAKE_THREADS)
        return false;
    for (size_t i = body + sizeof(sequence); i < record->size; i++) {
        if (bytes[i] != filler(sequence.number, i)) {
            vds_log(VDS_LOG_ERROR, "byte %zu of record %llu differs", i,
                    (unsigned long long)sequence.number);
            return false;
        }
    }
    if (sequence.number != atomic_load(&fake_numbers[sequence.thread]) + 1) {
        vds_log(VDS_LOG_ERROR, "record %llu is out of order", (unsigned long long)sequence.number);
        return false;
    }
    atomic_store(&fake_numbers[sequence.thread], sequence.number);
    return true;
}

static bool check_pieces(const struct vd_record *record)
{
    const uint64_t *words = (const uint64_t *)(record + 1);
    const uint64_t *end = (const uint64_t *)((const uint8_t *)record + record->size);
    if (end - words < 2 || *words >= FAKE_THREADS)
        return false;
    _Atomic uint64_t *last = &fake_numbers[*words];
    while (++words < end) {
        if (*words != atomic_load(last) + 1) {
            vds_log(VDS_LOG_ERROR, "piece %llu is out of order", (unsigned long long)*words);
            return false;
        }
        atomic_store(last, *words);
    }
    return true;
}

static bool answer(struct vds_context *context, const struct vd_record *record)
{
    const struct vd_reply_request *request = (const struct vd_reply_request *)(record + 1);
    const struct fake_sequence *sequence =
        (const struct fake_sequence *)((const uint8_t *)record + vd_record_body(record));
    struct vds_shm_region *region =
        vds_shm_get(context->shm, request->shm, request->offset,
                    sizeof(struct vd_reply) + (uint64_t)request->out_size);
    if (!region || request->out_size > record->size)
        return false;
    struct vd_reply *reply = (struct vd_reply *)(region->map + request->offset);
    memcpy(reply + 1, record, request->out_size);
    reply->value = sequence->number;
    _Atomic uint32_t *state = (_Atomic uint32_t *)&reply->state;
    if (atomic_exchange(state, VD_REPLY_DONE) == VD_REPLY_WAITING)
        vds_wake(state);
    vds_shm_put(context->shm, region);
    return true;
}

static void complete(struct vds_context *context, const struct vd_record *record)
{
    const struct fake_sequence *sequence = (const struct fake_sequence *)(record + 1);
    struct vd_completion *page = context->completion;
    atomic_store_explicit(&page->queues[0].done, sequence->number, memory_order_release);
    if (vd_completion_changed(page))
        vds_wake(&page->event);
}

enum vds_executed vds_context_execute(struct vds_context *context, uint8_t *records, size_t size)
{
    while (atomic_load(&fake_closed))
        usleep(500);
    for (size_t offset = 0; offset < size;) {
        const struct vd_record *record = (const struct vd_record *)(records + offset);
        if (record->opcode == FAKE_ABORT)
            abort();
        if (record->opcode == FAKE_BLOCK)
            for (;;)
                pause();
        if (record->opcode < FAKE_SEQUENCE || record->opcode >= FAKE_BAD ||
            !(record->opcode == FAKE_PIECES ? check_pieces(record) : check(record))) {
            vds_log(VDS_LOG_WARNING, "protocol error: record %u", record->opcode);
            return VDS_MALFORMED;
        }
        if (record->opcode == FAKE_ECHO && !answer(context, record))
            return VDS_MALFORMED;
        if (record->opcode == FAKE_COMPLETE)
            complete(context, record);
        offset += record->size;
    }
    return VDS_EXECUTED;
}

bool vds_context_await(struct vds_context *context)
{
    while (!atomic_load(&context->stop))
        vds_futex_wait(&context->stop, 0);
    return false;
}

void vds_context_stop(struct vds_context *context)
{
    atomic_store(&context->stop, 1);
    vds_futex_wake(&context->stop);
}

void vds_context_fail(struct vds_context *context)
{
    (void)context;
}

void vds_context_resume(struct vds_context *context)
{
    (void)context;
}

bool vds_context_idle(struct vds_context *context)
{
    (void)context;
    return true;
}

void vds_context_look(struct vds_context *context)
{
    (void)context;
}

void vds_context_leave(struct vds_context *context)
{
    (void)context;
}

void vds_capset_fill(struct vd_capset *capset)
{
    static const char extensions[] = "VK_KHR_first\0VK_EXT_second";
    *capset = (struct vd_capset){
        .protocol_version = VD_PROTOCOL_VERSION,
        .registry_version = 1,
        .extensions_size = sizeof(extensions),
    };
    memcpy(capset->extensions, extensions, sizeof(extensions));
}
