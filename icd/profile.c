/* SPDX-License-Identifier: MIT */
#include "profile.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/environment.h"
#include "common/process_lock.h"
#include "common/trace.h"

#include "connection/connection.h"
#include "log.h"
#include "names.h"
#include "opcodes.h"

struct command {
    _Atomic uint64_t calls, bytes, round_trips, waited_ns;
};

struct vdc_profile {
    struct vdc_profile *next;
    const struct vdc_connection *connection; /* NULL: it has not begun */
    pid_t process;                           /* a forked child has nothing to say about it */
    struct command commands[VD_OP_COUNT];
};

/* Around the list of those that have begun and are not destroyed. */
VD_PROCESS_LOCK(lock)
static struct vdc_profile *profiles;

static void open_trace(void)
{
    const char *prefix = vd_getenv("VIADUCT_TRACE");
    if (prefix && !vd_trace_open(prefix, "client"))
        vdc_print("no trace at %s: %s", prefix, strerror(errno));
}

struct vdc_profile *vdc_profile_create(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_trace);
    return vdc_debug_flags() & VDC_DEBUG_STATS ? calloc(1, sizeof(struct vdc_profile)) : NULL;
}

static void add(_Atomic uint64_t *sum, uint64_t amount)
{
    atomic_fetch_add_explicit(sum, amount, memory_order_relaxed);
}

void vdc_profile_call(struct vdc_profile *profile, uint16_t opcode, uint64_t bytes)
{
    struct command *command = &profile->commands[opcode];
    add(&command->calls, 1);
    add(&command->bytes, bytes);
}

void vdc_profile_answer(struct vdc_profile *profile, uint16_t opcode, uint64_t waited_ns)
{
    struct command *command = &profile->commands[opcode];
    add(&command->round_trips, 1);
    add(&command->waited_ns, waited_ns);
}

struct row {
    uint32_t opcode;
    uint64_t calls, bytes, round_trips, waited_ns;
};

static int by_cost(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    if (a->waited_ns != b->waited_ns)
        return a->waited_ns < b->waited_ns ? 1 : -1;
    if (a->calls != b->calls)
        return a->calls < b->calls ? 1 : -1;
    return a->opcode < b->opcode ? -1 : 1;
}

static void print(struct vdc_profile *profile)
{
    if (profile->process != getpid())
        return;
    struct vdc_connection_stats stats;
    vdc_connection_stats(profile->connection, &stats);
    vdc_print("stats: calls=%llu round_trips=%llu bytes=%llu waits=%llu wait_us=%llu",
              (unsigned long long)stats.calls, (unsigned long long)stats.round_trips,
              (unsigned long long)stats.bytes, (unsigned long long)stats.waits,
              (unsigned long long)(stats.wait_ns / 1000));
    struct row *rows = calloc(VD_OP_COUNT, sizeof(*rows));
    size_t count = 0;
    for (uint32_t i = 0; rows && i < VD_OP_COUNT; i++) {
        const struct command *command = &profile->commands[i];
        const struct row row = {i, command->calls, command->bytes, command->round_trips,
                                command->waited_ns};
        if (row.calls)
            rows[count++] = row;
    }
    if (count)
        qsort(rows, count, sizeof(*rows), by_cost);
    for (size_t i = 0; i < count; i++)
        vdc_print("stats: %s: calls=%llu round_trips=%llu bytes=%llu answer_us=%llu",
                  vd_opcode_name(rows[i].opcode), (unsigned long long)rows[i].calls,
                  (unsigned long long)rows[i].round_trips, (unsigned long long)rows[i].bytes,
                  (unsigned long long)(rows[i].waited_ns / 1000));
    free(rows);
}

void vdc_profile_begin(struct vdc_profile *profile, const struct vdc_connection *connection)
{
    if (!profile)
        return;
    profile->connection = connection;
    profile->process = getpid();
    pthread_mutex_lock(&lock);
    profile->next = profiles;
    profiles = profile;
    pthread_mutex_unlock(&lock);
}

void vdc_profile_destroy(struct vdc_profile *profile)
{
    if (!profile)
        return;
    pthread_mutex_lock(&lock);
    struct vdc_profile **at = &profiles;
    while (*at && *at != profile)
        at = &(*at)->next;
    if (*at) {
        *at = profile->next;
        print(profile);
    }
    pthread_mutex_unlock(&lock);
    free(profile);
}

/* Many an application ends without destroying its instance. */
__attribute__((destructor)) static void print_what_is_left(void)
{
    pthread_mutex_lock(&lock);
    for (struct vdc_profile *profile = profiles; profile; profile = profile->next)
        print(profile);
    profiles = NULL;
    pthread_mutex_unlock(&lock);
}
