/* SPDX-License-Identifier: MIT */
#include "lanes.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "common/trace.h"

#include "context_private.h"
#include "flight.h"
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

struct vds_lane {
    _Atomic uint32_t posted; /* jobs that have not ended; only the engine adds */
    bool busy;               /* one of them is being replayed */
};

struct vds_lanes {
    struct vds_context *context;
    _Atomic bool failed;

    /* The engine's. */
    struct vds_job *unused;
    uint32_t eager;

    pthread_mutex_t lock;
    pthread_cond_t work;          /* for helpers */
    pthread_cond_t ended;         /* for the engine: a job has */
    struct vds_job *first, *last; /* posted, in that order, until they have ended */
    struct vds_job *done;         /* ended, for the engine to take back */
    _Atomic uint32_t posted;      /* as of a lane */
    uint32_t idle;                /* helpers that wait for work */
    bool stop;
    uint32_t thread_count, thread_max;
    pthread_t threads[];
};

struct vds_lanes *vds_lanes_create(struct vds_context *context, uint32_t threads)
{
    struct vds_lanes *lanes = calloc(1, sizeof(*lanes) + threads * sizeof(*lanes->threads));
    if (lanes) {
        lanes->context = context;
        lanes->thread_max = threads;
        pthread_mutex_init(&lanes->lock, NULL);
        pthread_cond_init(&lanes->work, NULL);
        pthread_cond_init(&lanes->ended, NULL);
    }
    return lanes;
}

static void free_jobs(struct vds_job *job)
{
    while (job) {
        struct vds_job *next = job->next;
        vds_execution_finish(&job->execution);
        vds_tape_put(job->tape);
        free(job->bytes);
        free(job);
        job = next;
    }
}

void vds_lanes_stop(struct vds_lanes *lanes)
{
    if (!lanes)
        return;
    pthread_mutex_lock(&lanes->lock);
    lanes->stop = true;
    pthread_cond_broadcast(&lanes->work);
    pthread_mutex_unlock(&lanes->lock);
    for (uint32_t i = 0; i < lanes->thread_count; i++)
        pthread_join(lanes->threads[i], NULL);
    lanes->thread_count = 0;
    free_jobs(lanes->first);
    lanes->first = lanes->last = NULL;
}

void vds_lanes_destroy(struct vds_lanes *lanes)
{
    if (!lanes)
        return;
    free_jobs(lanes->done);
    free_jobs(lanes->unused);
    pthread_cond_destroy(&lanes->ended);
    pthread_cond_destroy(&lanes->work);
    pthread_mutex_destroy(&lanes->lock);
    free(lanes);
}

/* ---- Replaying */

/* The oldest job whose lane is free, of one lane or with NULL of any. Under the lock. */
static struct vds_job *find(const struct vds_lanes *lanes, const struct vds_lane *lane)
{
    for (struct vds_job *job = lanes->first; job; job = job->next)
        if (!job->running && !job->lane->busy && (!lane || job->lane == lane))
            return job;
    return NULL;
}

static void unlink_job(struct vds_lanes *lanes, struct vds_job *job)
{
    *(job->previous ? &job->previous->next : &lanes->first) = job->next;
    *(job->next ? &job->next->previous : &lanes->last) = job->previous;
}

static void fail(struct vds_lanes *lanes)
{
    const struct vds_context_options *options = &lanes->context->options;
    if (!atomic_exchange(&lanes->failed, true) && options->failed)
        options->failed(options->data); /* the engine may sleep */
}

/* Under the lock, which is released meanwhile. */
static void run(struct vds_lanes *lanes, struct vds_job *job)
{
    struct vds_lane *lane = job->lane;
    job->running = true;
    lane->busy = true;
    pthread_mutex_unlock(&lanes->lock);
    const uint64_t traced = vd_trace_begin();
    if (!vds_lanes_failed(lanes) && !vds_stream_replay(job))
        fail(lanes);
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
    prctl(PR_SET_NAME, "viaduct-lane");
    struct vds_lanes *lanes = data;
    pthread_mutex_lock(&lanes->lock);
    while (!lanes->stop) {
        struct vds_job *job = find(lanes, NULL);
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
static void wake_helper(struct vds_lanes *lanes)
{
    if (lanes->idle) {
        pthread_cond_signal(&lanes->work);
        return;
    }
    if (lanes->thread_count == lanes->thread_max)
        return;
    pthread_t *thread = &lanes->threads[lanes->thread_count];
    if (pthread_create(thread, NULL, helper_main, lanes) != 0) {
        vds_log(VDS_LOG_WARNING, "no thread to replay on");
        lanes->thread_max = lanes->thread_count;
        return;
    }
    lanes->thread_count++;
}

/* ---- The engine */

/* Under the lock. */
static void run_here(struct vds_lanes *lanes, struct vds_job *job)
{
    run(lanes, job);
    /* Its lane's next one may have waited for this one only. */
    if (lanes->eager && find(lanes, NULL))
        wake_helper(lanes);
}

void vds_lanes_give_back(struct vds_lanes *lanes, struct vds_job *job)
{
    vds_tape_put(job->tape);
    job->tape = NULL;
    job->next = lanes->unused;
    lanes->unused = job;
}

/* Takes back what has ended. Under the lock. */
static void reclaim(struct vds_lanes *lanes)
{
    while (lanes->done) {
        struct vds_job *job = lanes->done;
        lanes->done = job->next;
        /* One large buffer is kept, not one for each. */
        if (lanes->unused && job->capacity > KEPT) {
            free(job->bytes);
            job->bytes = NULL;
            job->capacity = 0;
        }
        vds_lanes_give_back(lanes, job);
    }
}

struct vds_job *vds_lanes_take(struct vds_lanes *lanes)
{
    pthread_mutex_lock(&lanes->lock);
    reclaim(lanes);
    pthread_mutex_unlock(&lanes->lock);
    struct vds_job *job = lanes->unused;
    if (job) {
        lanes->unused = job->next;
        return job;
    }
    job = calloc(1, sizeof(*job));
    if (job)
        vds_execution_init(&job->execution, lanes->context);
    else
        vds_log(VDS_LOG_ERROR, "out of memory for a stream");
    return job;
}

/* Where a pool's lane is, if it has one. */
static struct vds_lane **place_of(const struct vds_lanes *lanes, uint32_t pool)
{
    return (struct vds_lane **)&vds_object_links(&lanes->context->objects, pool)->data;
}

struct vds_lane *vds_lanes_of(struct vds_lanes *lanes, uint32_t pool)
{
    struct vds_lane **place = place_of(lanes, pool);
    if (!*place && lanes->thread_max)
        *place = calloc(1, sizeof(**place));
    return *place;
}

void vds_lane_destroy(struct vds_lane *lane)
{
    free(lane);
}

/* Until at most `most` of the jobs that `count` counts have not ended. Under the lock. */
static void finish(struct vds_lanes *lanes, struct vds_lane *lane, const _Atomic uint32_t *count,
                   uint32_t most)
{
    while (atomic_load_explicit(count, memory_order_relaxed) > most) {
        struct vds_job *mine = find(lanes, lane);
        if (mine)
            run_here(lanes, mine);
        else
            pthread_cond_wait(&lanes->ended, &lanes->lock);
    }
}

void vds_lanes_post(struct vds_lanes *lanes, struct vds_lane *lane, struct vds_job *job)
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
        if (!lanes->eager)
            wake_helper(lanes); /* for the one that was put off */
        lanes->eager = EAGER_STREAMS;
    } else if (lanes->eager) {
        lanes->eager--;
    }
    if (lanes->eager)
        wake_helper(lanes);
    finish(lanes, NULL, &lanes->posted, POSTED_MAX);
    pthread_mutex_unlock(&lanes->lock);
}

/* Without the lock where there is nothing to wait for. */
static void wait_for(struct vds_lanes *lanes, struct vds_lane *lane, const _Atomic uint32_t *count)
{
    if (atomic_load_explicit(count, memory_order_acquire)) {
        pthread_mutex_lock(&lanes->lock);
        finish(lanes, lane, count, 0);
        pthread_mutex_unlock(&lanes->lock);
    }
}

void vds_lanes_wait(struct vds_lanes *lanes, uint32_t pool)
{
    struct vds_lane *lane = *place_of(lanes, pool);
    if (lane)
        wait_for(lanes, lane, &lane->posted);
}

void vds_lanes_wait_all(struct vds_lanes *lanes)
{
    wait_for(lanes, NULL, &lanes->posted);
}

void vds_lanes_idle(struct vds_lanes *lanes)
{
    if (atomic_load_explicit(&lanes->posted, memory_order_acquire) == 0)
        return;
    pthread_mutex_lock(&lanes->lock);
    struct vds_job *mine;
    /* Helpers that are awake come back for more by themselves; meanwhile there may be more to post. */
    while ((!lanes->eager || (lanes->idle == 0 && lanes->thread_count == lanes->thread_max)) &&
           (mine = find(lanes, NULL))) {
        run_here(lanes, mine);
        if (lanes->eager && lanes->thread_count)
            break;
    }
    pthread_mutex_unlock(&lanes->lock);
}

bool vds_lanes_failed(const struct vds_lanes *lanes)
{
    return atomic_load_explicit(&lanes->failed, memory_order_relaxed);
}
