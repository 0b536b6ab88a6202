/* SPDX-License-Identifier: MIT */
#include "mapped_file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* More are not looked through, whatever the limit is. */
#define FILES_MAX 65536u

static int maps = -1;

void vds_mapped_file_open(void)
{
    if (maps < 0)
        maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
}

void vds_mapped_file_close(void)
{
    if (maps >= 0)
        close(maps);
    maps = -1;
}

/* One line of it. */
struct mapping {
    uint64_t start, end, offset, inode;
    unsigned device_major, device_minor;
    char rights[5];
};

/* "55e0c8a00000-55e0c8a21000 rw-s 00001000 00:01 1034 /memfd:x (deleted)". Most lines are of other addresses, and
 * are read no further than that. */
static bool is_of(const char *line, uint64_t at, struct mapping *m)
{
    char *rest;
    m->start = strtoull(line, &rest, 16);
    if (*rest != '-' || at < m->start)
        return false;
    m->end = strtoull(rest + 1, &rest, 16);
    return at < m->end && sscanf(rest, " %4s %" SCNx64 " %x:%x %" SCNu64, m->rights, &m->offset,
                                 &m->device_major, &m->device_minor, &m->inode) == 5;
}

static bool find_mapping(uint64_t at, struct mapping *found)
{
    char text[2 * PATH_MAX]; /* no line is longer */
    size_t size = 0;
    if (lseek(maps, 0, SEEK_SET) < 0)
        return false;
    for (;;) {
        const ssize_t more = read(maps, text + size, sizeof(text) - 1 - size);
        if (more <= 0)
            return false;
        size += (size_t)more;
        text[size] = '\0';
        char *line = text;
        for (char *end; (end = strchr(line, '\n')); line = end + 1)
            if (is_of(line, at, found))
                return true;
        size -= (size_t)(line - text);
        memmove(text, line, size);
    }
}

static bool is_file(int fd, const struct mapping *m)
{
    struct stat status;
    return fstat(fd, &status) == 0 && status.st_ino == m->inode &&
           major(status.st_dev) == m->device_major && minor(status.st_dev) == m->device_minor &&
           fcntl(fd, F_GET_SEALS) >= 0;
}

/* -1: this process has it no more. */
static int find_descriptor(const struct mapping *m)
{
    static int last = -1; /* a driver has one file for everything */
    struct rlimit limit;
    if (last >= 0 && is_file(last, m))
        return last;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -1;
    const int end = limit.rlim_cur < FILES_MAX ? (int)limit.rlim_cur : (int)FILES_MAX;
    for (int fd = 0; fd < end; fd++)
        if (is_file(fd, m))
            return last = fd;
    return -1;
}

bool vds_mapped_file_find(const void *map, uint64_t size, int *file, uint64_t *offset)
{
    struct mapping m;
    const uint64_t at = (uintptr_t)map;
    if (!find_mapping(at, &m) || m.end - at < size || m.rights[3] != 's' || !m.inode)
        return false;
    *file = find_descriptor(&m);
    *offset = m.offset + (at - m.start);
    return *file >= 0;
}
