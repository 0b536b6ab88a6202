/* SPDX-License-Identifier: MIT
 *
 * What a record creates and destroys, in the object table.
 */
#include "context_private.h"
#include "execute.h"
#include "objects.h"
#include "replay.h"

/* The device was destroyed while the call took too long, and is left behind (device_create.c). Another one may be
 * in its place by now, and must not be given what is not its own. */
static bool is_orphan(const struct vds_execution *x)
{
    const struct vds_decoder *d = &x->decoder;
    return x->owner && vds_object_links(d->objects, d->owner_index)->data != x->owner;
}

/* Gives the new objects their ids. The client that waits learns which there are; for one that does
 * not, poisoned objects stand in place of those that there are not. */
static bool take_new(struct vds_execution *x)
{
    struct vds_decoder *d = &x->decoder;
    const struct vds_plan *plan = &d->plan;
    const bool some = x->command->flags & VDS_COMMAND_SOME;
    const bool orphan = is_orphan(x);
    const bool none = plan->notes & VDS_PLAN_POISONED || (x->result < 0 && !some) || orphan;
    for (uint32_t i = 0; i < plan->birth_count; i++) {
        const struct vds_birth *birth = &plan->births[i];
        const uint64_t handle = none ? 0 : *birth->where;
        *birth->where = 0;
        if (handle == 0 && (x->answer.asked || orphan))
            continue;
        const bool is_device = vd_id_type(birth->id) == VD_TYPE_VkDevice;
        const struct vds_object_new new = {
            .id = birth->id,
            .handle = handle,
            .owner = is_device ? vd_id_index(birth->id) : d->owner_index,
            .owner_data = is_device ? NULL : x->owner,
            .pool = birth->pool,
            .data = birth->data,
            .size = birth->size,
            .kinds = birth->kinds,
        };
        struct vds_object_table *objects = &x->context->objects;
        if (!vds_object_add_new(objects, &new)) {
            /* Two calls at a time were to make it. The driver's object ends with the device. */
            if (new.data)
                objects->release(objects->user, vd_id_type(new.id), new.data);
            return vds_dec_fail(d, "its new object can not be added");
        }
        if (handle)
            *birth->where = birth->id;
    }
    return true;
}

/* The driver frees blindly what it is told to free: it must be there, once, and from that pool. */
bool vds_doom(struct vds_execution *x)
{
    struct vds_decoder *d = &x->decoder;
    struct vds_plan *plan = &d->plan;
    const bool from_pool = vd_objects[plan->death_type].pool != VD_TYPE_NONE;
    if (from_pool && d->pool == 0)
        return vds_dec_fail(d, "no pool");
    for (uint32_t i = 0; i < plan->death_count; i++) {
        const uint64_t id = plan->deaths[i];
        if (!vds_object_find_type(d->objects, id, plan->death_type)) {
            plan->deaths[i] = 0; /* decoded to VK_NULL_HANDLE */
            continue;
        }
        struct vds_object_links *links = vds_object_links(d->objects, vd_id_index(id));
        if (from_pool && links->pool != d->pool)
            return vds_dec_fail(d, "an object of another pool");
        if (links->doomed)
            return vds_dec_fail(d, "an object that is named twice");
        links->doomed = true;
    }
    return true;
}

bool vds_commit(struct vds_execution *x)
{
    if (!take_new(x))
        return false;
    const struct vds_plan *plan = &x->decoder.plan;
    for (uint32_t i = 0; i < plan->death_count; i++)
        vds_object_remove(&x->context->objects, plan->deaths[i]);
    if (plan->emptied && x->result >= 0)
        vds_object_remove_children(&x->context->objects, plan->emptied);
    return true;
}
