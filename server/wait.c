/* SPDX-License-Identifier: MIT */
#include "wait.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/clock.h"

#include "args.h"
#include "context_private.h"
#include "device.h"
#include "log.h"
#include "opcodes.h"
#include "replay.h"

/* Calls of a context that wait at the same time. Who wants more is refused, as if memory had run
 * out. */
#define WAITS_MAX 256
/* How long the end of something waits for calls that use it. Shorter than a worker's deadline. */
#define DRAIN_NS VD_NS_PER_S
/* Behind each record, for drivers that believe the client about the size of its query results. */
#define SLACK 65536

/* One call, with everything that it needs; kept, with its thread, for later calls. */
struct wait {
    struct vd_waits *waits;
    struct wait *next;      /* of all */
    struct wait *next_idle; /* of those without a call */
    pthread_t thread;
    bool started; /* it has a thread */
    pthread_cond_t given;
    bool busy;                      /* the thread has a call */
    const struct vd_device *device; /* of the call */
    struct vd_decoder decoder;
    struct vd_answer answer;
    uint8_t *record;
    size_t record_capacity;
};

struct vd_waits {
    struct vd_context *context;
    pthread_mutex_t lock;
    pthread_cond_t returned; /* a call has */
    struct wait *all;
    struct wait *idle;
    uint32_t count;
    bool stop;
    bool abandoned; /* the context is gone: a thread must touch nothing but the driver */
};

static struct wait *wait_create(struct vd_waits *waits)
{
    struct wait *wait = calloc(1, sizeof(*wait));
    if (wait) {
        wait->waits = waits;
        vd_decoder_init(&wait->decoder, waits->context);
        pthread_cond_init(&wait->given, NULL);
    }
    return wait;
}

static void wait_destroy(struct wait *wait)
{
    pthread_cond_destroy(&wait->given);
    vd_decoder_finish(&wait->decoder);
    free(wait->record);
    free(wait);
}

struct vd_waits *vd_waits_create(struct vd_context *context)
{
    struct vd_waits *waits = calloc(1, sizeof(*waits));
    if (!waits) {
        return NULL;
    }
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
static bool is_used(const struct vd_waits *waits, const struct vd_device *device)
{
    for (const struct wait *wait = waits->all; wait; wait = wait->next) {
        if (wait->busy && (!device || wait->device == device)) {
            return true;
        }
    }
    return false;
}

bool vd_waits_use(struct vd_waits *waits, const struct vd_device *device)
{
    pthread_mutex_lock(&waits->lock);
    const bool used = is_used(waits, device);
    pthread_mutex_unlock(&waits->lock);
    return used;
}

/* Under the lock. */
static bool drain(struct vd_waits *waits, const struct vd_device *device)
{
    const struct timespec until = vd_clock_after(DRAIN_NS);
    int error = 0;
    while (is_used(waits, device) && error == 0) {
        error = pthread_cond_timedwait(&waits->returned, &waits->lock, &until);
    }
    return !is_used(waits, device);
}

bool vd_waits_drain(struct vd_waits *waits, const struct vd_device *device)
{
    pthread_mutex_lock(&waits->lock);
    const bool drained = drain(waits, device);
    pthread_mutex_unlock(&waits->lock);
    return drained;
}

void vd_waits_destroy(struct vd_waits *waits)
{
    if (!waits) {
        return;
    }
    pthread_mutex_lock(&waits->lock);
    const bool drained = drain(waits, NULL);
    waits->stop = true;
    waits->abandoned = !drained;
    for (struct wait *wait = waits->all; wait; wait = wait->next) {
        pthread_cond_signal(&wait->given);
    }
    pthread_mutex_unlock(&waits->lock);
    if (!drained) {
        vd_log(VD_LOG_WARNING, "a call that waits is left behind");
        return;
    }
    while (waits->all) {
        struct wait *wait = waits->all;
        waits->all = wait->next;
        if (wait->started) {
            pthread_join(wait->thread, NULL);
        }
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

/* Whatever these calls wait for may never come. Their records are in the driver's hands, and only
 * the result can be told. Under the lock. */
static void answer_lost(struct vd_waits *waits)
{
    for (struct wait *wait = waits->all; wait; wait = wait->next) {
        if (wait->busy) {
            vd_answer_send_lost(waits->context, &wait->answer);
        }
    }
}

void vd_waits_lose(struct vd_waits *waits)
{
    pthread_mutex_lock(&waits->lock);
    answer_lost(waits);
    pthread_mutex_unlock(&waits->lock);
}

static void *wait_main(void *data)
{
    struct wait *wait = data;
    struct vd_waits *waits = wait->waits;
    struct vd_decoder *d = &wait->decoder;
    pthread_mutex_lock(&waits->lock);
    for (;;) {
        while (!wait->busy && !waits->stop) {
            pthread_cond_wait(&wait->given, &waits->lock);
        }
        if (!wait->busy) {
            break;
        }
        pthread_mutex_unlock(&waits->lock);
        vd_commands[d->opcode].call(d, d->record +
                                           vd_record_body((const struct vd_record *)d->record));
        pthread_mutex_lock(&waits->lock);
        if (waits->abandoned) {
            break;
        }
        if (d->result == VK_ERROR_DEVICE_LOST) {
            vd_context_mark_lost(waits->context,
                                 "the host's driver says so to a client that waits");
            answer_lost(waits);
        }
        /* Nothing happens here if it was answered as lost before. */
        vd_answer_send(waits->context, &wait->answer, d);
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
    struct vd_waits *waits = wait->waits;
    VkResult result = VK_SUCCESS;
    pthread_mutex_lock(&waits->lock);
    wait->device = wait->decoder.owner;
    wait->busy = true;
    if (atomic_load(&waits->context->lost)) {
        result = VK_ERROR_DEVICE_LOST; /* vd_waits_lose may have passed already */
    } else if (wait->started) {
        pthread_cond_signal(&wait->given);
    } else if (pthread_create(&wait->thread, NULL, wait_main, wait) == 0) {
        wait->started = true;
    } else {
        vd_log(VD_LOG_ERROR, "no thread for a call that waits");
        result = VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    wait->busy = result == VK_SUCCESS;
    pthread_mutex_unlock(&waits->lock);
    return result;
}

/* ---- The ring's side */

/* One without a call; NULL: too many. */
static struct wait *wait_get(struct vd_waits *waits)
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

/* Makes the call without waiting. False: it would have to wait. */
static bool call_now(struct vd_decoder *d, void *body)
{
    if (d->tombstone || d->skip) {
        vd_command_call(d);
        return true;
    }
    switch (d->opcode) {
    case VD_OP_vkWaitSemaphores: {
        struct vd_args_vkWaitSemaphores *a = body;
        const uint64_t timeout = a->timeout;
        a->timeout = 0;
        vd_command_call(d);
        a->timeout = timeout;
        return d->result != VK_TIMEOUT || timeout == 0;
    }
    case VD_OP_vkGetQueryPoolResults: {
        struct vd_args_vkGetQueryPoolResults *a = body;
        const VkQueryResultFlags flags = a->flags;
        if (a->queryCount > 1 && a->stride > a->dataSize / (a->queryCount - 1)) {
            vd_dec_fail(d, "query results reach beyond their array");
            return true;
        }
        a->flags &= ~(VkQueryResultFlags)VK_QUERY_RESULT_WAIT_BIT;
        vd_command_call(d);
        a->flags = flags;
        return d->result != VK_NOT_READY || !(flags & VK_QUERY_RESULT_WAIT_BIT);
    }
    }
    return false;
}

/* Both commands write into what they echo; none has an output area. */
static bool begin(struct vd_context *context, struct vd_answer *answer,
                  const struct vd_record *record)
{
    if (!vd_answer_begin(context, answer, record)) {
        return false;
    }
    if (!answer->region || answer->request.out_size) {
        vd_answer_end(context, answer);
        return vd_malformed(record, "asks for no answer, or for output");
    }
    return true;
}

static bool refuse(struct vd_context *context, uint8_t *bytes)
{
    const struct vd_record *record = (const struct vd_record *)bytes;
    struct vd_decoder *d = &context->decoder;
    struct vd_answer answer;
    if (!begin(context, &answer, record)) {
        return false;
    }
    vd_log(VD_LOG_WARNING, "more than %d calls wait at the same time", WAITS_MAX);
    vd_decoder_begin(d, bytes, record->size, record->opcode);
    d->result = VK_ERROR_OUT_OF_HOST_MEMORY;
    vd_answer_send(context, &answer, d);
    return true;
}

bool vd_waits_execute(struct vd_waits *waits, uint8_t *bytes)
{
    struct vd_context *context = waits->context;
    const struct vd_record *record = (const struct vd_record *)bytes;
    struct wait *wait = wait_get(waits);
    if (!wait) {
        return refuse(context, bytes);
    }
    if (!begin(context, &wait->answer, record)) {
        wait_put(wait);
        return false;
    }
    bool ok = false;
    struct vd_decoder *d = &wait->decoder;
    if (!vd_buffer_reserve(&wait->record, &wait->record_capacity, record->size + SLACK)) {
        goto end_answer;
    }
    memcpy(wait->record, bytes, record->size);
    if (!vd_command_decode(d, wait->record, &wait->answer, NULL)) {
        goto end_answer;
    }
    if (!call_now(d, wait->record + vd_record_body(record))) {
        const VkResult result = hand_over(wait);
        if (result == VK_SUCCESS) {
            return true; /* all of this is the thread's now */
        }
        d->result = result;
    }
    ok = !d->failed;
    if (ok) {
        vd_answer_send(context, &wait->answer, d);
    }

end_answer:
    vd_answer_end(context, &wait->answer);
    wait_put(wait);
    return ok;
}
