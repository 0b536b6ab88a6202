/* SPDX-License-Identifier: MIT */
#include "descriptor_cache.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Of all places together. */
#define BYTES_MAX  (16u << 20)
#define PLACES_MAX (1u << 17)
/* Entries of the index where a key may be found: a line of the cache. */
#define WAYS 8u
#define LINE 64u

#define KEY_WORDS (sizeof(((struct vdc_descriptor_key *)0)->words) / sizeof(uint64_t))

/* Readers take no lock: `state` is odd while a place is being written, and another one afterwards. Each
 * word is stored with release and loaded with acquire, so that who sees a new word sees the new state
 * as well. */
struct place {
    _Atomic uint64_t state; /* version << 32 | words in use << 1 | whether it is being written */
    _Atomic uint64_t key[KEY_WORDS];
    _Atomic uint64_t words[]; /* the bytes, less the zeroes at their end */
};

/* Places are taken in turn, the oldest again when there is no other. So what is asked for together lies
 * together, and memory grows with what is asked for. */
struct vdc_descriptor_table {
    uint32_t set_count; /* a power of two */
    uint32_t largest;   /* bytes of a descriptor */
    uint32_t stride;    /* from place to place */
    uint32_t place_count;
    uint32_t next;   /* the place to be taken next; under the lock, as the following */
    uint32_t victim; /* the entry of a set to be taken where all are in use */
    void *memory;    /* index and places, whose pages are there once they are written to */
    size_t memory_size;
    char *places;
    /* Hints: part of the hash << 32 | place + 1, 0: none. The key stands at the place. */
    _Atomic uint64_t *index;
};

void vdc_descriptor_cache_init(struct vdc_descriptor_cache *cache)
{
    *cache = (struct vdc_descriptor_cache){0};
    pthread_mutex_init(&cache->lock, NULL);
}

static void table_destroy(struct vdc_descriptor_table *table)
{
    if (!table)
        return;
    if (table->memory != MAP_FAILED)
        munmap(table->memory, table->memory_size);
    free(table);
}

void vdc_descriptor_cache_finish(struct vdc_descriptor_cache *cache)
{
    table_destroy(atomic_load_explicit(&cache->table, memory_order_relaxed));
    pthread_mutex_destroy(&cache->lock);
}

static struct vdc_descriptor_table *table_create(size_t largest)
{
    struct vdc_descriptor_table *table = calloc(1, sizeof(*table));
    if (!table)
        return NULL;
    table->largest = (uint32_t)largest;
    table->stride = (uint32_t)(sizeof(struct place) + largest + LINE - 1) / LINE * LINE;
    table->place_count = BYTES_MAX / table->stride;
    if (table->place_count > PLACES_MAX)
        table->place_count = PLACES_MAX;
    /* Twice as many entries, so that sets which overflow are rare. */
    table->set_count = 1;
    while (table->set_count * WAYS < 2 * table->place_count)
        table->set_count *= 2;
    const size_t index_size = table->set_count * WAYS * sizeof(*table->index);
    table->memory_size = index_size + (size_t)table->place_count * table->stride;
    table->memory = mmap(NULL, table->memory_size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (table->memory == MAP_FAILED) {
        table_destroy(table);
        return NULL;
    }
    table->index = table->memory;
    table->places = (char *)table->memory + index_size;
    return table;
}

static uint64_t hash_of(const struct vdc_descriptor_key *key)
{
    const uint64_t *words = key->words;
    uint64_t hash =
        words[0] * UINT64_C(0x9e3779b97f4a7c15) + words[1] * UINT64_C(0xc2b2ae3d27d4eb4f) +
        words[2] * UINT64_C(0x165667b19e3779f9) + words[3] * UINT64_C(0xd6e8feb86659fd93) +
        words[4] * UINT64_C(0xa0761d6478bd642f);
    hash = (hash ^ hash >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    return hash ^ hash >> 32;
}

/* Its low half says which one. */
static _Atomic uint64_t *set_of(const struct vdc_descriptor_table *table, uint64_t hash)
{
    return &table->index[(size_t)((uint32_t)hash & (table->set_count - 1)) * WAYS];
}

/* Where in its set a key is looked for, the likeliest first. */
static uint32_t way(uint64_t hash, uint32_t i)
{
    return ((uint32_t)(hash >> 60) + i) % WAYS;
}

/* NULL: the entry is not about this hash. */
static struct place *place_of(const struct vdc_descriptor_table *table, uint64_t entry,
                              uint64_t hash)
{
    if (entry >> 32 != hash >> 32 || !(uint32_t)entry)
        return NULL;
    return (struct place *)(table->places + ((size_t)(uint32_t)entry - 1) * table->stride);
}

static uint64_t word_of(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

static bool has_key(const struct place *place, const struct vdc_descriptor_key *key)
{
    static_assert(KEY_WORDS == 5, "all of them are compared");
    return ((word_of(&place->key[0]) ^ key->words[0]) | (word_of(&place->key[1]) ^ key->words[1]) |
            (word_of(&place->key[2]) ^ key->words[2]) | (word_of(&place->key[3]) ^ key->words[3]) |
            (word_of(&place->key[4]) ^ key->words[4])) == 0;
}

static void copy_word(char *to, const _Atomic uint64_t *from)
{
    const uint64_t word = word_of(from);
    memcpy(to, &word, sizeof(word));
}

static void copy_words(char *to, const _Atomic uint64_t *from, size_t count)
{
    for (; count >= 4; count -= 4, from += 4, to += 4 * sizeof(*from)) {
        copy_word(to, from);
        copy_word(to + sizeof(*from), from + 1);
        copy_word(to + 2 * sizeof(*from), from + 2);
        copy_word(to + 3 * sizeof(*from), from + 3);
    }
    for (; count; count--, from++, to += sizeof(*from))
        copy_word(to, from);
}

/* False: there is something else, or it is being written. */
static bool read_place(const struct place *place, const struct vdc_descriptor_key *key, char *to,
                       size_t size)
{
    const uint64_t state = atomic_load_explicit(&place->state, memory_order_acquire);
    if (state & 1 || !has_key(place, key))
        return false;
    const size_t used = (uint32_t)state >> 1;
    const size_t whole = used < size / sizeof(uint64_t) ? used : size / sizeof(uint64_t);
    copy_words(to, place->words, whole);
    const size_t rest = size - whole * sizeof(uint64_t);
    if (whole < used) { /* the last one in part */
        const uint64_t word = word_of(&place->words[whole]);
        memcpy(to + whole * sizeof(word), &word, rest);
    } else {
        memset(to + whole * sizeof(uint64_t), 0, rest);
    }
    return atomic_load_explicit(&place->state, memory_order_relaxed) == state;
}

bool vdc_descriptor_cache_get(const struct vdc_descriptor_cache *cache,
                              const struct vdc_descriptor_key *key, void *to, size_t size)
{
    /* acquire: the table was filled in before it was published. */
    const struct vdc_descriptor_table *table =
        atomic_load_explicit(&cache->table, memory_order_acquire);
    if (!table || size > table->largest)
        return false;
    const uint64_t hash = hash_of(key);
    const _Atomic uint64_t *set = set_of(table, hash);
    for (uint32_t i = 0; i < WAYS; i++) {
        const uint64_t entry = atomic_load_explicit(&set[way(hash, i)], memory_order_relaxed);
        const struct place *place = place_of(table, entry, hash);
        if (place && read_place(place, key, to, size))
            return true;
    }
    return false;
}

static void write_place(struct place *place, const struct vdc_descriptor_key *key,
                        const void *bytes, size_t size)
{
    const uint64_t version = (atomic_load_explicit(&place->state, memory_order_relaxed) >> 32) + 1;
    atomic_store_explicit(&place->state, version << 32 | 1, memory_order_relaxed);
    for (size_t i = 0; i < KEY_WORDS; i++)
        atomic_store_explicit(&place->key[i], key->words[i], memory_order_release);
    size_t used = 0;
    for (size_t i = 0, at = 0; at < size; i++, at += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, (const char *)bytes + at,
               size - at < sizeof(word) ? size - at : sizeof(word));
        atomic_store_explicit(&place->words[i], word, memory_order_release);
        if (word)
            used = i + 1;
    }
    atomic_store_explicit(&place->state, version << 32 | used << 1, memory_order_release);
}

/* Whether the place has been taken for another key since. */
static bool is_stale(const struct vdc_descriptor_table *table, uint64_t entry)
{
    struct vdc_descriptor_key key;
    const struct place *place = place_of(table, entry, entry);
    for (size_t i = 0; i < KEY_WORDS; i++)
        key.words[i] = atomic_load_explicit(&place->key[i], memory_order_relaxed);
    return hash_of(&key) >> 32 != entry >> 32;
}

/* Under the lock. */
static void put(struct vdc_descriptor_table *table, const struct vdc_descriptor_key *key,
                const void *bytes, size_t size)
{
    const uint64_t hash = hash_of(key);
    _Atomic uint64_t *set = set_of(table, hash);
    _Atomic uint64_t *entry = NULL;
    for (uint32_t i = 0; i < WAYS; i++) {
        _Atomic uint64_t *this = &set[way(hash, i)];
        const uint64_t seen = atomic_load_explicit(this, memory_order_relaxed);
        const struct place *place = place_of(table, seen, hash);
        if (place && has_key(place, key))
            return; /* another thread was faster */
        if (!entry && (!seen || is_stale(table, seen)))
            entry = this;
    }
    if (!entry)
        entry = &set[table->victim++ % WAYS];
    const uint32_t number = table->next++ % table->place_count;
    write_place((struct place *)(table->places + (size_t)number * table->stride), key, bytes, size);
    atomic_store_explicit(entry, hash >> 32 << 32 | (number + 1), memory_order_relaxed);
}

void vdc_descriptor_cache_put(struct vdc_descriptor_cache *cache,
                              const struct vdc_descriptor_key *key, const void *bytes, size_t size,
                              size_t largest)
{
    pthread_mutex_lock(&cache->lock);
    struct vdc_descriptor_table *table = atomic_load_explicit(&cache->table, memory_order_relaxed);
    if (!table && (table = table_create(largest)))
        atomic_store_explicit(&cache->table, table, memory_order_release);
    if (table && size <= table->largest)
        put(table, key, bytes, size);
    pthread_mutex_unlock(&cache->lock);
}

uint64_t vdc_descriptor_cache_life(const struct vdc_descriptor_cache *cache)
{
    /* Whoever was given an address again knows it from the server, which heard of the end before. */
    return atomic_load_explicit(&cache->life, memory_order_relaxed);
}

void vdc_descriptor_cache_end_life(struct vdc_descriptor_cache *cache)
{
    atomic_fetch_add_explicit(&cache->life, 1, memory_order_relaxed);
}
