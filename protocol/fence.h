/* SPDX-License-Identifier: MIT
 *
 * The payload of a fence that is shared by descriptor: a file of one page, which all that have the
 * fence map, and so does the server of each client that has it signalled.
 */
#ifndef VIADUCT_PROTOCOL_FENCE_H
#define VIADUCT_PROTOCOL_FENCE_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "VDfence", and the version of what follows. */
#define VD_FENCE_MAGIC UINT64_C(0x0165636e65664456)

enum vd_fence_state {
    VD_FENCE_UNSIGNALED = 0,
    VD_FENCE_SIGNALED = 1,
    /* Unsignalled, and somebody sleeps: whoever marks it must wake them. */
    VD_FENCE_AWAITED = 2,
};

/* At the start of the file; the rest is zero. */
struct vd_fence_file {
    uint64_t magic;
    /* A random number: the client that has last asked its server to mark the fence. Should the
     * server end before it has, the client marks what still bears its number. */
    _Atomic uint64_t signaler;
    _Atomic uint32_t state; /* enum vd_fence_state, a futex word */
    uint32_t reserved;
};
static_assert(sizeof(struct vd_fence_file) == 24, "fence file is wire format");
static_assert(offsetof(struct vd_fence_file, state) == 16, "fence file is wire format");

/* Signals the fence. True: `state` must be woken. seq_cst, for a waiter does the opposite: it stores
 * AWAITED, then sleeps only while that is there. */
static inline bool vd_fence_mark(_Atomic uint32_t *state)
{
    return atomic_exchange(state, VD_FENCE_SIGNALED) > VD_FENCE_SIGNALED;
}

#endif
