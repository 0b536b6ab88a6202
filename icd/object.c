/* SPDX-License-Identifier: MIT */
#include "object.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "objects.h"
#include "private_data.h"

#define PAGE_SLOTS 4096u
#define PAGES      (VD_ID_INDEX_MAX / PAGE_SLOTS)

/* One index. Children of a pool form a list through `next` and `prev`; free slots through `next`. */
struct slot {
    uint64_t id; /* 0: free */
    void *object;
    uint32_t generation;
    uint32_t next, prev;
    uint32_t pool;  /* index of the pool it came from */
    uint32_t child; /* first child, of pools */
};

struct vdc_ids {
    pthread_mutex_t lock;
    uint32_t used; /* indices ever given out; 0 is never used */
    uint32_t free; /* first free slot, 0: none */
    struct vdc_private_data *private_data;
    _Atomic(struct slot *) pages[PAGES];
};

struct vdc_ids *vdc_ids_create(void)
{
    struct vdc_ids *ids = calloc(1, sizeof(*ids));
    if (!ids)
        return NULL;
    ids->private_data = vdc_private_data_create();
    if (!ids->private_data) {
        free(ids);
        return NULL;
    }
    pthread_mutex_init(&ids->lock, NULL);
    ids->used = 1;
    return ids;
}

void vdc_ids_destroy(struct vdc_ids *ids)
{
    if (!ids)
        return;
    for (uint32_t i = 0; i < PAGES && ids->pages[i]; i++)
        free(ids->pages[i]);
    vdc_private_data_destroy(ids->private_data);
    pthread_mutex_destroy(&ids->lock);
    free(ids);
}

struct vdc_private_data *vdc_ids_private_data(struct vdc_ids *ids)
{
    return ids->private_data;
}

/* Pages never move: an object's own id can be looked up without the lock. */
static struct slot *slot_at(struct vdc_ids *ids, uint32_t index)
{
    struct slot *page =
        index < VD_ID_INDEX_MAX
            ? atomic_load_explicit(&ids->pages[index / PAGE_SLOTS], memory_order_acquire)
            : NULL;
    return page ? &page[index % PAGE_SLOTS] : NULL;
}

static struct slot *slot_of(struct vdc_ids *ids, uint64_t id)
{
    struct slot *slot = id ? slot_at(ids, vd_id_index(id)) : NULL;
    return slot && slot->id == id ? slot : NULL;
}

static uint32_t take_index(struct vdc_ids *ids)
{
    const uint32_t index = ids->free ? ids->free : ids->used;
    if (ids->free) {
        ids->free = slot_at(ids, index)->next;
        return index;
    }
    if (index == VD_ID_INDEX_MAX)
        return 0;
    if (!ids->pages[index / PAGE_SLOTS]) {
        struct slot *page = calloc(PAGE_SLOTS, sizeof(*page));
        if (!page)
            return 0;
        atomic_store_explicit(&ids->pages[index / PAGE_SLOTS], page, memory_order_release);
    }
    ids->used++;
    return index;
}

uint64_t vdc_ids_new(struct vdc_ids *ids, uint8_t type, uint64_t pool)
{
    uint64_t id = 0;
    pthread_mutex_lock(&ids->lock);
    const uint32_t index = take_index(ids);
    if (index) {
        struct slot *slot = slot_at(ids, index);
        id = vd_id_make(type, ++slot->generation, index);
        *slot = (struct slot){.id = id, .generation = slot->generation};
        struct slot *parent = slot_of(ids, pool);
        if (parent) {
            slot->pool = vd_id_index(pool);
            slot->next = parent->child;
            if (parent->child)
                slot_at(ids, parent->child)->prev = index;
            parent->child = index;
        }
    }
    pthread_mutex_unlock(&ids->lock);
    return id;
}

/* No id comes again: an index whose generations have all been used is given out no more. */
static void release(struct vdc_ids *ids, struct slot *slot, uint32_t index)
{
    slot->id = 0;
    slot->object = NULL;
    slot->pool = slot->prev = slot->child = 0;
    if (slot->generation == VD_ID_GENERATION_MAX)
        return;
    slot->next = ids->free;
    ids->free = index;
}

static void free_locked(struct vdc_ids *ids, uint64_t id)
{
    struct slot *slot = slot_of(ids, id);
    if (!slot)
        return;
    if (slot->pool) {
        if (slot->prev)
            slot_at(ids, slot->prev)->next = slot->next;
        else
            slot_at(ids, slot->pool)->child = slot->next;
        if (slot->next)
            slot_at(ids, slot->next)->prev = slot->prev;
    }
    vdc_private_data_forget(ids->private_data, id);
    release(ids, slot, vd_id_index(id));
}

void vdc_ids_free(struct vdc_ids *ids, const uint64_t *list, uint64_t count)
{
    pthread_mutex_lock(&ids->lock);
    for (uint64_t i = 0; i < count; i++)
        free_locked(ids, list[i]);
    pthread_mutex_unlock(&ids->lock);
}

void vdc_ids_free_children(struct vdc_ids *ids, uint64_t pool)
{
    pthread_mutex_lock(&ids->lock);
    struct slot *parent = slot_of(ids, pool);
    /* A pool that is already gone took its children along: ids are freed children first. */
    while (parent && parent->child)
        free_locked(ids, slot_at(ids, parent->child)->id);
    pthread_mutex_unlock(&ids->lock);
}

void vdc_ids_set_object(struct vdc_ids *ids, uint64_t id, void *object)
{
    struct slot *slot = slot_of(ids, id);
    if (slot)
        slot->object = object;
}

void *vdc_ids_object(struct vdc_ids *ids, uint64_t id)
{
    struct slot *slot = slot_of(ids, id);
    return slot ? slot->object : NULL;
}

uint64_t vdc_id_of_object(uint32_t type, uint64_t handle)
{
    const struct vd_object_facts *facts = &vd_objects[type];
    if (facts->dispatchable)
        return vdc_id_of((const void *)(uintptr_t)handle);
    if (handle && facts->of_device && !facts->crosses)
        return ((const struct vdc_local_object *)(uintptr_t)handle)->id;
    return handle;
}
