/* SPDX-License-Identifier: MIT */
#include "lanes.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/trace.h"

#include "context_private.h"
#include "log.h"

/* Streams that are posted and not yet replayed: enough for all threads, and a limit to memory. */
#define POSTED_MAX 64
/* Streams shorter than this are replayed sooner than somebody wakes up. */
#define WORTH_WAKING 4096
/* After streams of different lanes were there at once, helpers are expected to be of use again for
 * as many streams. */
#define EAGER_STREAMS 16
/* Memory that a job keeps. */
#define KEPT (UINT32_C(8) << 20)

struct vd_lane {
    _Atomic uint32_t posted; /* jobs that have not ended; only the engine adds */
    bool busy;               /* one of them is being replayed */
};

struct vd_lanes {
    struct vd_context *context;
    _Atomic bool failed;

    /* The engine's. */
    struct vd_job *unused;
    uint32_t eager;

    pthread_mutex_t lock;
    pthread_cond_t work;         /* for helpers */
    pthread_cond_t ended;        /* for the engine: a job has */
    struct vd_job *first, *last; /* posted, in that order, until they have ended */
    struct vd_job *done;         /* ended, for the engine to take back */
    _Atomic uint32_t posted;     /* as of a lane */
    uint32_t idle;               /* helpers that wait for work */
    bool stop;
    uint32_t thread_count, thread_max;
    pthread_t threads[];
};

struct vd_lanes *vd_lanes_create(struct vd_context *context, uint32_t threads)
{
    struct vd_lanes *lanes = calloc(1, sizeof(*lanes) + threads * sizeof(*lanes->threads));
    if (lanes) {
        lanes->context = context;
        lanes->thread_max = threads;
        pthread_mutex_init(&lanes->lock, NULL);
        pthread_cond_init(&lanes->work, NULL);
        pthread_cond_init(&lanes->ended, NULL);
    }
    return lanes;
}

static void free_jobs(struct vd_job *job)
{
    while (job) {
        struct vd_job *next = job->next;
        vds_execution_finish(&job->execution);
        free(job->bytes);
        free(job);
        job = next;
    }
}

void vd_lanes_stop(struct vd_lanes *lanes)
{
    if (!lanes) {
        return;
    }
    pthread_mutex_lock(&lanes->lock);
    lanes->stop = true;
    pthread_cond_broadcast(&lanes->work);
    pthread_mutex_unlock(&lanes->lock);
    for (uint32_t i = 0; i < lanes->thread_count; i++) {
        pthread_join(lanes->threads[i], NULL);
    }
    lanes->thread_count = 0;
    free_jobs(lanes->first);
    lanes->first = lanes->last = NULL;
}

void vd_lanes_destroy(struct vd_lanes *lanes)
{
    if (!lanes) {
        return;
    }
    free_jobs(lanes->done);
    free_jobs(lanes->unused);
    pthread_cond_destroy(&lanes->ended);
    pthread_cond_destroy(&lanes->work);
    pthread_mutex_destroy(&lanes->lock);
    free(lanes);
}

/* ---- Replaying */

/* The oldest job whose lane is free, of one lane or with NULL of any. Under the lock. */
static struct vd_job *find(const struct vd_lanes *lanes, const struct vd_lane *lane)
{
    for (struct vd_job *job = lanes->first; job; job = job->next) {
        if (!job->running && !job->lane->busy && (!lane || job->lane == lane)) {
            return job;
        }
    }
    return NULL;
}

static void unlink_job(struct vd_lanes *lanes, struct vd_job *job)
{
    *(job->previous ? &job->previous->next : &lanes->first) = job->next;
    *(job->next ? &job->next->previous : &lanes->last) = job->previous;
}

static void fail(struct vd_lanes *lanes)
{
    const struct vd_context_options *options = &lanes->context->options;
    if (!atomic_exchange(&lanes->failed, true) && options->failed) {
        options->failed(options->data); /* the engine may sleep */
    }
}

/* Under the lock, which is released meanwhile. */
static void run(struct vd_lanes *lanes, struct vd_job *job)
{
    struct vd_lane *lane = job->lane;
    job->running = true;
    lane->busy = true;
    pthread_mutex_unlock(&lanes->lock);
    const uint64_t traced = vd_trace_begin();
    if (!vd_lanes_failed(lanes) && !vd_stream_replay(job)) {
        fail(lanes);
    }
    vd_trace_end(traced, "replay", job->size);
    pthread_mutex_lock(&lanes->lock);
    unlink_job(lanes, job);
    job->next = lanes->done;
    lanes->done = job;
    lane->busy = false;
    /* release: who finds 0 without the lock sees what was replayed, and may free the lane. */
    atomic_fetch_sub_explicit(&lane->posted, 1, memory_order_release);
    atomic_fetch_sub_explicit(&lanes->posted, 1, memory_order_release);
}

static void *helper_main(void *data)
{
    struct vd_lanes *lanes = data;
    pthread_mutex_lock(&lanes->lock);
    while (!lanes->stop) {
        struct vd_job *job = find(lanes, NULL);
        if (job) {
            run(lanes, job);
            pthread_cond_signal(&lanes->ended);
            continue;
        }
        lanes->idle++;
        pthread_cond_wait(&lanes->work, &lanes->lock);
        lanes->idle--;
    }
    pthread_mutex_unlock(&lanes->lock);
    return NULL;
}

/* Under the lock. */
static void wake_helper(struct vd_lanes *lanes)
{
    if (lanes->idle) {
        pthread_cond_signal(&lanes->work);
        return;
    }
    if (lanes->thread_count == lanes->thread_max) {
        return;
    }
    pthread_t *thread = &lanes->threads[lanes->thread_count];
    if (pthread_create(thread, NULL, helper_main, lanes) != 0) {
        vd_log(VD_LOG_WARNING, "no thread to replay on");
        lanes->thread_max = lanes->thread_count;
        return;
    }
    pthread_setname_np(*thread, "viaduct-lane");
    lanes->thread_count++;
}

/* ---- The engine */

/* Under the lock. */
static void run_here(struct vd_lanes *lanes, struct vd_job *job)
{
    run(lanes, job);
    /* Its lane's next one may have waited for this one only. */
    if (lanes->eager && find(lanes, NULL)) {
        wake_helper(lanes);
    }
}

void vd_lanes_give_back(struct vd_lanes *lanes, struct vd_job *job)
{
    job->next = lanes->unused;
    lanes->unused = job;
}

/* Takes back what has ended. Under the lock. */
static void reclaim(struct vd_lanes *lanes)
{
    while (lanes->done) {
        struct vd_job *job = lanes->done;
        lanes->done = job->next;
        /* One large buffer is kept, not one for each. */
        if (lanes->unused && job->capacity > KEPT) {
            free(job->bytes);
            job->bytes = NULL;
            job->capacity = 0;
        }
        vd_lanes_give_back(lanes, job);
    }
}

struct vd_job *vd_lanes_take(struct vd_lanes *lanes)
{
    pthread_mutex_lock(&lanes->lock);
    reclaim(lanes);
    pthread_mutex_unlock(&lanes->lock);
    struct vd_job *job = lanes->unused;
    if (job) {
        lanes->unused = job->next;
        return job;
    }
    job = calloc(1, sizeof(*job));
    if (job) {
        vds_execution_init(&job->execution, lanes->context);
    } else {
        vd_log(VD_LOG_ERROR, "out of memory for a stream");
    }
    return job;
}

/* Where a pool's lane is, if it has one. */
static struct vd_lane **place_of(const struct vd_lanes *lanes, uint32_t pool)
{
    return (struct vd_lane **)&vd_object_links(&lanes->context->objects, pool)->data;
}

struct vd_lane *vd_lanes_of(struct vd_lanes *lanes, uint32_t pool)
{
    struct vd_lane **place = place_of(lanes, pool);
    if (!*place && lanes->thread_max) {
        *place = calloc(1, sizeof(**place));
    }
    return *place;
}

void vd_lane_destroy(struct vd_lane *lane)
{
    free(lane);
}

/* Until at most `most` of the jobs that `count` counts have not ended. Under the lock. */
static void finish(struct vd_lanes *lanes, struct vd_lane *lane, const _Atomic uint32_t *count,
                   uint32_t most)
{
    while (atomic_load_explicit(count, memory_order_relaxed) > most) {
        struct vd_job *mine = find(lanes, lane);
        if (mine) {
            run_here(lanes, mine);
        } else {
            pthread_cond_wait(&lanes->ended, &lanes->lock);
        }
    }
}

void vd_lanes_post(struct vd_lanes *lanes, struct vd_lane *lane, struct vd_job *job)
{
    pthread_mutex_lock(&lanes->lock);
    job->lane = lane;
    job->running = false;
    job->next = NULL;
    job->previous = lanes->last;
    *(lanes->last ? &lanes->last->next : &lanes->first) = job;
    lanes->last = job;
    const uint32_t all = atomic_fetch_add_explicit(&lanes->posted, 1, memory_order_relaxed);
    const uint32_t own = atomic_fetch_add_explicit(&lane->posted, 1, memory_order_relaxed);
    if (all > own && job->size >= WORTH_WAKING) {
        if (!lanes->eager) {
            wake_helper(lanes); /* for the one that was put off */
        }
        lanes->eager = EAGER_STREAMS;
    } else if (lanes->eager) {
        lanes->eager--;
    }
    if (lanes->eager) {
        wake_helper(lanes);
    }
    finish(lanes, NULL, &lanes->posted, POSTED_MAX);
    pthread_mutex_unlock(&lanes->lock);
}

/* Without the lock where there is nothing to wait for. */
static void wait_for(struct vd_lanes *lanes, struct vd_lane *lane, const _Atomic uint32_t *count)
{
    if (atomic_load_explicit(count, memory_order_acquire)) {
        pthread_mutex_lock(&lanes->lock);
        finish(lanes, lane, count, 0);
        pthread_mutex_unlock(&lanes->lock);
    }
}

void vd_lanes_wait(struct vd_lanes *lanes, uint32_t pool)
{
    struct vd_lane *lane = *place_of(lanes, pool);
    if (lane) {
        wait_for(lanes, lane, &lane->posted);
    }
}

void vd_lanes_wait_all(struct vd_lanes *lanes)
{
    wait_for(lanes, NULL, &lanes->posted);
}

void vd_lanes_idle(struct vd_lanes *lanes)
{
    if (atomic_load_explicit(&lanes->posted, memory_order_acquire) == 0) {
        return;
    }
    pthread_mutex_lock(&lanes->lock);
    struct vd_job *mine;
    /* Helpers that are awake come back for more by themselves; meanwhile there may be more to post. */
    while ((!lanes->eager || (lanes->idle == 0 && lanes->thread_count == lanes->thread_max)) &&
           (mine = find(lanes, NULL))) {
        run_here(lanes, mine);
        if (lanes->eager && lanes->thread_count) {
            break;
        }
    }
    pthread_mutex_unlock(&lanes->lock);
}

bool vd_lanes_failed(const struct vd_lanes *lanes)
{
    return atomic_load_explicit(&lanes->failed, memory_order_relaxed);
}
