/* SPDX-License-Identifier: MIT
 *
 * Calls of one kind that nobody waits for, and how many of them the server is known to have executed.
 */
#ifndef VIADUCT_ICD_UNANSWERED_H
#define VIADUCT_ICD_UNANSWERED_H

#include <stdatomic.h>
#include <stdbool.h>
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

/* Whether there are more of them by now. */
static inline bool vdc_unanswered_exceed(const struct vdc_unanswered *calls, uint64_t executed)
{
    return atomic_load(&calls->made) > executed;
}

/* Waits until the server has executed those that there are, unless that is known. `self` is any dispatchable
 * object. False: it can not be asked. */
bool vdc_unanswered_settle(struct vdc_unanswered *calls, void *self);

#endif
