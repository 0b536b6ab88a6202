/* SPDX-License-Identifier: MIT
 *
 * What a server says of its clients at one time (server/stats.h).
 */
#ifndef VIADUCT_TOOLS_TOP_SAMPLE_H
#define VIADUCT_TOOLS_TOP_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOP_TEXT 64

struct top_client {
    uint64_t client, pid, uid, worker, guest;
    char name[TOP_TEXT];  /* that it has given itself; printable */
    char doing[TOP_TEXT]; /* the call that is made for it now; empty: none */
    uint64_t doing_ns;    /* for so long */
    uint64_t beside;      /* that call holds up nobody else */
    uint64_t calls, bytes, shared_memory, device_memory, submitted, finished, gpu_ns;
};

struct top_sample {
    uint64_t time; /* vd_clock_ns() */
    struct top_client *clients;
    size_t count;
};

/* Asks at the path of a server's socket for statistics. False, with errno, or 0 where it is not such a
 * socket. */
bool top_sample_take(struct top_sample *sample, const char *path);
void top_sample_free(struct top_sample *sample);
/* NULL: it was not there. */
const struct top_client *top_sample_find(const struct top_sample *sample, uint64_t client);

#endif
