/* SPDX-License-Identifier: MIT
 *
 * How a client gets at memory that the host's driver calls host-visible: one way for each physical
 * device, found by trying, and remembered for the next worker.
 */
#ifndef VIADUCT_SERVER_MEMORY_WAYS_H
#define VIADUCT_SERVER_MEMORY_WAYS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

enum vds_memory_way_kind {
    VDS_MEMORY_NO_WAY,  /* the device can not be offered */
    VDS_MEMORY_OWN,     /* the driver's own memory; the client maps a descriptor of it */
    VDS_MEMORY_IMPORT,  /* shared memory of the client, whose address the driver imports */
    VDS_MEMORY_UDMABUF, /* the same, which the driver imports as a dma-buf */
    VDS_MEMORY_NONE, /* the device has no memory that can be mapped: a driver that only compiles */
};

/* Sets of ways: bits 1 << kind. */
#define VDS_MEMORY_ANY_WAY \
    (1u << VDS_MEMORY_OWN | 1u << VDS_MEMORY_IMPORT | 1u << VDS_MEMORY_UDMABUF)

struct vds_memory_way {
    enum vds_memory_way_kind kind;
    uint32_t types;       /* of the host's memory types those that it serves, as memoryTypeBits */
    uint32_t alignment;   /* all but OWN: of addresses and sizes, a power of two */
    uint32_t handle_type; /* VkExternalMemoryHandleTypeFlagBits of what is shared */
    uint32_t start;       /* OWN: where the memory begins in the file, whole pages */
    uint32_t files;       /* IMPORT: those of them whose own memory is found (mapped_file.h) */
    char why[192];        /* NO_WAY: what was tried, and why it failed; a text */
};

/* What is known already. Devices beyond the last place are tried by each worker. */
#define VDS_MEMORY_WAYS_MAX 16
struct vds_memory_ways {
    _Atomic uint32_t count; /* of entries that are complete */
    struct vds_known_way {
        uint8_t driver[VK_UUID_SIZE], device[VK_UUID_SIZE];
        uint32_t driver_version;
        uint32_t among;       /* the set of ways of which it is the best */
        uint32_t descriptors; /* not 0: the client can be given some */
        struct vds_memory_way way;
    } entries[VDS_MEMORY_WAYS_MAX];
};

/* As --memory has it; "" for no way, and "none". */
const char *vds_memory_way_name(enum vds_memory_way_kind kind);

/* What is known of the same device of the same driver; NULL: nothing. */
const struct vds_memory_way *vds_memory_ways_find(const struct vds_memory_ways *ways,
                                                  const struct vds_known_way *like);
/* Best effort. */
void vds_memory_ways_add(struct vds_memory_ways *ways, const struct vds_known_way *entry);
/* Replaces *to, which nobody else uses yet, by what whoever wrote *from had no reason to lie about. */
void vds_memory_ways_copy(struct vds_memory_ways *to, const struct vds_memory_ways *from);

#endif
