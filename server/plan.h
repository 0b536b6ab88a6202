/* SPDX-License-Identifier: MIT
 *
 * What a record touches, as decoding finds it out. Nothing of it has happened yet: whoever executes
 * the record (execute.h) waits for it, calls the driver, and commits it.
 */
#ifndef VIADUCT_SERVER_PLAN_H
#define VIADUCT_SERVER_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vds_shm_region;

/* An object that the call creates. */
struct vds_birth {
    uint64_t *where; /* its place in the record: the driver writes its handle there */
    uint64_t id;
    uint32_t pool; /* index of the pool that it comes from, 0: none */
    void *data;    /* for its entry in the table, from whoever serves the command; so are these */
    uint64_t size;
    uint32_t kinds;
};

/* Bytes in shared memory, which the record names instead of holding them. */
struct vds_loan {
    const void **where; /* in the record: becomes their address */
    uint64_t pointer;   /* vd_shm_pointer() to them */
    uint64_t size;
    const char *what;
    struct vds_shm_region *region; /* referenced while the record is executed; NULL before */
};

enum vds_plan_notes {
    VDS_PLAN_POISONED = 1 << 0, /* an object is used whose creation failed */
    VDS_PLAN_SKIP = 1 << 1,     /* there is nothing to call for: VK_SUCCESS */
    VDS_PLAN_WAITS = 1 << 2,    /* some of `recordings` may have to end first */
};

struct vds_plan {
    uint32_t notes; /* enum vds_plan_notes; 0: the call may be made at once */

    struct vds_birth *births;
    uint32_t birth_count, birth_capacity;
    uint64_t *deaths; /* ids that the call destroys */
    uint32_t death_count, death_capacity;
    uint32_t death_type;
    uint64_t emptied; /* id of a pool whose children the call frees, 0: none */

    uint32_t *recordings; /* indices of command pools: what was recorded must be replayed before */
    uint32_t recording_count, recording_capacity;
    struct vds_loan *loans;
    uint32_t loan_count, loan_capacity;
};

/* Starts anew; the memory is kept. */
void vds_plan_begin(struct vds_plan *plan);
void vds_plan_finish(struct vds_plan *plan);

/* Adding, false: no memory. */
bool vds_plan_birth(struct vds_plan *plan, const struct vds_birth *birth);
bool vds_plan_death(struct vds_plan *plan, uint64_t id);
bool vds_plan_recording(struct vds_plan *plan, uint32_t pool);
bool vds_plan_loan(struct vds_plan *plan, const struct vds_loan *loan);

/* Makes room in an array for one more element; false: no memory. */
bool vds_room(void **array, uint32_t *capacity, uint32_t count, size_t element);

#endif
