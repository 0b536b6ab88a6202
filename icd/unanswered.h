/* SPDX-License-Identifier: MIT
 *
 * Calls of one kind that nobody waits for, and how many of them the server is known to have executed.
 */
#ifndef VIADUCT_ICD_UNANSWERED_H
#define VIADUCT_ICD_UNANSWERED_H

#include <stdatomic.h>
#include <stdint.h>

/* All zeroes: there were none. From any thread. */
struct vdc_unanswered {
    _Atomic uint64_t made, executed; /* private */
};

/* One more has been sent. */
static inline void vdc_unanswered_add(struct vdc_unanswered *calls)
{
    atomic_fetch_add(&calls->made, 1);
}

/* So many are known to have been executed. */
static inline uint64_t vdc_unanswered_executed(const struct vdc_unanswered *calls)
{
    return atomic_load(&calls->executed);
}

/* So many have been sent. */
static inline uint64_t vdc_unanswered_made(const struct vdc_unanswered *calls)
{
    return atomic_load(&calls->made);
}

/* That has been found out of so many. */
static inline void vdc_unanswered_note(struct vdc_unanswered *calls, uint64_t executed)
{
    uint64_t known = atomic_load(&calls->executed);
    while (known < executed && !atomic_compare_exchange_weak(&calls->executed, &known, executed))
        ;
}

#endif
