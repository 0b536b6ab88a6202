/* SPDX-License-Identifier: MIT */
#include "private_data.h"

#include <pthread.h>
#include <stdlib.h>

/* Open addressing with linear probing; a value of 0 is the same as none, so nothing is removed
 * before its slot dies: entries are only ever overwritten. */
struct entry {
    uint64_t slot; /* 0: free */
    uint64_t object;
    uint64_t value;
};

struct vdc_private_data {
    pthread_mutex_t lock;
    uint64_t last_slot;
    struct entry *entries;
    size_t capacity; /* a power of two, or 0 */
    size_t used;
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

static struct entry *find(const struct vdc_private_data *data, uint64_t slot, uint64_t object)
{
    size_t at = (size_t)((object ^ slot << 48) * UINT64_C(0x9e3779b97f4a7c15) >> 20);
    for (;; at++) {
        struct entry *entry = &data->entries[at & (data->capacity - 1)];
        if (!entry->slot || (entry->slot == slot && entry->object == object))
            return entry;
    }
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
    data->used = 0;
    for (size_t i = 0; i < old_capacity; i++) {
        /* What is 0 says the same when it is absent. */
        if (old[i].slot && old[i].value) {
            *find(data, old[i].slot, old[i].object) = old[i];
            data->used++;
        }
    }
    free(old);
    return true;
}

uint64_t vdc_private_data_add_slot(struct vdc_private_data *data)
{
    pthread_mutex_lock(&data->lock);
    const uint64_t slot = ++data->last_slot;
    pthread_mutex_unlock(&data->lock);
    return slot;
}

void vdc_private_data_remove_slot(struct vdc_private_data *data, uint64_t slot)
{
    pthread_mutex_lock(&data->lock);
    for (size_t i = 0; i < data->capacity; i++)
        if (data->entries[i].slot == slot)
            data->entries[i].value = 0;
    pthread_mutex_unlock(&data->lock);
}

bool vdc_private_data_set(struct vdc_private_data *data, uint64_t slot, uint64_t object,
                          uint64_t value)
{
    pthread_mutex_lock(&data->lock);
    const bool room = 2 * (data->used + 1) <= data->capacity ||
                      resize(data, data->capacity ? 2 * data->capacity : 64);
    if (room) {
        struct entry *entry = find(data, slot, object);
        data->used += !entry->slot;
        *entry = (struct entry){.slot = slot, .object = object, .value = value};
    }
    pthread_mutex_unlock(&data->lock);
    return room;
}

uint64_t vdc_private_data_get(struct vdc_private_data *data, uint64_t slot, uint64_t object)
{
    pthread_mutex_lock(&data->lock);
    const uint64_t value = data->capacity ? find(data, slot, object)->value : 0;
    pthread_mutex_unlock(&data->lock);
    return value;
}
