/* SPDX-License-Identifier: MIT */
#include "meter.h"

#include "common/clock.h"

void vds_meter_init(struct vds_meter *meter, struct vds_counters *counters)
{
    meter->counters = counters ? counters : &meter->own;
    pthread_mutex_init(&meter->lock, NULL);
}

void vds_meter_finish(struct vds_meter *meter)
{
    pthread_mutex_destroy(&meter->lock);
}

static void set(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, value, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void vds_meter_resume(struct vds_meter *meter)
{
    set(&meter->counters->since, vd_clock_ns());
}

int vds_meter_long_call(struct vds_meter *meter, uint32_t opcode)
{
    int place = 0;
    pthread_mutex_lock(&meter->lock);
    while (place < VDS_LONG_CALLS_MAX &&
           atomic_load_explicit(&meter->counters->long_calls[place].opcode, memory_order_relaxed))
        place++;
    if (place == VDS_LONG_CALLS_MAX) {
        place = -1;
    } else {
        struct vds_long_call *call = &meter->counters->long_calls[place];
        set(&call->since, vd_clock_ns());
        /* release: who sees the call sees since when. */
        atomic_store_explicit(&call->opcode, opcode, memory_order_release);
    }
    pthread_mutex_unlock(&meter->lock);
    return place;
}

void vds_meter_long_call_end(struct vds_meter *meter, int place)
{
    if (place >= 0)
        atomic_store_explicit(&meter->counters->long_calls[place].opcode, 0, memory_order_relaxed);
}

void vds_meter_submitted(struct vds_meter *meter, uint64_t batches)
{
    struct vds_counters *counters = meter->counters;
    pthread_mutex_lock(&meter->lock);
    const uint64_t submitted = get(&counters->submitted);
    if (submitted == get(&counters->finished))
        set(&counters->gpu_since, vd_clock_ns());
    set(&counters->submitted, submitted + batches);
    pthread_mutex_unlock(&meter->lock);
}

void vds_meter_finished(struct vds_meter *meter, uint64_t batches)
{
    struct vds_counters *counters = meter->counters;
    pthread_mutex_lock(&meter->lock);
    const uint64_t finished = get(&counters->finished) + batches;
    if (batches && finished == get(&counters->submitted)) {
        set(&counters->gpu_ns, get(&counters->gpu_ns) + vd_clock_ns() - get(&counters->gpu_since));
        set(&counters->gpu_since, 0);
    }
    set(&counters->finished, finished);
    pthread_mutex_unlock(&meter->lock);
}
