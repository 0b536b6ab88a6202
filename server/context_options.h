/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_SERVER_CONTEXT_OPTIONS_H
#define VIADUCT_SERVER_CONTEXT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "memory_ways.h"

struct vds_counters;

struct vds_context_options {
    bool validate;        /* put the Khronos validation layer between us and the driver */
    const char *gpu;      /* show only those devices of the host, see gpu_choice.h; NULL: all */
    uint32_t api_version; /* the latest Vulkan version that is offered; 0: as the host */
    uint32_t memory;      /* the set of ways that may be used (memory_ways.h); 0: any */
    struct vds_memory_ways *ways;  /* what is known already, and learned; NULL: not remembered */
    struct vds_counters *counters; /* what is done is counted here; NULL: nobody looks */
    bool clock_known;       /* whether the next one tells; both are found out before the sandbox */
    int64_t clock_ahead_ns; /* common/time_namespace.h */
    const char *trace;      /* where vd_trace_open shall write, NULL: nowhere */
    uint64_t max_shared_memory; /* bytes that are there at the same time, 0: any number */
    uint64_t max_device_memory; /* the same, of what device memory costs the host's */
    int lanes; /* threads that replay what was recorded, besides the one that executes */
    /* Called, by any thread, when a stream is malformed: the connection must end. NULL:
     * vds_context_execute says it early enough. */
    void (*failed)(void *data);
    void *data;
};

#endif
