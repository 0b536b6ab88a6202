/* SPDX-License-Identifier: MIT */
#include "execute.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "common/trace.h"

#include "buffer.h"
#include "context_private.h"
#include "device.h"
#include "lanes.h"
#include "log.h"
#include "names.h"
#include "opcodes.h"
#include "own_records.h"
#include "replay.h"
#include "shm.h"
#include "wait.h"

/* Later ones are not news. */
#define FAILURES_LOGGED 100

void vds_execution_init(struct vds_execution *x, struct vds_context *context)
{
    *x = (struct vds_execution){.context = context};
    vds_decoder_init(&x->decoder, &context->objects);
}

void vds_execution_finish(struct vds_execution *x)
{
    vds_decoder_finish(&x->decoder);
    free(x->out);
    *x = (struct vds_execution){0};
}

static uint8_t *arguments(const struct vds_execution *x)
{
    uint8_t *record = x->decoder.record;
    return record + vd_record_body((const struct vd_record *)record);
}

/* ---- Decode */

/* NULL: there is no such record. */
static const struct vds_command *command_of(uint16_t opcode)
{
    const struct vds_command *command = NULL;
    if (opcode < VDS_OWN_RECORDS)
        command = &vds_own_records[opcode];
    else if (opcode < VD_OP_COUNT)
        command = &vds_commands[opcode];
    return command && (command->decode || command->replay) ? command : NULL;
}

/* Whether such a record may stand in the ring, at this time. */
static bool is_in_place(struct vds_execution *x)
{
    struct vds_decoder *d = &x->decoder;
    const bool creates = d->opcode == VD_OP_vkCreateInstance;
    if (x->command->replay || d->opcode == VD_OP_vkEndCommandBuffer)
        return vds_dec_fail(d, "outside of a stream");
    if (!x->context->instance && d->opcode >= VDS_OWN_RECORDS && !creates)
        return vds_dec_fail(d, "before vkCreateInstance");
    if (x->context->instance && creates)
        return vds_dec_fail(d, "a second instance");
    if (x->command->flags & VDS_COMMAND_SILENT && ((struct vd_record *)d->record)->flags)
        return vds_dec_fail(d, "asks for a reply");
    return true;
}

/* Memory for the output area, which is where pointers into it will lead. */
static bool reserve_output(struct vds_execution *x)
{
    struct vds_decoder *d = &x->decoder;
    const uint32_t size = x->answer.request.out_size;
    if (size) {
        if (!vds_buffer_reserve(&x->out, &x->out_capacity, size))
            return vds_dec_fail(d, "no memory for its output");
        memset(x->out, 0, size);
    }
    d->out = x->out;
    d->out_size = size;
    d->echo = x->answer.request.echo;
    return true;
}

bool vds_decode(struct vds_execution *x, uint8_t *bytes)
{
    const struct vd_record *record = (const struct vd_record *)bytes;
    struct vds_decoder *d = &x->decoder;
    vds_decoder_begin(d, bytes, record->size, record->opcode);
    x->answer = (struct vds_answer){0};
    x->result = 0;
    x->value = 0;
    x->command = command_of(record->opcode);
    if (!x->command) {
        vds_log(VDS_LOG_WARNING, "protocol error: no command has the number %u", record->opcode);
        return false;
    }
    if (!is_in_place(x) || !vds_answer_read(x) || !reserve_output(x))
        return false;
    const uint32_t body = vd_record_body(record);
    if (record->size < body + x->command->size)
        return vds_dec_fail(d, "arguments that are cut short");
    d->cursor = body + x->command->size;
    if (!x->command->decode(d, bytes + body) || d->failed)
        return false;
    if (d->cursor != d->size)
        return vds_dec_fail(d, "more bytes than its arguments need");
    if (d->out_cursor != d->out_size)
        return vds_dec_fail(d, "more output area than its arguments need");
    if (x->command->flags & VDS_COMMAND_ANSWERED && !x->answer.asked)
        return vds_dec_fail(d, "asks for no answer");
    x->instance = x->context->instance ? &x->context->instance->dispatch : NULL;
    x->owner = d->owner_index ? vds_object_links(d->objects, d->owner_index)->data : NULL;
    x->device = x->owner ? &x->owner->dispatch : NULL;
    return true;
}

/* ---- Wait */

void vds_wait_for_recordings(struct vds_execution *x)
{
    struct vds_plan *plan = &x->decoder.plan;
    for (uint32_t i = 0; i < plan->recording_count; i++)
        vds_lanes_wait(x->context->lanes, plan->recordings[i]);
    plan->recording_count = 0;
}

static bool hold_loans(struct vds_execution *x)
{
    struct vds_plan *plan = &x->decoder.plan;
    for (uint32_t i = 0; i < plan->loan_count; i++) {
        struct vds_loan *loan = &plan->loans[i];
        const uint64_t offset = vd_shm_pointer_offset(loan->pointer);
        loan->region =
            vds_shm_get(x->context->shm, vd_shm_pointer_id(loan->pointer), offset, loan->size);
        if (!loan->region) {
            vds_log(VDS_LOG_WARNING, "protocol error: %s: %s: outside of shared memory",
                    vd_opcode_name(x->decoder.opcode), loan->what);
            return false;
        }
        *loan->where = loan->region->map + offset;
    }
    return true;
}

bool vds_wait(struct vds_execution *x)
{
    vds_wait_for_recordings(x);
    if (x->command->flags & VDS_COMMAND_SETTLES)
        vds_lanes_wait_all(x->context->lanes);
    return vds_answer_hold(x) && hold_loans(x) && vds_doom(x);
}

/* ---- Call */

bool vds_lose_if_poisoned(struct vds_execution *x)
{
    const bool poisoned = x->decoder.plan.notes & VDS_PLAN_POISONED;
    if (poisoned) {
        vds_context_lose(x->context, "%s uses an object whose creation failed",
                         vd_opcode_name(x->decoder.opcode));
    }
    return poisoned;
}

/* A call that waits was answered when the device was lost, but may still be in the driver; what it
 * waits for must stay. */
static bool must_stay(const struct vds_execution *x)
{
    return x->command->flags & VDS_COMMAND_WAITED &&
           atomic_load_explicit(&x->context->lost, memory_order_relaxed) &&
           vds_waits_use(x->context->waits, x->owner);
}

void vds_call_driver(struct vds_execution *x)
{
    x->command->call(x, arguments(x));
}

bool vds_call(struct vds_execution *x)
{
    struct vds_decoder *d = &x->decoder;
    if (vds_lose_if_poisoned(x)) {
        if (x->command->flags & VDS_COMMAND_RESULT)
            x->result = VK_ERROR_DEVICE_LOST;
        return true;
    }
    if (d->plan.notes & VDS_PLAN_SKIP || must_stay(x))
        return true;
    vds_call_driver(x);
    if (x->command->flags & VDS_COMMAND_RESULT && x->result == VK_ERROR_DEVICE_LOST)
        vds_context_lose(x->context, "the host's driver says so in %s", vd_opcode_name(d->opcode));
    return !d->failed;
}

/* ---- The end */

/* The client went on without waiting for this result. */
static void note_failure(struct vds_execution *x)
{
    const uint32_t flags = x->command->flags;
    const struct vds_decoder *d = &x->decoder;
    struct vds_context *context = x->context;
    if (!(flags & VDS_COMMAND_RESULT) || x->result >= 0 || d->plan.notes & VDS_PLAN_POISONED)
        return;
    if (context->failures < FAILURES_LOGGED) {
        context->failures++;
        vds_log(VDS_LOG_WARNING, "%s failed: %s", vd_opcode_name(d->opcode),
                vd_result_name((VkResult)x->result));
    }
    if (d->plan.birth_count == 0 && !(flags & VDS_COMMAND_FORGIVEN)) {
        vds_context_lose(context, "%s failed, and nobody waited for its result",
                         vd_opcode_name(d->opcode));
    }
}

void vds_end(struct vds_execution *x)
{
    struct vds_plan *plan = &x->decoder.plan;
    vds_answer_end(x->context, &x->answer);
    for (uint32_t i = 0; i < plan->loan_count; i++)
        vds_shm_put(x->context->shm, plan->loans[i].region);
    plan->loan_count = 0;
}

static bool execute(struct vds_execution *x, uint8_t *record)
{
    const bool ok = vds_decode(x, record) && vds_wait(x) && vds_call(x) && vds_commit(x);
    if (ok) {
        if (!x->answer.asked)
            note_failure(x);
        vds_answer_send(x);
    }
    vds_end(x);
    return ok;
}

bool vds_execute(struct vds_context *context, uint8_t *bytes)
{
    const struct vd_record record = *(const struct vd_record *)bytes;
    if (record.opcode == VD_OP_NOP)
        return true;
    const struct vds_command *command = command_of(record.opcode);
    const uint64_t traced = vd_trace_begin();
    const bool ok = command && command->flags & VDS_COMMAND_BLOCKING
                        ? vds_waits_execute(context->waits, bytes)
                        : execute(&context->execution, bytes);
    vd_trace_end(traced, vd_opcode_name(record.opcode), record.size);
    return ok;
}
