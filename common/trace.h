/* SPDX-License-Identifier: MIT
 *
 * What a process does, and when, for people to look at: a file in the trace event format of Chrome and Perfetto, a
 * JSON array. Times are CLOCK_MONOTONIC, so that the files of both sides lie on one axis.
 */
#ifndef VIADUCT_COMMON_TRACE_H
#define VIADUCT_COMMON_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

extern bool vd_trace_on;

/* Makes PREFIX-WHO-PID.json, or where there is one already PREFIX-WHO-PID-2.json and so on, complete when the process exits. Once, before there are threads that
 * might trace. False: it cannot be written, and errno says why. */
bool vd_trace_open(const char *prefix, const char *who);

void vd_trace_write(uint64_t begun, const char *name, uint64_t amount);

/* Before and after what the trace shows, on one thread. Without a trace vd_trace_begin returns 0, and
 * vd_trace_end does nothing then. `amount` says how much it was, in whatever unit fits. */
static inline uint64_t vd_trace_begin(void)
{
    return vd_trace_on ? vd_clock_ns() : 0;
}

static inline void vd_trace_end(uint64_t begun, const char *name, uint64_t amount)
{
    if (begun)
        vd_trace_write(begun, name, amount);
}

#endif
