/* SPDX-License-Identifier: MIT */
#include "host_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "log.h"

#define PAGE 4096u

/* ---- What lies where */

struct mapping {
    uintptr_t start, end;
    char access[5];
    uint64_t offset;
    dev_t device;
    ino_t inode;
    char name[16]; /* the beginning of it */
};

/* The first mapping that ends behind `address`; false: there is none. */
static bool next_mapping(FILE *maps, uintptr_t address, struct mapping *m)
{
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    while (!found && getline(&line, &room, maps) > 0) {
        unsigned major_number, minor_number;
        uint64_t inode;
        m->name[0] = 0;
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %" SCNx64 " %x:%x %" SCNu64 " %15s",
                   &m->start, &m->end, m->access, &m->offset, &major_number, &minor_number, &inode,
                   m->name) < 7)
            break;
        m->device = makedev(major_number, minor_number);
        m->inode = (ino_t)inode;
        found = m->end > address;
    }
    free(line);
    return found;
}

/* Private memory without a file, which can be written to and does not grow by itself. */
static bool is_shareable(const struct mapping *m)
{
    return !strcmp(m->access, "rw-p") && m->inode == 0 &&
           (!m->name[0] || !strcmp(m->name, "[heap]") || !strncmp(m->name, "[anon:", 6));
}

bool vd_host_pages_shareable(const void *pointer, uint64_t size)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    if (!maps) {
        vd_log("/proc/self/maps: %s", strerror(errno));
        return false;
    }
    uintptr_t at = (uintptr_t)pointer;
    const uintptr_t end = at + size;
    struct mapping m;
    while (at < end && next_mapping(maps, at, &m) && m.start <= at && is_shareable(&m))
        at = m.end;
    fclose(maps);
    if (at < end)
        vd_log("what is at %p is not private, writable memory without a file", (void *)at);
    return at >= end;
}

/* ---- Exchanging pages */

/* A userfaultfd that can keep writers away from private and from shared memory, or -1. One that
 * may, keeps those away too that write in the kernel, in the middle of a system call; else such a
 * call fails with EFAULT. */
static int open_userfaultfd(void)
{
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    if (fd < 0)
        fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
    struct uffdio_api api = {
        .api = UFFD_API,
        .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM,
    };
    if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

bool vd_host_pages_available(void)
{
    const int fd = open_userfaultfd();
    if (fd >= 0)
        close(fd);
    else
        vd_log("no userfaultfd: %s", strerror(errno));
    return fd >= 0;
}

/* Moves the pages at `from`, once they hold what is at `pointer`, there. On failure nothing changes,
 * and errno says why. */
static bool replace(void *pointer, void *from, uint64_t size)
{
    const int fd = open_userfaultfd();
    if (fd < 0)
        return false;
    struct uffdio_register area = {
        .range = {.start = (uintptr_t)pointer, .len = size},
        .mode = UFFDIO_REGISTER_MODE_WP,
    };
    const struct uffdio_writeprotect protect = {
        .range = area.range,
        .mode = UFFDIO_WRITEPROTECT_MODE_WP,
    };
    bool done = false;
    if (!ioctl(fd, UFFDIO_REGISTER, &area)) {
        /* Only pages that are there are protected. */
        for (uint64_t i = 0; i < size; i += PAGE)
            (void)*(volatile uint8_t *)((uint8_t *)pointer + i);
        if (!ioctl(fd, UFFDIO_WRITEPROTECT, &protect)) {
            memcpy(from, pointer, size);
            done = mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, pointer) == pointer;
        }
    }
    const int error = errno;
    close(fd); /* wakes those who wait, and they write to what is there now */
    errno = error;
    return done;
}

/* ---- Forks
 *
 * The application's memory is private, so a forked child must have its own. Copying it all would be
 * too much for a child that only starts another program: it gets a private view, whose pages are
 * copied when it writes to them.
 */

struct shared {
    struct shared *next;
    void *pointer;
    const struct vd_shm_part *part;
};

/* Also held while pages are exchanged, so that no child sees half of it. */
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static struct shared *shared_pages;

static void lock_shared(void)
{
    pthread_mutex_lock(&shared_lock);
}

static void unlock_shared(void)
{
    pthread_mutex_unlock(&shared_lock);
}

static void part_from_parent(void)
{
    for (const struct shared *s = shared_pages; s; s = s->next)
        mmap(s->pointer, s->part->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
             s->part->fd, (off_t)s->part->offset);
    shared_pages = NULL;
    unlock_shared();
}

static void watch_forks(void)
{
    pthread_atfork(lock_shared, unlock_shared, part_from_parent);
}

/* ---- Sharing */

VkResult vd_host_pages_share(void *pointer, const struct vd_shm_part *part)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    struct shared *shared = malloc(sizeof(*shared));
    if (!shared)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    *shared = (struct shared){.pointer = pointer, .part = part};
    void *from = MAP_FAILED;
    lock_shared();
    if (!vd_host_pages_shareable(pointer, part->size))
        goto fail;
    from =
        mmap(NULL, part->size, PROT_READ | PROT_WRITE, MAP_SHARED, part->fd, (off_t)part->offset);
    if (from == MAP_FAILED || !replace(pointer, from, part->size)) {
        vd_log("%" PRIu64 " bytes at %p cannot be shared: %s", part->size, pointer,
               strerror(errno));
        goto fail;
    }
    shared->next = shared_pages;
    shared_pages = shared;
    unlock_shared();
    return VK_SUCCESS;
fail:
    unlock_shared();
    if (from != MAP_FAILED)
        munmap(from, part->size);
    free(shared);
    return VK_ERROR_INVALID_EXTERNAL_HANDLE;
}

/* Private pages in the place of a mapping. */
static bool make_private(const struct mapping *m)
{
    const uint64_t size = m->end - m->start;
    void *from = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (from == MAP_FAILED)
        return false;
    if (replace((void *)m->start, from, size))
        return true;
    vd_log("%" PRIu64 " bytes at %p stay shared: %s", size, (void *)m->start, strerror(errno));
    munmap(from, size);
    return false;
}

static bool take_out(uintptr_t start, const struct vd_shm_part *part)
{
    struct stat file;
    FILE *maps = fopen("/proc/self/maps", "re");
    bool done = maps && !fstat(part->fd, &file);
    struct mapping m;
    for (uintptr_t at = start; done && next_mapping(maps, at, &m) && m.start < start + part->size;
         at = m.end) {
        /* What the application has put there since stays as it is. */
        if (m.device != file.st_dev || m.inode != file.st_ino ||
            m.offset - m.start != part->offset - start)
            continue;
        /* Two parts of the same file that lie side by side are one mapping. */
        m.start = m.start > start ? m.start : start;
        m.end = m.end < start + part->size ? m.end : start + part->size;
        done = make_private(&m);
    }
    if (maps)
        fclose(maps);
    return done;
}

bool vd_host_pages_unshare(void *pointer, const struct vd_shm_part *part)
{
    lock_shared();
    const bool done = take_out((uintptr_t)pointer, part);
    struct shared *shared = NULL;
    for (struct shared **at = &shared_pages; *at && done; at = &(*at)->next) {
        if ((*at)->part == part) {
            shared = *at;
            *at = shared->next;
            break;
        }
    }
    unlock_shared();
    free(shared);
    return done;
}
