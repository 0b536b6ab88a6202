/* SPDX-License-Identifier: MIT
 *
 * Files in memory that come from others. One that cannot shrink never kills a process that has mapped
 * it.
 */
#ifndef VIADUCT_COMMON_SEALED_H
#define VIADUCT_COMMON_SEALED_H

#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

/* The bytes of a memfd of whole pages that is sealed against shrinking, or 0 for any other file. */
static inline uint64_t vd_sealed_size(int fd)
{
    const int seals = fcntl(fd, F_GET_SEALS);
    /* Not fstat(), which sandboxes forbid together with what takes a path. */
    const off_t size = seals >= 0 && (seals & F_SEAL_SHRINK) ? lseek(fd, 0, SEEK_END) : -1;
    return size > 0 && size % sysconf(_SC_PAGESIZE) == 0 ? (uint64_t)size : 0;
}

#endif
