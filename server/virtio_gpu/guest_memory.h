/* SPDX-License-Identifier: MIT
 *
 * The guest's RAM, as QEMU shares it: a few regions, each a part of a file. Whatever lies in it may
 * change at any time.
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_GUEST_MEMORY_H
#define VIADUCT_SERVER_VIRTIO_GPU_GUEST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VG_REGIONS_MAX 32

struct vg_region {
    uint64_t guest; /* address in the guest */
    uint64_t size;
    uint64_t user;   /* address in QEMU, which names rings by it */
    uint64_t offset; /* in the file */
    int fd;
    uint8_t *map; /* of [offset, offset + size) */
};

struct vg_memory {
    struct vg_region regions[VG_REGIONS_MAX];
    unsigned count;
};

/* A part of the guest's memory, by its addresses. */
struct vg_segment {
    uint64_t address;
    uint64_t size;
};

void vg_memory_init(struct vg_memory *memory);
/* Unmaps and closes everything. */
void vg_memory_finish(struct vg_memory *memory);

/* Maps the region and owns its fd from then on. False with errno set; the fd stays the caller's. */
bool vg_memory_add(struct vg_memory *memory, const struct vg_region *region);

/* Bytes of all regions. */
uint64_t vg_memory_size(const struct vg_memory *memory);

/* Where a guest address is mapped, and *size cut down to what is contiguous there (at least 1).
 * NULL: it is no RAM. */
uint8_t *vg_memory_at(const struct vg_memory *memory, uint64_t address, uint64_t *size);
/* The region of a guest address, NULL: none. */
const struct vg_region *vg_memory_region(const struct vg_memory *memory, uint64_t address);
/* Where all of [user, user + size), in QEMU's addresses, is mapped, or NULL. */
uint8_t *vg_memory_at_user(const struct vg_memory *memory, uint64_t user, uint64_t size);

/* Copy `size` bytes from or to byte `offset` of the segments. False: they are too short, or no RAM;
 * a part may have been copied. */
bool vg_memory_read(const struct vg_memory *memory, const struct vg_segment *segments, size_t count,
                    uint64_t offset, void *bytes, uint64_t size);
bool vg_memory_write(const struct vg_memory *memory, const struct vg_segment *segments,
                     size_t count, uint64_t offset, const void *bytes, uint64_t size);

#endif
