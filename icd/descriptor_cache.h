/* SPDX-License-Identifier: MIT
 *
 * The bytes of descriptors that the driver gave before: vkGetDescriptorEXT depends on its input and on
 * living objects only, and applications ask for the same descriptors over and over. There is room for a
 * fixed number of them; the newest take the places of older ones.
 */
#ifndef VIADUCT_ICD_DESCRIPTOR_CACHE_H
#define VIADUCT_ICD_DESCRIPTOR_CACHE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All that the bytes depend on. Ids of handles do not come again, so that what is known of an object
 * which is gone is found by nobody. Device addresses do: who has one in a key has
 * vdc_descriptor_cache_life in it, too. */
struct vdc_descriptor_key {
    uint64_t words[5];
};

struct vdc_descriptor_table;

struct vdc_descriptor_cache {
    pthread_mutex_t lock;
    _Atomic(struct vdc_descriptor_table *) table; /* NULL: nothing was put yet */
    _Atomic uint64_t life;
};

void vdc_descriptor_cache_init(struct vdc_descriptor_cache *cache);
void vdc_descriptor_cache_finish(struct vdc_descriptor_cache *cache);

/* True, with `size` bytes copied, if they are known. After false `to` holds anything. Takes no lock. */
bool vdc_descriptor_cache_get(const struct vdc_descriptor_cache *cache,
                              const struct vdc_descriptor_key *key, void *to, size_t size);
/* The first call decides for how large descriptors there is room: `largest` bytes. Larger ones are
 * not kept. Thread-safe. */
void vdc_descriptor_cache_put(struct vdc_descriptor_cache *cache,
                              const struct vdc_descriptor_key *key, const void *bytes, size_t size,
                              size_t largest);

/* Which life of device addresses this is. */
uint64_t vdc_descriptor_cache_life(const struct vdc_descriptor_cache *cache);
/* Before the driver hears of the end of a buffer or of memory: another thread may be given its
 * addresses before the call that ends it has returned. */
void vdc_descriptor_cache_end_life(struct vdc_descriptor_cache *cache);

#endif
