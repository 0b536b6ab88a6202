/* SPDX-License-Identifier: MIT
 *
 * The clock of all deadlines here, CLOCK_MONOTONIC.
 */
#ifndef VIADUCT_COMMON_CLOCK_H
#define VIADUCT_COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

#define VD_NS_PER_S UINT64_C(1000000000)

static inline uint64_t vd_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * VD_NS_PER_S + (uint64_t)now.tv_nsec;
}

static inline uint64_t vd_clock_ms(void)
{
    return vd_clock_ns() / 1000000;
}

/* So long from now, as pthread_cond_timedwait() wants it. */
static inline struct timespec vd_clock_after(uint64_t ns)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    const uint64_t nanoseconds = (uint64_t)t.tv_nsec + ns % VD_NS_PER_S;
    /* Beyond any life span, and far from what time_t can hold. */
    const uint64_t seconds = ns / VD_NS_PER_S + nanoseconds / VD_NS_PER_S;
    t.tv_sec += (time_t)(seconds < (1u << 30) ? seconds : 1u << 30);
    t.tv_nsec = (long)(nanoseconds % VD_NS_PER_S);
    return t;
}

#endif
