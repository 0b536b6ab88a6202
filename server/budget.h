/* SPDX-License-Identifier: MIT
 *
 * How many bytes of something a client may have at the same time. All of it also counts for what its user
 * may have, and all users (quota.h). Any thread.
 */
#ifndef VIADUCT_SERVER_BUDGET_H
#define VIADUCT_SERVER_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "quota.h"

struct vds_budget {
    uint64_t limit; /* 0: none */
    _Atomic uint64_t used;
};

static inline bool vds_budget_take(struct vds_budget *budget, uint64_t bytes)
{
    uint64_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);
    do {
        if (bytes > UINT64_MAX - used || (budget->limit && used + bytes > budget->limit))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&budget->used, &used, used + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    if (vds_quota_take(bytes))
        return true;
    atomic_fetch_sub_explicit(&budget->used, bytes, memory_order_relaxed);
    return false;
}

static inline void vds_budget_give_back(struct vds_budget *budget, uint64_t bytes)
{
    atomic_fetch_sub_explicit(&budget->used, bytes, memory_order_relaxed);
    vds_quota_give_back(bytes);
}

#endif
