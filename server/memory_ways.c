/* SPDX-License-Identifier: MIT */
#include "memory_ways.h"

#include <string.h>

const char *vds_memory_way_name(enum vds_memory_way_kind kind)
{
    static const char *const names[] = {
        [VDS_MEMORY_NO_WAY] = "",       [VDS_MEMORY_OWN] = "own",
        [VDS_MEMORY_IMPORT] = "import", [VDS_MEMORY_UDMABUF] = "udmabuf",
        [VDS_MEMORY_NONE] = "none",
    };
    return names[kind];
}

void vds_memory_ways_copy(struct vds_memory_ways *to, const struct vds_memory_ways *from)
{
    /* acquire: with vds_memory_ways_add()'s release. */
    uint32_t count = atomic_load_explicit(&from->count, memory_order_acquire);
    if (count > VDS_MEMORY_WAYS_MAX)
        count = VDS_MEMORY_WAYS_MAX;
    memcpy(to->entries, from->entries, count * sizeof(to->entries[0]));
    for (uint32_t i = 0; i < count; i++)
        to->entries[i].way.why[sizeof(to->entries[i].way.why) - 1] = '\0';
    atomic_store_explicit(&to->count, count, memory_order_release);
}

static bool is_same(const struct vds_known_way *a, const struct vds_known_way *b)
{
    return a->driver_version == b->driver_version && a->among == b->among &&
           a->descriptors == b->descriptors &&
           memcmp(a->driver, b->driver, sizeof(a->driver)) == 0 &&
           memcmp(a->device, b->device, sizeof(a->device)) == 0;
}

const struct vds_memory_way *vds_memory_ways_find(const struct vds_memory_ways *ways,
                                                  const struct vds_known_way *like)
{
    const uint32_t count = atomic_load_explicit(&ways->count, memory_order_acquire);
    for (uint32_t i = 0; i < count && i < VDS_MEMORY_WAYS_MAX; i++)
        if (is_same(&ways->entries[i], like))
            return &ways->entries[i].way;
    return NULL;
}

void vds_memory_ways_add(struct vds_memory_ways *ways, const struct vds_known_way *entry)
{
    const uint32_t count = atomic_load_explicit(&ways->count, memory_order_relaxed);
    if (count >= VDS_MEMORY_WAYS_MAX)
        return;
    ways->entries[count] = *entry;
    /* release: with the acquire of whoever reads, here or in the listener. */
    atomic_store_explicit(&ways->count, count + 1, memory_order_release);
}
