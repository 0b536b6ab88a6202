/* SPDX-License-Identifier: MIT */
#include "memo.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS (sizeof(((struct vdc_memo *)0)->buckets) / sizeof(struct vdc_memo_entry *))
/* About a megabyte. An application that asks more questions than this does not repeat itself. */
#define ENTRIES_MAX 4096

void vdc_memo_init(struct vdc_memo *memo)
{
    *memo = (struct vdc_memo){0};
    pthread_mutex_init(&memo->lock, NULL);
}

void vdc_memo_finish(struct vdc_memo *memo)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        while (memo->buckets[i]) {
            struct vdc_memo_entry *next = memo->buckets[i]->next;
            free(memo->buckets[i]);
            memo->buckets[i] = next;
        }
    }
    pthread_mutex_destroy(&memo->lock);
}

static uint32_t hash(const uint8_t *key)
{
    uint64_t value = 0;
    for (size_t i = 0; i < VDC_MEMO_KEY_SIZE; i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, key + i, sizeof(word));
        value = (value ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        value ^= value >> 29;
    }
    return (uint32_t)(value >> 32);
}

struct vdc_memo_entry *vdc_memo_find(struct vdc_memo *memo, const void *key, size_t size)
{
    uint8_t padded[VDC_MEMO_KEY_SIZE] = {0};
    assert(size <= sizeof(padded));
    memcpy(padded, key, size);
    pthread_mutex_lock(&memo->lock);
    struct vdc_memo_entry **bucket = &memo->buckets[hash(padded) % BUCKETS];
    struct vdc_memo_entry *entry = *bucket;
    while (entry && memcmp(entry->key, padded, sizeof(padded)) != 0)
        entry = entry->next;
    if (!entry && memo->count < ENTRIES_MAX && (entry = calloc(1, sizeof(*entry)))) {
        memcpy(entry->key, padded, sizeof(padded));
        entry->next = *bucket;
        *bucket = entry;
        memo->count++;
    }
    pthread_mutex_unlock(&memo->lock);
    return entry;
}

bool vdc_memo_get(const struct vdc_memo_entry *entry, void *value, size_t size)
{
    assert(size <= VDC_MEMO_VALUE_SIZE);
    if (!entry || !atomic_load_explicit(&entry->known, memory_order_acquire))
        return false;
    memcpy(value, entry->value, size);
    return true;
}

void vdc_memo_put(struct vdc_memo *memo, struct vdc_memo_entry *entry, const void *value,
                  size_t size)
{
    assert(size <= VDC_MEMO_VALUE_SIZE);
    if (!entry)
        return;
    pthread_mutex_lock(&memo->lock);
    if (!atomic_load_explicit(&entry->known, memory_order_relaxed)) {
        memcpy(entry->value, value, size);
        atomic_store_explicit(&entry->known, true, memory_order_release);
    }
    pthread_mutex_unlock(&memo->lock);
}
