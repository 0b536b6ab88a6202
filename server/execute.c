/* SPDX-License-Identifier: MIT */
#include "execute.h"

#include <stdlib.h>

#include "buffer.h"
#include "context_private.h"
#include "device.h"
#include "device_fault.h"
#include "instance.h"
#include "lanes.h"
#include "log.h"
#include "names.h"
#include "opcodes.h"
#include "own_records.h"
#include "replay.h"
#include "shm.h"
#include "turn.h"

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
    x->left = false;
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

/* Whether the client hears of it: it waits, or what it makes of a poisoned object is just as poisoned. */
static bool is_told(const struct vds_execution *x)
{
    return x->owner && (x->answer.asked || x->decoder.plan.birth_count);
}

bool vds_lose_if_poisoned(struct vds_execution *x)
{
    const bool poisoned = x->decoder.plan.notes & VDS_PLAN_POISONED;
    if (poisoned) {
        vds_context_lose(x->context, "%s uses an object whose creation failed",
                         vd_opcode_name(x->decoder.opcode));
    }
    return poisoned;
}

void vds_call_driver(struct vds_execution *x)
{
    x->command->call(x, arguments(x));
}

/* Where the client waits for the answer, nothing that comes later can depend on the call. */
uint64_t vds_call_open(struct vds_execution *x)
{
    return x->answer.asked ? vds_turn_open(x->context->turn, x) : 0;
}

void vds_call_close(struct vds_execution *x, uint64_t number)
{
    x->left = number && !vds_turn_close(x->context->turn, number);
}

static void call_in_turn(struct vds_execution *x)
{
    const bool keeps_turn = x->command->flags & VDS_COMMAND_KEEPS_TURN;
    const uint64_t number = keeps_turn ? 0 : vds_call_open(x);
    vds_call_driver(x);
    if (!keeps_turn)
        vds_call_close(x, number);
}

bool vds_call(struct vds_execution *x)
{
    struct vds_decoder *d = &x->decoder;
    if (d->plan.notes & VDS_PLAN_POISONED && is_told(x)) {
        x->result = x->command->flags & VDS_COMMAND_RESULT ? VK_ERROR_OUT_OF_DEVICE_MEMORY : 0;
        return true;
    }
    if (vds_lose_if_poisoned(x)) {
        if (x->command->flags & VDS_COMMAND_RESULT)
            x->result = VK_ERROR_DEVICE_LOST;
        return true;
    }
    if (d->plan.notes & VDS_PLAN_SKIP)
        return true;
    call_in_turn(x);
    if (x->command->flags & VDS_COMMAND_RESULT && x->result == VK_ERROR_DEVICE_LOST &&
        vds_context_lose_device(x->context, "the host's driver says so in %s",
                                vd_opcode_name(d->opcode)))
        vds_device_fault_report(x->owner);
    return !d->failed;
}

/* ---- The end */

void vds_end(struct vds_execution *x)
{
    struct vds_plan *plan = &x->decoder.plan;
    vds_answer_end(x->context, &x->answer);
    for (uint32_t i = 0; i < plan->loan_count; i++)
        vds_shm_put(x->context->shm, plan->loans[i].region);
    plan->loan_count = 0;
}
