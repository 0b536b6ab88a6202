/* SPDX-License-Identifier: MIT */
#include "wait.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/clock.h"

#include "args.h"
#include "buffer.h"
#include "context_private.h"
#include "device_fault.h"
#include "execute.h"
#include "log.h"
#include "opcodes.h"
#include "replay.h"
#include "turn.h"

/* Calls of a context that wait at the same time. Who wants more is refused, as if memory had run
 * out. */
#define WAITS_MAX 256
/* How long the end of something waits for calls that use it. Shorter than a worker's deadline. */
#define DRAIN_NS VD_NS_PER_S
/* Behind each record, for drivers that believe the client about the size of its query results. */
#define SLACK 65536

/* One call, with everything that it needs; kept, with its thread, for later calls. */
struct wait {
    struct vds_waits *waits;
    struct wait *next;      /* of all */
    struct wait *next_idle; /* of those without a call */
    pthread_t thread;
    bool started; /* it has a thread */
    pthread_cond_t given;
    bool busy;                       /* the thread has a call */
    const struct vds_device *device; /* of the call */
    struct vds_execution execution;
    uint8_t *record;
    size_t record_capacity;
};

struct vds_waits {
    struct vds_context *context;
    pthread_mutex_t lock;
    pthread_cond_t returned; /* a call has */
    struct wait *all;
    struct wait *idle;
    uint32_t count;
    bool stop;
    bool abandoned; /* the context is gone: a thread must touch nothing but the driver */
};

static struct wait *wait_create(struct vds_waits *waits)
{
    struct wait *wait = calloc(1, sizeof(*wait));
    if (wait) {
        wait->waits = waits;
        vds_execution_init(&wait->execution, waits->context);
        pthread_cond_init(&wait->given, NULL);
    }
    return wait;
}

static void wait_destroy(struct wait *wait)
{
    pthread_cond_destroy(&wait->given);
    vds_execution_finish(&wait->execution);
    free(wait->record);
    free(wait);
}

struct vds_waits *vds_waits_create(struct vds_context *context)
{
    struct vds_waits *waits = calloc(1, sizeof(*waits));
    if (!waits)
        return NULL;
    waits->context = context;
    pthread_mutex_init(&waits->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&waits->returned, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return waits;
}

/* Whether some call uses the device, or any with NULL. Under the lock. */
static bool is_used(const struct vds_waits *waits, const struct vds_device *device)
{
    for (const struct wait *wait = waits->all; wait; wait = wait->next)
        if (wait->busy && (!device || wait->device == device))
            return true;
    return false;
}

bool vds_waits_use(struct vds_waits *waits, const struct vds_device *device)
{
    pthread_mutex_lock(&waits->lock);
    const bool used = is_used(waits, device);
    pthread_mutex_unlock(&waits->lock);
    return used;
}

/* Under the lock. */
static bool drain(struct vds_waits *waits, const struct vds_device *device)
{
    const struct timespec until = vd_clock_after(DRAIN_NS);
    int error = 0;
    while (is_used(waits, device) && error == 0)
        error = pthread_cond_timedwait(&waits->returned, &waits->lock, &until);
    return !is_used(waits, device);
}

bool vds_waits_drain(struct vds_waits *waits, const struct vds_device *device)
{
    pthread_mutex_lock(&waits->lock);
    const bool drained = drain(waits, device);
    pthread_mutex_unlock(&waits->lock);
    return drained;
}

void vds_waits_destroy(struct vds_waits *waits)
{
    if (!waits)
        return;
    pthread_mutex_lock(&waits->lock);
    const bool drained = drain(waits, NULL);
    waits->stop = true;
    waits->abandoned = !drained;
    for (struct wait *wait = waits->all; wait; wait = wait->next)
        pthread_cond_signal(&wait->given);
    pthread_mutex_unlock(&waits->lock);
    if (!drained) {
        vds_log(VDS_LOG_WARNING, "a call that waits is left behind");
        return;
    }
    while (waits->all) {
        struct wait *wait = waits->all;
        waits->all = wait->next;
        if (wait->started)
            pthread_join(wait->thread, NULL);
        wait_destroy(wait);
    }
    pthread_cond_destroy(&waits->returned);
    pthread_mutex_destroy(&waits->lock);
    free(waits);
}

/* ---- A thread */

static void make_idle(struct wait *wait)
{
    wait->device = NULL;
    wait->next_idle = wait->waits->idle;
    wait->waits->idle = wait;
}

/* It waits for what is told of a loss, and not for longer than its timeout. */
static bool asks_for_loss(const struct wait *wait)
{
    return wait->execution.command->flags & VDS_COMMAND_AFTER_LOSS;
}

/* Whatever these calls wait for may never come. Their records are in the driver's hands, and only
 * the result can be told. Under the lock. */
static void answer_lost(struct vds_waits *waits)
{
    for (struct wait *wait = waits->all; wait; wait = wait->next)
        if (wait->busy && !asks_for_loss(wait))
            vds_answer_send_lost(waits->context, &wait->execution.answer);
}

void vds_waits_lose(struct vds_waits *waits)
{
    pthread_mutex_lock(&waits->lock);
    answer_lost(waits);
    pthread_mutex_unlock(&waits->lock);
}

static void *wait_main(void *data)
{
    struct wait *wait = data;
    struct vds_waits *waits = wait->waits;
    struct vds_execution *x = &wait->execution;
    pthread_mutex_lock(&waits->lock);
    for (;;) {
        while (!wait->busy && !waits->stop)
            pthread_cond_wait(&wait->given, &waits->lock);
        if (!wait->busy)
            break;
        pthread_mutex_unlock(&waits->lock);
        vds_call_driver(x);
        pthread_mutex_lock(&waits->lock);
        if (waits->abandoned)
            break;
        vds_meter_long_call_end(&waits->context->meter, x->long_call);
        bool news = false;
        if (x->result == VK_ERROR_DEVICE_LOST) {
            news = vds_context_mark_lost(waits->context,
                                         "the host's driver says so to a client that waits");
            answer_lost(waits);
        }
        /* Nothing happens here if it was answered as lost before. */
        vds_answer_send(x);
        if (news) {
            pthread_mutex_unlock(&waits->lock);
            vds_device_fault_report(x->owner);
            pthread_mutex_lock(&waits->lock);
            if (waits->abandoned)
                break;
        }
        vds_end(x);
        wait->busy = false;
        make_idle(wait);
        pthread_cond_broadcast(&waits->returned);
    }
    pthread_mutex_unlock(&waits->lock);
    return NULL;
}

/* Leaves the call to the thread: VK_SUCCESS, or why not. */
static VkResult hand_over(struct wait *wait)
{
    struct vds_waits *waits = wait->waits;
    VkResult result = VK_SUCCESS;
    struct vds_meter *meter = &waits->context->meter;
    pthread_mutex_lock(&waits->lock);
    wait->device = wait->execution.owner;
    wait->busy = true;
    wait->execution.long_call = vds_meter_long_call(meter, wait->execution.decoder.opcode);
    if (atomic_load(&waits->context->lost) && !asks_for_loss(wait)) {
        result = VK_ERROR_DEVICE_LOST; /* vds_waits_lose may have passed already */
    } else if (wait->started) {
        pthread_cond_signal(&wait->given);
    } else if (pthread_create(&wait->thread, NULL, wait_main, wait) == 0) {
        wait->started = true;
    } else {
        vds_log(VDS_LOG_ERROR, "no thread for a call that waits");
        result = VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    wait->busy = result == VK_SUCCESS;
    if (!wait->busy)
        vds_meter_long_call_end(meter, wait->execution.long_call);
    pthread_mutex_unlock(&waits->lock);
    return result;
}

/* ---- The ring's side */

/* One without a call; NULL: too many. */
static struct wait *wait_get(struct vds_waits *waits)
{
    pthread_mutex_lock(&waits->lock);
    struct wait *wait = waits->idle;
    if (wait) {
        waits->idle = wait->next_idle;
    } else if (waits->count < WAITS_MAX && (wait = wait_create(waits))) {
        wait->next = waits->all;
        waits->all = wait;
        waits->count++;
    }
    pthread_mutex_unlock(&waits->lock);
    return wait;
}

static void wait_put(struct wait *wait)
{
    pthread_mutex_lock(&wait->waits->lock);
    make_idle(wait);
    pthread_mutex_unlock(&wait->waits->lock);
}

/* Makes the call without waiting. False: malformed. *done: it need not wait. */
static bool call_now(struct vds_execution *x, bool *done)
{
    struct vds_decoder *d = &x->decoder;
    void *body = d->record + vd_record_body((const struct vd_record *)d->record);
    bool ok = true;
    *done = d->plan.notes != 0;
    if (*done)
        return vds_call(x);
    switch (d->opcode) {
    case VD_OP_vkWaitSemaphores: {
        struct vd_args_vkWaitSemaphores *a = body;
        const uint64_t timeout = a->timeout;
        a->timeout = 0;
        ok = vds_call(x);
        a->timeout = timeout;
        *done = x->result != VK_TIMEOUT || timeout == 0;
        break;
    }
    case VD_OP_vkGetQueryPoolResults: {
        struct vd_args_vkGetQueryPoolResults *a = body;
        const VkQueryResultFlags flags = a->flags;
        if (a->queryCount > 1 && a->stride > a->dataSize / (a->queryCount - 1))
            return vds_dec_fail(d, "query results reach beyond their array");
        a->flags &= ~(VkQueryResultFlags)VK_QUERY_RESULT_WAIT_BIT;
        ok = vds_call(x);
        a->flags = flags;
        *done = x->result != VK_NOT_READY || !(flags & VK_QUERY_RESULT_WAIT_BIT);
        break;
    }
    }
    return ok;
}

/* Another thread may have taken the turn during call_now(). */
static bool end_turn(struct vds_execution *x)
{
    const bool left = x->left;
    if (left)
        vds_turn_return(x->context->turn, x);
    x->left = false;
    return left;
}

/* Decodes and calls, leaving a call that has to wait to the thread: *given. False: malformed. *left:
 * another thread has the turn. */
static bool begin(struct wait *wait, bool *given, bool *left)
{
    struct vds_execution *x = &wait->execution;
    bool done;
    if (!vds_decode(x, wait->record) || !vds_wait(x))
        return false;
    const bool ok = call_now(x, &done);
    if (ok && done)
        vds_answer_send(x);
    *left = end_turn(x);
    if (ok && !done) {
        const VkResult result = hand_over(wait);
        *given = result == VK_SUCCESS;
        if (*given)
            return true; /* all of this is the thread's now */
        x->result = result;
        vds_answer_send(x);
    }
    return ok;
}

static bool refuse(struct vds_execution *x, uint8_t *record)
{
    vds_log(VDS_LOG_WARNING, "more than %d calls wait at the same time", WAITS_MAX);
    const bool ok = vds_decode(x, record) && vds_wait(x);
    if (ok) {
        x->result = VK_ERROR_OUT_OF_HOST_MEMORY;
        vds_answer_send(x);
    }
    vds_end(x);
    return ok;
}

enum vds_executed vds_waits_execute(struct vds_waits *waits, uint8_t *bytes)
{
    const uint32_t size = ((const struct vd_record *)bytes)->size;
    struct wait *wait = wait_get(waits);
    if (!wait)
        return refuse(vds_turn_execution(waits->context->turn), bytes) ? VDS_EXECUTED
                                                                       : VDS_MALFORMED;
    bool ok = false, given = false, left = false;
    if (vds_buffer_reserve(&wait->record, &wait->record_capacity, size + SLACK)) {
        memcpy(wait->record, bytes, size);
        ok = begin(wait, &given, &left);
        if (!given)
            vds_end(&wait->execution);
    }
    if (!given)
        wait_put(wait);
    return !ok ? VDS_MALFORMED : left ? VDS_LEFT : VDS_EXECUTED;
}
