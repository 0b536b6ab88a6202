/* SPDX-License-Identifier: MIT
 *
 * What the memory of all clients of a user, and of all users, counts for. The listener keeps count: a worker
 * asks it, over the channel that its client came by, before it takes more, in steps, so that few allocations
 * do. A worker that was taken over and asks for nothing is held back by no count.
 */
#ifndef VIADUCT_SERVER_QUOTA_H
#define VIADUCT_SERVER_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

/* From a worker: it needs `need` bytes in all, and would like `want`, which is not less. The answer, a
 * uint64_t, is what it may have from then on. */
struct vds_quota_request {
    uint64_t need, want;
};

/* In a worker: asks at this end of the channel from now on, which stays the caller's. Without, anything may
 * be had. Before other threads use the functions below. */
void vds_quota_open(int channel);
/* False: it would be too much. Waits for the listener's answer, for a second at most; without one it is not
 * too much. Any thread. */
bool vds_quota_take(uint64_t bytes);
void vds_quota_give_back(uint64_t bytes);

#endif
