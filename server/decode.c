/* SPDX-License-Identifier: MIT */
#include "decode.h"

#include <stdlib.h>

#include "device_limits.h"
#include "log.h"
#include "names.h"
#include "replay.h"

static bool fail(struct vds_decoder *d, const char *what, const char *why)
{
    if (!d->failed) {
        vds_log(VDS_LOG_WARNING, "protocol error: %s: %s%s%s", vd_opcode_name(d->opcode), what,
                *why ? ": " : "", why);
    }
    d->failed = true;
    return false;
}

bool vds_dec_fail(struct vds_decoder *d, const char *what)
{
    return fail(d, what, "");
}

void vds_decoder_init(struct vds_decoder *d, const struct vds_object_table *objects)
{
    *d = (struct vds_decoder){.objects = objects};
}

void vds_decoder_begin(struct vds_decoder *d, uint8_t *record, uint32_t size, uint16_t opcode)
{
    d->record = record;
    d->size = size;
    d->cursor = 0;
    d->echo = 0;
    d->owner_index = 0;
    d->limits = &vds_no_limits;
    d->image = NULL;
    d->operating_points = 0;
    d->first = 0;
    d->pool = 0;
    d->opcode = opcode;
    d->alone = false;
    d->failed = false;
    d->out = NULL;
    d->out_size = 0;
    d->out_cursor = 0;
    d->restore_count = 0;
    vds_plan_begin(&d->plan);
}

void vds_decoder_finish(struct vds_decoder *d)
{
    free(d->restores);
    vds_plan_finish(&d->plan);
    *d = (struct vds_decoder){0};
}

/* ---- What returns */

static bool no_memory(struct vds_decoder *d)
{
    return fail(d, "out of memory", "");
}

static bool remember_offset(struct vds_decoder *d, uint32_t offset, uint64_t value)
{
    if (!vds_room((void **)&d->restores, &d->restore_capacity, d->restore_count,
                  sizeof(*d->restores)))
        return no_memory(d);
    d->restores[d->restore_count++] = (struct vds_restore){.offset = offset, .value = value};
    return true;
}

/* What stands at `where` is about to be replaced by something of ours. */
static inline bool remember(struct vds_decoder *d, const void *where, uint64_t value)
{
    if (!d->echo)
        return true;
    const uint32_t offset = (uint32_t)((const uint8_t *)where - d->record);
    return offset < d->echo || remember_offset(d, offset, value);
}

void vds_decoder_restore(struct vds_decoder *d)
{
    for (uint32_t i = 0; i < d->restore_count; i++)
        memcpy(d->record + d->restores[i].offset, &d->restores[i].value, sizeof(uint64_t));
}

/* ---- Pointers */

/* Takes `bytes` at the cursor for the pointer at `where`, whose value must equal the cursor. */
static bool claim(struct vds_decoder *d, const void **where, uint64_t count, size_t element,
                  const char *what)
{
    if ((uintptr_t)*where != d->cursor)
        return fail(d, what, "a pointer that is not canonical");
    /* Both are multiples of VD_ALIGN, so that aligning the bytes stays within the record. */
    size_t bytes;
    if (__builtin_mul_overflow(count, element, &bytes) || bytes > d->size - d->cursor)
        return fail(d, what, "reaches beyond the record");
    if (!remember(d, where, 0))
        return false;
    *where = d->record + d->cursor;
    d->cursor += (uint32_t)vd_align(bytes);
    return true;
}

bool vds_dec_array_rare(struct vds_decoder *d, const void **where, uint64_t count, size_t element,
                        bool required, const char *what)
{
    if (!*where)
        return !required || count == 0 || fail(d, what, "NULL");
    return claim(d, where, count, element, what);
}

bool vds_dec_string(struct vds_decoder *d, const char **where, bool required, const char *what)
{
    if (!*where)
        return !required || fail(d, what, "NULL");
    if ((uintptr_t)*where != d->cursor)
        return fail(d, what, "a pointer that is not canonical");
    const char *text = (const char *)d->record + d->cursor;
    const char *end = memchr(text, 0, d->size - d->cursor);
    if (!end)
        return fail(d, what, "text without end");
    return claim(d, (const void **)where, (uint64_t)(end - text) + 1, 1, what);
}

bool vds_dec_strings(struct vds_decoder *d, const char *const **where, uint64_t count,
                     const char *what)
{
    if (!vds_dec_array(d, (const void **)where, count, sizeof(char *), true, what))
        return false;
    const char **texts = (const char **)*where;
    for (uint64_t i = 0; texts && i < count; i++)
        if (!vds_dec_string(d, &texts[i], true, what))
            return false;
    return true;
}

/* What lies in shared memory: its location is at the cursor. */
static bool claim_shared(struct vds_decoder *d, const void **where, uint64_t size, const char *what)
{
    uint64_t pointer;
    if (!(((const struct vd_record *)d->record)->flags & VD_RECORD_SHARES))
        return fail(d, what, "shared by a record that shares nothing");
    if (d->size - d->cursor < sizeof(pointer))
        return fail(d, what, "reaches beyond the record");
    memcpy(&pointer, d->record + d->cursor, sizeof(pointer));
    d->cursor += sizeof(pointer);
    const struct vds_loan loan = {.where = where, .pointer = pointer, .size = size, .what = what};
    return vds_plan_loan(&d->plan, &loan) || no_memory(d);
}

bool vds_dec_sized(struct vds_decoder *d, const void **where, bool share, uint64_t needed,
                   bool required, const char *what)
{
    if (!*where)
        return !required || needed == 0 || fail(d, what, "NULL");
    if (!claim(d, where, 1, sizeof(uint64_t), what))
        return false;
    uint64_t size;
    memcpy(&size, *where, sizeof(size));
    if ((size & ~VD_SIZED_SHARED) < needed)
        return fail(d, what, "fewer bytes than the driver takes");
    if (share && size & VD_SIZED_SHARED)
        return claim_shared(d, where, size & ~VD_SIZED_SHARED, what);
    const uint32_t left = d->size - d->cursor;
    if (size > left)
        return fail(d, what, "reaches beyond the record");
    *where = d->record + d->cursor;
    d->cursor += (uint32_t)vd_align(size);
    return true;
}

bool vds_dec_out(struct vds_decoder *d, const void **where, uint64_t count, size_t element,
                 bool required, const char *what)
{
    if (!*where)
        return !required || count == 0 || fail(d, what, "NULL");
    if ((uintptr_t)*where != (VD_POINTER_OUT | d->out_cursor))
        return fail(d, what, "an output pointer that is not canonical");
    size_t bytes;
    if (__builtin_mul_overflow(count, element, &bytes) || bytes > d->out_size - d->out_cursor)
        return fail(d, what, "reaches beyond the output area");
    if (!remember(d, where, 0))
        return false;
    /* Room for nothing is not NULL, which would ask how much there is; but nothing is there. */
    *where = bytes ? d->out + d->out_cursor : (uint8_t *)(uintptr_t)VD_ALIGN;
    d->out_cursor += (uint32_t)vd_align(bytes);
    return true;
}

bool vds_dec_shm(struct vds_decoder *d, const void **where, const char *what)
{
    const struct vds_loan loan = {.where = where, .pointer = (uintptr_t)*where, .what = what};
    if (d->plan.loan_count)
        return fail(d, what, "a second one");
    return remember(d, where, 0) && (vds_plan_loan(&d->plan, &loan) || no_memory(d));
}

VkBaseOutStructure *vds_dec_link(struct vds_decoder *d, const void *pointer, unsigned n,
                                 const char *what)
{
    if (n >= VD_CHAIN_MAX) {
        fail(d, what, "a chain that is too long");
        return NULL;
    }
    if ((uintptr_t)pointer != d->cursor) {
        fail(d, what, "a pointer that is not canonical");
        return NULL;
    }
    if (d->size - d->cursor < sizeof(VkBaseOutStructure)) {
        fail(d, what, "reaches beyond the record");
        return NULL;
    }
    return (VkBaseOutStructure *)(d->record + d->cursor);
}

/* ---- Handles */

/* Whether a command may name this object: it belongs to its device or stands above devices. */
static inline bool is_within(const struct vds_decoder *d, const struct vds_object *object)
{
    return object->owner == d->owner_index || object->owner == 0;
}

/* The call must not meet recording that has not ended yet. */
static bool touch_recording(struct vds_decoder *d, uint64_t id, const char *what)
{
    const uint32_t index = vd_id_index(id);
    const uint32_t pool =
        vd_id_type(id) == VD_TYPE_VkCommandPool ? index : vds_object_links(d->objects, index)->pool;
    if (d->alone)
        return fail(d, what, "in a stream that names no other command buffer");
    return vds_plan_recording(&d->plan, pool) || no_memory(d);
}

/* Whether the call only destroys what this id, the n-th of its member, names. */
static bool is_victim(const struct vds_decoder *d, uint64_t id, uint64_t n)
{
    return vds_commands[d->opcode].flags & VDS_COMMAND_DESTROYS && n < d->plan.death_count &&
           d->plan.deaths[n] == id;
}

bool vds_dec_first(struct vds_decoder *d, uint64_t *handle, uint32_t type)
{
    const uint64_t id = *handle;
    const struct vds_object *object = vds_object_find_type(d->objects, id, type);
    if (!object)
        return fail(d, vd_type_name(type), "no such object");
    /* A stream that is alone has its place in the lane. */
    if (type == VD_TYPE_VkCommandBuffer && !d->alone && !touch_recording(d, id, vd_type_name(type)))
        return false;
    d->first = vd_id_index(id);
    d->owner_index = object->owner;
    const struct vds_limits *limits =
        object->owner ? vds_object_links(d->objects, object->owner)->data : NULL;
    if (limits)
        d->limits = limits;
    if (object->handle == 0 || (object->owner && !limits))
        d->plan.notes |= VDS_PLAN_POISONED;
    if (!remember(d, handle, id))
        return false;
    *handle = object->handle;
    return true;
}

/* `n`: which one of the member's handles. */
static inline bool take_handle(struct vds_decoder *d, uint64_t *where, uint64_t n, uint32_t type,
                               enum vds_strictness strictness, const char *what)
{
    const uint64_t id = *where;
    if (id == 0)
        return true;
    const struct vds_object *object = vds_object_find_type(d->objects, id, type);
    uint64_t handle = 0;
    if (object && is_within(d, object)) {
        handle = object->handle;
        if (handle == 0 && !is_victim(d, id, n))
            d->plan.notes |= VDS_PLAN_POISONED;
        if ((type == VD_TYPE_VkCommandBuffer || type == VD_TYPE_VkCommandPool) &&
            !touch_recording(d, id, what))
            return false;
        if (vd_objects[type].child)
            d->pool = vd_id_index(id);
    } else if (strictness == VDS_STRICT) {
        return fail(d, what, "no such object");
    }
    if (!remember(d, where, id))
        return false;
    *where = handle;
    return true;
}

bool vds_dec_handle_rare(struct vds_decoder *d, uint64_t *handle, uint32_t type,
                         enum vds_strictness strictness, const char *what)
{
    return take_handle(d, handle, 0, type, strictness, what);
}

bool vds_dec_handles(struct vds_decoder *d, void *handles, uint64_t count, uint32_t type,
                     enum vds_strictness strictness, const char *what)
{
    uint64_t *at = handles;
    for (uint64_t i = 0; i < count; i++)
        if (!take_handle(d, &at[i], i, type, strictness, what))
            return false;
    return true;
}

bool vds_dec_object(struct vds_decoder *d, uint64_t *handle, uint32_t type, const char *what)
{
    const uint64_t id = *handle;
    const struct vds_object *object = vds_object_find_type(d->objects, id, type);
    if (!object || object->handle == 0 || !is_within(d, object)) {
        if (vds_commands[d->opcode].flags & VDS_COMMAND_FORGIVEN)
            d->plan.notes |= VDS_PLAN_SKIP;
        *handle = 0;
        return remember(d, handle, id);
    }
    return take_handle(d, handle, 0, type, VDS_STRICT, what);
}

/* ---- Creation and destruction */

bool vds_dec_new(struct vds_decoder *d, const void **where, uint64_t count, uint32_t type,
                 bool required, const char *what)
{
    if (!vds_dec_array(d, where, count, sizeof(uint64_t), required, what))
        return false;
    if (!*where)
        return true;
    return vds_dec_births(d, (uint64_t *)*where, count, type, what);
}

bool vds_dec_births(struct vds_decoder *d, uint64_t *places, uint64_t count, uint32_t type,
                    const char *what)
{
    if (vd_objects[type].pool == VD_TYPE_NONE)
        d->pool = 0;
    else if (d->pool == 0 && count != 0)
        return fail(d, what, "no pool");
    for (uint64_t i = 0; i < count; i++) {
        const struct vds_birth birth = {.where = &places[i], .id = places[i], .pool = d->pool};
        if (!vds_object_addable(d->objects, birth.id, type))
            return fail(d, what, "an id that can not be given");
        if (!vds_plan_birth(&d->plan, &birth))
            return no_memory(d);
        places[i] = 0;
    }
    return true;
}

static bool add_victim(struct vds_decoder *d, uint64_t id)
{
    return vds_plan_death(&d->plan, id) || no_memory(d);
}

void vds_dec_victim(struct vds_decoder *d, uint64_t id, uint32_t type)
{
    d->plan.death_type = type;
    add_victim(d, id);
}

bool vds_dec_victims(struct vds_decoder *d, const uint64_t *offset, uint64_t count, uint32_t type,
                     const char *what)
{
    d->plan.death_type = type;
    if (!offset)
        return true;
    if ((uintptr_t)offset != d->cursor)
        return fail(d, what, "a pointer that is not canonical");
    if (count > (d->size - d->cursor) / sizeof(uint64_t))
        return fail(d, what, "reaches beyond the record");
    const uint64_t *ids = (const uint64_t *)(d->record + d->cursor);
    for (uint64_t i = 0; i < count; i++)
        if (!add_victim(d, ids[i]))
            return false;
    return true;
}

void vds_dec_emptied(struct vds_decoder *d, uint64_t id)
{
    d->plan.emptied = id;
}
