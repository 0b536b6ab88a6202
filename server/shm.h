/* SPDX-License-Identifier: MIT
 *
 * The shared memory of one client: id -> mapping. The vtest thread adds and removes, the ring
 * thread and imported VkDeviceMemory hold references. Descriptors that are on their way from one of
 * these threads to the other have ids of the same table.
 */
#ifndef VIADUCT_SERVER_SHM_H
#define VIADUCT_SERVER_SHM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct vds_shm_table;

/* One mapping; lives while referenced. */
struct vds_shm_region {
    uint32_t id;
    uint64_t size; /* bytes mapped, in a file that the client cannot shrink */
    uint8_t *map;
    /* Where it is mapped from, if the table keeps files; else -1. */
    int file;
    uint64_t file_offset;
};

struct vds_shm_table *vds_shm_table_create(void);
/* No more bytes of the client's at the same time than this; 0: any number, as at first. Memory that was
 * mapped by others (vds_shm_add_mapped) does not count. */
void vds_shm_set_limit(struct vds_shm_table *table, uint64_t bytes);
/* Adds the bytes that are mapped to *sum, from now on. */
void vds_shm_set_sum(struct vds_shm_table *table, _Atomic uint64_t *sum);
/* From now on the files of what is mapped stay open as long as it is. */
void vds_shm_keep_files(struct vds_shm_table *table);
void vds_shm_table_destroy(struct vds_shm_table *table);

/* Makes zeroed, sealed, mapped shared memory; *fd is the caller's to close. Returns the id, or 0
 * with errno set. */
uint32_t vds_shm_add(struct vds_shm_table *table, uint64_t size, int *fd);
/* What to call when a region's mapping is gone, on whichever thread had the last reference. */
struct vds_shm_release {
    void (*released)(void *data, uint64_t token);
    void *data;
    uint64_t token;
};
/* Adds memory that is mapped already, under an id of the caller's choice, and owns the mapping from
 * then on. False: the id is in use or too large, or there is no memory. Not for a table that
 * vds_shm_add gives ids in. */
bool vds_shm_add_mapped(struct vds_shm_table *table, uint32_t id, void *map, uint64_t size,
                        const struct vds_shm_release *release);
/* Maps whole pages of a file that the client brings, which must be a sealed memfd; the descriptor stays the caller's.
 * Returns the id, or 0 with errno set, which is EINVAL for anything else. */
uint32_t vds_shm_add_file(struct vds_shm_table *table, int fd, uint64_t offset, uint64_t size);
/* Forgets the id; the mapping goes with the last reference. False: no such id. */
bool vds_shm_remove(struct vds_shm_table *table, uint32_t id);

/* A reference, or NULL: no such id, or [offset, offset + size) does not lie within. Thread-safe. */
struct vds_shm_region *vds_shm_get(struct vds_shm_table *table, uint32_t id, uint64_t offset,
                                   uint64_t size);
void vds_shm_put(struct vds_shm_table *table, struct vds_shm_region *region);

/* Keeps a descriptor, and owns it from now on. 0: it is closed, for there are too many on their way,
 * or there is no memory. Thread-safe. */
uint32_t vds_shm_add_fd(struct vds_shm_table *table, int fd);
/* The descriptor, the caller's to close, and the id is free; -1: no such id. Thread-safe. */
int vds_shm_take_fd(struct vds_shm_table *table, uint32_t id);

#endif
