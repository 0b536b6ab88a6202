/* SPDX-License-Identifier: MIT */
#include "map_aligned.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

void *vds_reserve_aligned(uint64_t size)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    size = (size + page - 1) & ~(page - 1);
    if (size > SIZE_MAX - VDS_MAP_ALIGNMENT) {
        errno = ENOMEM;
        return NULL;
    }
    const size_t room = size + VDS_MAP_ALIGNMENT;
    uint8_t *map = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    const size_t before = -(uintptr_t)map & (VDS_MAP_ALIGNMENT - 1);
    const size_t behind = VDS_MAP_ALIGNMENT - before;
    if (before)
        munmap(map, before);
    if (behind)
        munmap(map + before + size, behind);
    return map + before;
}

void *vds_map_aligned(int fd, uint64_t offset, uint64_t size)
{
    void *place = vds_reserve_aligned(size);
    if (!place)
        return NULL;
    void *map =
        mmap(place, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, (off_t)offset);
    if (map == MAP_FAILED) {
        const int error = errno;
        munmap(place, size);
        errno = error;
        return NULL;
    }
    return map;
}
