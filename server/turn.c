/* SPDX-License-Identifier: MIT */
#include "turn.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"

#include "context_private.h"
#include "execution.h"
#include "futex.h"

/* How often the watcher looks. A call is long that it sees twice. */
#define TICK_NS 400000
/* How long the end of a device waits for calls that use it. Shorter than a worker's deadline. */
#define DRAIN_NS VD_NS_PER_S
/* In `state`: a call in which the turn may be taken; and from one call's number to the next. */
#define OPEN UINT64_C(1)
#define CALL UINT64_C(2)

struct vds_turn {
    struct vds_context *context;
    /* The number of the last call. It is OPEN until the thread that makes it, or the watcher, takes
     * that away; and whoever of them does has the turn. */
    _Atomic uint64_t state;
    _Atomic uint32_t watched; /* the watcher looks again by itself; a futex word */
    _Atomic bool stop;

    struct vds_execution *execution; /* of the thread that has the turn */
    struct vds_execution *open;      /* of the last call: this one, or one that wait.c owns */

    pthread_mutex_t lock;
    pthread_cond_t returned;    /* a call that lost the turn has */
    struct vds_execution *left; /* calls that lost the turn */
    struct vds_execution *spare;
};

static struct vds_execution *execution_create(struct vds_context *context)
{
    struct vds_execution *x = vds_execution_create(context);
    if (x)
        x->of_turn = true;
    return x;
}

struct vds_turn *vds_turn_create(struct vds_context *context)
{
    struct vds_turn *turn = calloc(1, sizeof(*turn));
    if (!turn)
        return NULL;
    turn->context = context;
    turn->execution = execution_create(context);
    if (!turn->execution) {
        free(turn);
        return NULL;
    }
    pthread_mutex_init(&turn->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&turn->returned, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return turn;
}

void vds_turn_destroy(struct vds_turn *turn)
{
    if (!turn)
        return;
    vds_execution_destroy(turn->execution);
    while (turn->spare) {
        struct vds_execution *x = turn->spare;
        turn->spare = x->next;
        vds_execution_destroy(x);
    }
    pthread_cond_destroy(&turn->returned);
    pthread_mutex_destroy(&turn->lock);
    free(turn);
}

struct vds_execution *vds_turn_execution(const struct vds_turn *turn)
{
    return turn->execution;
}

/* ---- A call */

uint64_t vds_turn_open(struct vds_turn *turn, struct vds_execution *x)
{
    turn->open = x;
    const uint64_t number = atomic_load_explicit(&turn->state, memory_order_relaxed) + CALL + OPEN;
    /* Dekker's pattern with rest(): either this finds that the watcher has gone to sleep, or that
     * finds that there was a call. Release: whoever takes the turn sees what was done in it. */
    atomic_store(&turn->state, number);
    if (!atomic_load(&turn->watched) && !atomic_exchange(&turn->watched, 1))
        vds_futex_wake(&turn->watched);
    return number;
}

bool vds_turn_close(struct vds_turn *turn, uint64_t number)
{
    return atomic_compare_exchange_strong(&turn->state, &number, number - OPEN);
}

void vds_turn_return(struct vds_turn *turn, struct vds_execution *x)
{
    pthread_mutex_lock(&turn->lock);
    vds_meter_long_call_end(&turn->context->meter, x->long_call); /* which take() has begun */
    struct vds_execution **link = &turn->left;
    while (*link != x)
        link = &(*link)->next;
    *link = x->next;
    if (x->of_turn) {
        x->next = turn->spare;
        turn->spare = x;
    }
    pthread_cond_broadcast(&turn->returned);
    pthread_mutex_unlock(&turn->lock);
}

static bool is_used(const struct vds_turn *turn, const struct vds_device *device)
{
    for (const struct vds_execution *x = turn->left; x; x = x->next)
        if (x->owner == device)
            return true;
    return false;
}

bool vds_turn_drain(struct vds_turn *turn, const struct vds_device *device)
{
    const struct timespec until = vd_clock_after(DRAIN_NS);
    int error = 0;
    pthread_mutex_lock(&turn->lock);
    while (is_used(turn, device) && error == 0)
        error = pthread_cond_timedwait(&turn->returned, &turn->lock, &until);
    const bool drained = !is_used(turn, device);
    pthread_mutex_unlock(&turn->lock);
    return drained;
}

/* ---- The watcher */

/* Takes the turn from the call that `state` tells. False: it has ended, or there is no memory. */
static bool take(struct vds_turn *turn, uint64_t state)
{
    pthread_mutex_lock(&turn->lock);
    struct vds_execution *mine = turn->spare;
    if (mine)
        turn->spare = mine->next;
    else
        mine = execution_create(turn->context);
    const bool taken = mine && atomic_compare_exchange_strong(&turn->state, &state, state - OPEN);
    if (taken) {
        struct vds_meter *meter = &turn->context->meter;
        vds_meter_end(meter);
        turn->open->long_call = vds_meter_long_call(meter, turn->open->decoder.opcode);
        turn->open->next = turn->left;
        turn->left = turn->open;
    }
    if (taken && turn->open == turn->execution) {
        turn->execution = mine;
    } else if (mine) {
        mine->next = turn->spare;
        turn->spare = mine;
    }
    pthread_mutex_unlock(&turn->lock);
    return taken;
}

/* There was no call since the last look. */
static void rest(struct vds_turn *turn, uint64_t seen)
{
    atomic_store(&turn->watched, 0);
    if (atomic_load(&turn->state) != seen)
        atomic_store(&turn->watched, 1);
}

bool vds_turn_await(struct vds_turn *turn)
{
    static const struct timespec tick = {.tv_nsec = TICK_NS};
    uint64_t seen = atomic_load(&turn->state);
    for (;;) {
        while (!atomic_load(&turn->watched) && !atomic_load(&turn->stop))
            vds_futex_wait(&turn->watched, 0);
        if (atomic_load(&turn->stop))
            return false;
        nanosleep(&tick, NULL);
        const uint64_t state = atomic_load(&turn->state);
        if (state == seen && !(state & OPEN))
            rest(turn, seen);
        else if (state == seen && take(turn, state))
            return true;
        seen = state;
    }
}

void vds_turn_stop(struct vds_turn *turn)
{
    atomic_store(&turn->stop, true);
    atomic_store(&turn->watched, 1);
    vds_futex_wake(&turn->watched);
}
