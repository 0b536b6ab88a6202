// How often a case is run, and what its time was.
//
// After a warm-up, the time that a case has is divided into samples. Each begins with an idle
// device and ends with one, so that nothing is left for later, and the median of them is the
// result. Of operations that are measured one by one, the percentiles are.
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SAMPLE_COUNT = 5,
    KEPT_MAX = 1 << 18,
};

// Single times: of frames or of operations. The first ones are enough.
static double kept[KEPT_MAX];
static uint32_t kept_count;

static void keep(double ns)
{
    if (kept_count < KEPT_MAX)
        kept[kept_count++] = ns;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Sorts the values.
static double percentile(double *values, uint32_t count, double part)
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof(*values), compare);
    return values[(uint32_t)(part * (count - 1) + 0.5)];
}

static uint64_t cpu_time(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

// Processor time of all processes below the one that is given: the server's workers.
static uint64_t cpu_time_below(int pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    uint64_t sum = 0;
    int child;
    while (fscanf(file, "%d", &child) == 1) {
        clockid_t clock;
        if (clock_getcpuclockid(child, &clock) == 0)
            sum += cpu_time(clock);
        sum += cpu_time_below(child);
    }
    fclose(file);
    return sum;
}

struct sampler {
    const struct bench_case *bench_case;
    bool submits;
    struct recorder recorder;
};

// One call of the case's function, whichever it has.
static void step(struct sampler *sampler)
{
    const struct bench_case *bench_case = sampler->bench_case;
    if (bench_case->record)
        keep((double)recorder_frame(&sampler->recorder, bench_case, sampler->submits) /
             bench_case->count);
    else if (bench_case->repeat)
        bench_case->repeat(bench_case->count);
    else
        keep((double)bench_case->once());
}

static void settle(struct sampler *sampler)
{
    if (sampler->bench_case->record)
        recorder_drain(&sampler->recorder);
    else
        drain();
}

// Returns the number of operations.
static uint64_t sample(struct sampler *sampler, uint64_t ns, uint64_t *taken)
{
    const uint64_t started = now_ns();
    uint64_t operations = 0;
    do {
        step(sampler);
        operations += sampler->bench_case->count;
    } while (now_ns() - started < ns);
    settle(sampler);
    *taken = now_ns() - started;
    return operations;
}

void measure(const struct bench_case *bench_case, bool submits, double seconds, int server,
             struct result *result)
{
    *result = (struct result){0};
    struct sampler sampler = {.bench_case = bench_case, .submits = submits};
    if (bench_case->record)
        recorder_init(&sampler.recorder);

    const uint64_t ns = (uint64_t)(seconds * 1e9);
    uint64_t taken;
    sample(&sampler, ns / 5, &taken);
    kept_count = 0;

    const uint64_t cpu = cpu_time(CLOCK_PROCESS_CPUTIME_ID);
    const uint64_t server_cpu = server ? cpu_time_below(server) : 0;
    double samples[SAMPLE_COUNT];
    for (uint32_t i = 0; i < SAMPLE_COUNT; i++) {
        const uint64_t operations = sample(&sampler, ns / SAMPLE_COUNT, &taken);
        samples[i] = (double)taken / (double)operations;
        result->operations += operations;
    }
    const double operations = (double)result->operations;
    result->cpu_ns = (double)(cpu_time(CLOCK_PROCESS_CPUTIME_ID) - cpu) / operations;
    // A worker that has ended takes its time with it.
    const uint64_t server_end = server ? cpu_time_below(server) : 0;
    result->server_ns =
        server_end > server_cpu ? (double)(server_end - server_cpu) / operations : 0;
    if (bench_case->once) {
        result->p50 = percentile(kept, kept_count, 0.50);
        result->p99 = percentile(kept, kept_count, 0.99);
        result->ns = result->p50;
    } else {
        result->ns = percentile(samples, SAMPLE_COUNT, 0.50);
    }
    if (bench_case->record) {
        result->record_ns = percentile(kept, kept_count, 0.50);
        recorder_finish(&sampler.recorder);
    }
}
