/* SPDX-License-Identifier: MIT
 *
 * Whatever stands in a worker's page may be its client's invention: numbers are printed as numbers, the
 * client's name as printable text that ends, and nothing is believed.
 */
#include "stats.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#include "child_page.h"
#include "names.h"

enum {
    CALLS,
    BYTES,
    SHARED_MEMORY,
    DEVICE_MEMORY,
    SUBMITTED,
    FINISHED,
    GPU_NS,
    CALL_NS,
    VALUES
};

static const struct metric {
    const char *column, *name, *type, *help;
} metrics[VALUES] = {
    [CALLS] = {"calls", "calls_total", "counter",
               "Calls that the client has sent. A recorded command buffer is one."},
    [BYTES] = {"bytes", "bytes_total", "counter", "Bytes of these, and of what was recorded."},
    [SHARED_MEMORY] = {"shared_memory", "shared_memory_bytes", "gauge",
                       "Memory that the client shares with the server."},
    [DEVICE_MEMORY] = {"device_memory", "device_memory_bytes", "gauge",
                       "Device memory, but for what is imported."},
    [SUBMITTED] = {"submitted", "submitted_batches_total", "counter",
                   "Batches that were submitted to queues."},
    [FINISHED] = {"finished", "finished_batches_total", "counter", "Those that have finished."},
    [GPU_NS] = {"gpu_ns", "gpu_seconds_total", "counter",
                "Time in which at least one batch was at the GPU."},
    [CALL_NS] = {"doing_ns", "call_seconds", "gauge",
                 "How long the call lasts that the server makes for the client now."},
};

struct client {
    const struct vds_client_view *view;
    char name[VDS_CLIENT_NAME_SIZE];
    uint64_t values[VALUES];
    uint32_t doing; /* opcode of the call in hand that lasts longest; 0: none */
    bool beside;    /* that call is made beside the ring, so that others may go on */
};

/* ---- What stands in a page */

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static uint64_t since(uint64_t begun, uint64_t now)
{
    return begun < now ? now - begun : 0;
}

/* With what goes on now. The worker may be between two stores, so that the beginning is looked at twice. */
static uint64_t gpu_time(const struct vds_counters *counters, uint64_t now)
{
    uint64_t begun, time;
    unsigned tries = 4;
    do {
        begun = get(&counters->gpu_since);
        time = get(&counters->gpu_ns);
    } while (begun != get(&counters->gpu_since) && --tries);
    return time + (begun ? since(begun, now) : 0);
}

static void consider(struct client *client, uint32_t opcode, bool beside, uint64_t begun,
                     uint64_t now)
{
    const uint64_t lasts = since(begun, now);
    if (!opcode || (client->doing && lasts <= client->values[CALL_NS]))
        return;
    client->doing = opcode;
    client->beside = beside;
    client->values[CALL_NS] = lasts;
}

static void read_client(struct client *client, const struct vds_client_view *view)
{
    const struct vds_counters *counters = &view->page->counters;
    *client = (struct client){.view = view};
    memcpy(client->name, view->page->name, sizeof(client->name) - 1);
    for (char *c = client->name; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    uint64_t *values = client->values;
    values[CALLS] = get(&counters->calls);
    values[BYTES] = get(&counters->bytes);
    values[SHARED_MEMORY] = get(&counters->shared_memory);
    values[DEVICE_MEMORY] = get(&counters->device_memory);
    values[FINISHED] = get(&counters->finished);
    values[SUBMITTED] = get(&counters->submitted);
    const uint64_t now = vd_clock_ns();
    values[GPU_NS] = gpu_time(counters, now);
    consider(client, atomic_load(&counters->opcode), false, get(&counters->since), now);
    for (unsigned i = 0; i < VDS_LONG_CALLS_MAX; i++) {
        const struct vds_long_call *call = &counters->long_calls[i];
        const uint32_t opcode = atomic_load_explicit(&call->opcode, memory_order_acquire);
        consider(client, opcode, true, get(&call->since), now);
    }
}

/* ---- Text */

/* Writes for each client, in `data`. */
typedef void (*writer)(FILE *file, const struct client *client, const void *data);

struct writing {
    FILE *file;
    writer write;
    const void *data;
};

static void visit(void *data, const struct vds_client_view *view)
{
    const struct writing *writing = data;
    struct client client;
    read_client(&client, view);
    writing->write(writing->file, &client, writing->data);
}

static void for_each(FILE *file, const struct vds_children *children, writer write,
                     const void *data)
{
    struct writing writing = {file, write, data};
    vds_children_visit(children, visit, &writing);
}

static void write_metric(FILE *file, const struct client *client, const void *data)
{
    const struct metric *metric = data;
    const struct vds_client_view *view = client->view;
    const size_t index = (size_t)(metric - metrics);
    fprintf(file, "viaduct_client_%s{client=\"%u\",name=\"", metric->name, view->number);
    for (const char *c = client->name; *c; c++)
        fprintf(file, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    fprintf(file, "\",pid=\"%d\",uid=\"%u\",guest=\"", (int)view->process, (unsigned)view->user);
    if (view->guest)
        fprintf(file, "%u", view->guest);
    if (index == GPU_NS || index == CALL_NS)
        fprintf(file, "\"} %.9f\n", (double)client->values[index] / (double)VD_NS_PER_S);
    else
        fprintf(file, "\"} %llu\n", (unsigned long long)client->values[index]);
}

static char *finish(FILE *file, char **text)
{
    const bool failed = ferror(file);
    if (fclose(file) == 0 && !failed)
        return *text;
    free(*text);
    return NULL;
}

char *vds_stats_metrics(const struct vds_children *children, size_t *size)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, size);
    if (!file)
        return NULL;
    fprintf(file,
            "# HELP viaduct_clients Clients that are served, and guests.\n"
            "# TYPE viaduct_clients gauge\n"
            "viaduct_clients %u\n",
            vds_children_count(children));
    for (const struct metric *metric = metrics; metric < metrics + VALUES; metric++) {
        fprintf(file, "# HELP viaduct_client_%s %s\n# TYPE viaduct_client_%s %s\n", metric->name,
                metric->help, metric->name, metric->type);
        for_each(file, children, write_metric, metric);
    }
    return finish(file, &text);
}

static void write_row(FILE *file, const struct client *client, const void *data)
{
    (void)data;
    const struct vds_client_view *view = client->view;
    fprintf(file, "%u\t%s\t%d\t%u\t%d\t%u\t%s\t%d", view->number, client->name, (int)view->process,
            (unsigned)view->user, (int)view->worker, view->guest,
            client->doing ? vd_opcode_name(client->doing) : "", client->beside);
    for (unsigned i = 0; i < VALUES; i++)
        fprintf(file, "\t%llu", (unsigned long long)client->values[i]);
    fputc('\n', file);
}

char *vds_stats_table(const struct vds_children *children, size_t *size)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, size);
    if (!file)
        return NULL;
    fputs("client\tname\tpid\tuid\tworker\tguest\tdoing\tbeside", file);
    for (unsigned i = 0; i < VALUES; i++)
        fprintf(file, "\t%s", metrics[i].column);
    fputc('\n', file);
    for_each(file, children, write_row, NULL);
    return finish(file, &text);
}
