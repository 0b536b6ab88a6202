/* SPDX-License-Identifier: MIT */
#include "guest_memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void vg_memory_init(struct vg_memory *memory)
{
    memory->count = 0;
}

void vg_memory_finish(struct vg_memory *memory)
{
    for (unsigned i = 0; i < memory->count; i++) {
        munmap(memory->regions[i].map, memory->regions[i].size);
        close(memory->regions[i].fd);
    }
    memory->count = 0;
}

bool vg_memory_add(struct vg_memory *memory, const struct vg_region *region)
{
    if (memory->count == VG_REGIONS_MAX || region->size == 0 || region->size > SIZE_MAX / 2 ||
        region->guest + region->size < region->guest ||
        region->user + region->size < region->user) {
        errno = EINVAL;
        return false;
    }
    void *map = mmap(NULL, region->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                     region->fd, (off_t)region->offset);
    if (map == MAP_FAILED)
        return false;
    memory->regions[memory->count] = *region;
    memory->regions[memory->count++].map = map;
    return true;
}

uint64_t vg_memory_size(const struct vg_memory *memory)
{
    uint64_t size = 0;
    for (unsigned i = 0; i < memory->count; i++)
        size += memory->regions[i].size;
    return size;
}

const struct vg_region *vg_memory_region(const struct vg_memory *memory, uint64_t address)
{
    for (unsigned i = 0; i < memory->count; i++) {
        const struct vg_region *region = &memory->regions[i];
        if (address >= region->guest && address - region->guest < region->size)
            return region;
    }
    return NULL;
}

uint8_t *vg_memory_at(const struct vg_memory *memory, uint64_t address, uint64_t *size)
{
    const struct vg_region *region = vg_memory_region(memory, address);
    if (!region)
        return NULL;
    const uint64_t offset = address - region->guest;
    if (*size > region->size - offset)
        *size = region->size - offset;
    return region->map + offset;
}

uint8_t *vg_memory_at_user(const struct vg_memory *memory, uint64_t user, uint64_t size)
{
    for (unsigned i = 0; i < memory->count; i++) {
        const struct vg_region *region = &memory->regions[i];
        if (user >= region->user && user - region->user < region->size &&
            size <= region->size - (user - region->user))
            return region->map + (user - region->user);
    }
    return NULL;
}

static bool copy(const struct vg_memory *memory, const struct vg_segment *segments, size_t count,
                 uint64_t offset, uint8_t *bytes, uint64_t size, bool write)
{
    for (size_t i = 0; i < count && size > 0; i++) {
        if (offset >= segments[i].size) {
            offset -= segments[i].size;
            continue;
        }
        while (size > 0 && offset < segments[i].size) {
            uint64_t part = segments[i].size - offset;
            part = part < size ? part : size;
            uint8_t *at = vg_memory_at(memory, segments[i].address + offset, &part);
            if (!at)
                return false;
            if (write)
                memcpy(at, bytes, part);
            else
                memcpy(bytes, at, part);
            bytes += part;
            offset += part;
            size -= part;
        }
        offset = 0;
    }
    return size == 0;
}

bool vg_memory_read(const struct vg_memory *memory, const struct vg_segment *segments, size_t count,
                    uint64_t offset, void *bytes, uint64_t size)
{
    return copy(memory, segments, count, offset, bytes, size, false);
}

bool vg_memory_write(const struct vg_memory *memory, const struct vg_segment *segments,
                     size_t count, uint64_t offset, const void *bytes, uint64_t size)
{
    return copy(memory, segments, count, offset, (void *)bytes, size, true);
}
