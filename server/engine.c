/* SPDX-License-Identifier: MIT
 *
 * The engine: the thread that has the turn takes the ring's records, one after another, through all
 * steps.
 */
#include <stdatomic.h>

#include "common/trace.h"

#include "context.h"
#include "context_private.h"
#include "execute.h"
#include "lanes.h"
#include "log.h"
#include "names.h"
#include "opcodes.h"
#include "replay.h"
#include "turn.h"
#include "wait.h"

/* Later ones are not news. */
#define FAILURES_LOGGED 100

/* A call that waits was answered when the device was lost, but may still be in the driver; what it
 * waits for must stay. */
static bool must_stay(const struct vds_execution *x)
{
    return x->command->flags & VDS_COMMAND_WAITED &&
           atomic_load_explicit(&x->context->lost, memory_order_relaxed) &&
           vds_waits_use(x->context->waits, x->owner);
}

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

static bool is_blocking(uint16_t opcode)
{
    return opcode < VD_OP_COUNT && vds_commands[opcode].flags & VDS_COMMAND_BLOCKING;
}

static bool execute_here(struct vds_execution *x, uint8_t *record)
{
    const bool ok =
        vds_decode(x, record) && vds_wait(x) && (must_stay(x) || vds_call(x)) && vds_commit(x);
    if (ok) {
        if (!x->answer.asked)
            note_failure(x);
        vds_answer_send(x);
    }
    vds_end(x);
    return ok;
}

static enum vds_executed execute_in_turn(struct vds_context *context, uint8_t *record)
{
    struct vds_execution *x = vds_turn_execution(context->turn);
    const bool ok = execute_here(x, record);
    const bool left = x->left;
    if (left)
        vds_turn_return(context->turn, x);
    return !ok ? VDS_MALFORMED : left ? VDS_LEFT : VDS_EXECUTED;
}

/* A record in a private copy, which is modified. */
static enum vds_executed execute(struct vds_context *context, uint8_t *bytes)
{
    const struct vd_record record = *(const struct vd_record *)bytes;
    if (record.opcode == VD_OP_NOP)
        return VDS_EXECUTED;
    const uint64_t traced = vd_trace_begin();
    vds_meter_begin(&context->meter, record.opcode, record.size);
    const enum vds_executed executed = is_blocking(record.opcode)
                                           ? vds_waits_execute(context->waits, bytes)
                                           : execute_in_turn(context, bytes);
    if (executed != VDS_LEFT) /* else the turn is another thread's */
        vds_meter_end(&context->meter);
    vd_trace_end(traced, vd_opcode_name(record.opcode), record.size);
    return executed;
}

enum vds_executed vds_context_execute(struct vds_context *context, uint8_t *records, size_t size)
{
    while (size) {
        const struct vd_record *record = (const struct vd_record *)records;
        if (size < sizeof(*record) || record->size < sizeof(*record) ||
            record->size % VD_ALIGN != 0 || record->size > size) {
            vds_log(VDS_LOG_WARNING, "protocol error: a record that is cut short");
            return VDS_MALFORMED;
        }
        const uint32_t step = record->size;
        const enum vds_executed executed = execute(context, records);
        if (executed != VDS_EXECUTED)
            return executed;
        records += step;
        size -= step;
    }
    return VDS_EXECUTED;
}

bool vds_context_await(struct vds_context *context)
{
    return vds_turn_await(context->turn);
}

void vds_context_stop(struct vds_context *context)
{
    vds_turn_stop(context->turn);
}

void vds_context_fail(struct vds_context *context)
{
    if (context->options.failed)
        context->options.failed(context->options.data);
}

void vds_context_resume(struct vds_context *context)
{
    vds_meter_resume(&context->meter);
}

bool vds_context_idle(struct vds_context *context)
{
    vds_lanes_idle(context->lanes);
    return !vds_lanes_failed(context->lanes);
}
