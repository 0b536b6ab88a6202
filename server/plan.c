/* SPDX-License-Identifier: MIT */
#include "plan.h"

#include <stdlib.h>

bool vds_room(void **array, uint32_t *capacity, uint32_t count, size_t element)
{
    if (count < *capacity)
        return true;
    const uint32_t larger = *capacity ? *capacity * 2 : 16;
    void *moved = realloc(*array, larger * element);
    if (!moved)
        return false;
    *array = moved;
    *capacity = larger;
    return true;
}

void vds_plan_begin(struct vds_plan *plan)
{
    plan->notes = 0;
    plan->birth_count = 0;
    plan->death_count = 0;
    plan->death_type = 0;
    plan->emptied = 0;
    plan->recording_count = 0;
    plan->loan_count = 0;
}

void vds_plan_finish(struct vds_plan *plan)
{
    free(plan->births);
    free(plan->deaths);
    free(plan->recordings);
    free(plan->loans);
    *plan = (struct vds_plan){0};
}

bool vds_plan_birth(struct vds_plan *plan, const struct vds_birth *birth)
{
    if (!vds_room((void **)&plan->births, &plan->birth_capacity, plan->birth_count,
                  sizeof(*plan->births)))
        return false;
    plan->births[plan->birth_count++] = *birth;
    return true;
}

bool vds_plan_death(struct vds_plan *plan, uint64_t id)
{
    if (!vds_room((void **)&plan->deaths, &plan->death_capacity, plan->death_count,
                  sizeof(*plan->deaths)))
        return false;
    plan->deaths[plan->death_count++] = id;
    return true;
}

bool vds_plan_recording(struct vds_plan *plan, uint32_t pool)
{
    plan->notes |= VDS_PLAN_WAITS;
    /* Command buffers that are named together mostly come from one pool. */
    if (plan->recording_count && plan->recordings[plan->recording_count - 1] == pool)
        return true;
    if (!vds_room((void **)&plan->recordings, &plan->recording_capacity, plan->recording_count,
                  sizeof(*plan->recordings)))
        return false;
    plan->recordings[plan->recording_count++] = pool;
    return true;
}

bool vds_plan_loan(struct vds_plan *plan, const struct vds_loan *loan)
{
    if (!vds_room((void **)&plan->loans, &plan->loan_capacity, plan->loan_count,
                  sizeof(*plan->loans)))
        return false;
    plan->loans[plan->loan_count++] = *loan;
    return true;
}
