/* SPDX-License-Identifier: MIT */
#include "private_data.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Open addressing with linear probing, by the object alone: what belongs to one object lies in one run
 * of entries. */
struct entry {
    uint64_t object; /* 0: free */
    uint64_t slot;
    uint64_t value;
};

struct vdc_private_data {
    pthread_mutex_t lock;
    struct entry *entries;
    size_t capacity;     /* a power of two, or 0 */
    _Atomic size_t used; /* read without the lock, too: most applications have none */
};

struct vdc_private_data *vdc_private_data_create(void)
{
    struct vdc_private_data *data = calloc(1, sizeof(*data));
    if (data)
        pthread_mutex_init(&data->lock, NULL);
    return data;
}

void vdc_private_data_destroy(struct vdc_private_data *data)
{
    if (!data)
        return;
    pthread_mutex_destroy(&data->lock);
    free(data->entries);
    free(data);
}

static size_t home(const struct vdc_private_data *data, uint64_t object)
{
    return (size_t)(object * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (data->capacity - 1);
}

/* The entry, or the free one that would become it. */
static struct entry *find(const struct vdc_private_data *data, uint64_t slot, uint64_t object)
{
    for (size_t at = home(data, object);; at = (at + 1) & (data->capacity - 1)) {
        struct entry *entry = &data->entries[at];
        if (!entry->object || (entry->slot == slot && entry->object == object))
            return entry;
    }
}

/* Frees an entry, and moves into the gap what would no longer be found behind it. */
static void remove_at(struct vdc_private_data *data, size_t gap)
{
    const size_t mask = data->capacity - 1;
    for (size_t at = (gap + 1) & mask; data->entries[at].object; at = (at + 1) & mask) {
        /* Whether the gap lies between where the entry belongs and where it is. */
        const size_t distance = (at - home(data, data->entries[at].object)) & mask;
        if (distance >= ((at - gap) & mask)) {
            data->entries[gap] = data->entries[at];
            gap = at;
        }
    }
    data->entries[gap] = (struct entry){0};
    data->used--;
}

static bool resize(struct vdc_private_data *data, size_t capacity)
{
    struct entry *old = data->entries;
    const size_t old_capacity = data->capacity;
    struct entry *entries = calloc(capacity, sizeof(*entries));
    if (!entries)
        return false;
    data->entries = entries;
    data->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].object)
            *find(data, old[i].slot, old[i].object) = old[i];
    free(old);
    return true;
}

void vdc_private_data_remove_slot(struct vdc_private_data *data, uint64_t slot)
{
    pthread_mutex_lock(&data->lock);
    for (size_t i = 0; i < data->capacity; i++)
        /* What moves into the gap is looked at next; what wraps around has been, and stays. */
        while (data->entries[i].object && data->entries[i].slot == slot)
            remove_at(data, i);
    pthread_mutex_unlock(&data->lock);
}

void vdc_private_data_forget(struct vdc_private_data *data, uint64_t object)
{
    /* Whoever has set data of this object has done so before it is destroyed. */
    if (atomic_load_explicit(&data->used, memory_order_relaxed) == 0)
        return;
    pthread_mutex_lock(&data->lock);
    for (size_t at = data->capacity ? home(data, object) : 0;
         data->capacity && data->entries[at].object;)
        if (data->entries[at].object == object)
            remove_at(data, at);
        else
            at = (at + 1) & (data->capacity - 1);
    pthread_mutex_unlock(&data->lock);
}

bool vdc_private_data_set(struct vdc_private_data *data, uint64_t slot, uint64_t object,
                          uint64_t value)
{
    if (!object)
        return true;
    pthread_mutex_lock(&data->lock);
    const bool room = 2 * (data->used + 1) <= data->capacity ||
                      resize(data, data->capacity ? 2 * data->capacity : 64);
    if (room) {
        struct entry *entry = find(data, slot, object);
        data->used += !entry->object;
        *entry = (struct entry){.object = object, .slot = slot, .value = value};
    }
    pthread_mutex_unlock(&data->lock);
    return room;
}

uint64_t vdc_private_data_get(struct vdc_private_data *data, uint64_t slot, uint64_t object)
{
    pthread_mutex_lock(&data->lock);
    const uint64_t value = object && data->capacity ? find(data, slot, object)->value : 0;
    pthread_mutex_unlock(&data->lock);
    return value;
}
