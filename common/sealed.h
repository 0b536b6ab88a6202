/* SPDX-License-Identifier: MIT
 *
 * Files in memory that come from others. One that cannot shrink never kills a process that has mapped
 * it.
 */
#ifndef VIADUCT_COMMON_SEALED_H
#define VIADUCT_COMMON_SEALED_H

#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

/* The bytes of a memfd of whole pages that is sealed against shrinking, or 0 for any other file. */
static inline uint64_t vd_sealed_size(int fd)
{
    const int seals = fcntl(fd, F_GET_SEALS);
    struct stat file;
    if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &file) < 0 || file.st_size <= 0 ||
        file.st_size % sysconf(_SC_PAGESIZE) != 0)
        return 0;
    return (uint64_t)file.st_size;
}

#endif
