/* SPDX-License-Identifier: MIT */
#include "host_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
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

/* ---- The file */

/* As large as a process: what is at an address lies at the same offset. */
#define FILE_SIZE (INT64_C(1) << 47)

/* What is shared, once for each time. */
struct shared {
    struct shared *next;
    uintptr_t start, end;
};

/* Around everything below, and while pages are exchanged. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct shared *shared_pages;
static int file = -1;
static struct stat file_status;

static bool open_file(void)
{
    if (file >= 0)
        return true;
    const int fd = memfd_create("viaduct-pages", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return false;
    if (ftruncate(fd, FILE_SIZE) || fstat(fd, &file_status) ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
        const int error = errno;
        close(fd);
        errno = error;
        return false;
    }
    file = fd;
    return true;
}

/* Once nothing is shared; what the application has unmapped without a word goes with it. */
static void close_file(void)
{
    if (file >= 0 && !shared_pages) {
        close(file);
        file = -1;
    }
}

static bool is_in_file(const struct mapping *m)
{
    return file >= 0 && m->device == file_status.st_dev && m->inode == file_status.st_ino &&
           m->offset == m->start;
}

/* Private memory without a file, which can be written to and does not grow by itself. */
static bool is_private(const struct mapping *m)
{
    return !strcmp(m->access, "rw-p") && m->inode == 0 &&
           (!m->name[0] || !strcmp(m->name, "[heap]") || !strncmp(m->name, "[anon:", 6));
}

/* Calls do_piece for each mapping, or what of it lies within, until it says false. True: all of
 * them were there, without a gap, and it never did. */
static bool for_each_piece(uintptr_t start, uintptr_t end,
                           bool (*do_piece)(const struct mapping *piece))
{
    FILE *maps = fopen("/proc/self/maps", "re");
    if (!maps)
        return false;
    bool done = true, gap = false;
    struct mapping m;
    for (uintptr_t at = start; done && at < end; at = m.end) {
        if (!next_mapping(maps, at, &m) || m.start >= end) {
            gap = true;
            break;
        }
        gap |= m.start > at;
        struct mapping piece = m;
        piece.start = m.start > start ? m.start : start;
        piece.offset += piece.start - m.start;
        piece.end = m.end < end ? m.end : end;
        done = do_piece(&piece);
    }
    fclose(maps);
    return done && !gap;
}

static bool can_share(const struct mapping *piece)
{
    const bool can = is_private(piece) || is_in_file(piece);
    if (!can)
        vdc_log("what is at %p is not private, writable memory without a file",
                (void *)piece->start);
    return can;
}

bool vdc_host_pages_shareable(const void *pointer, uint64_t size)
{
    pthread_mutex_lock(&lock);
    const bool can = for_each_piece((uintptr_t)pointer, (uintptr_t)pointer + size, can_share);
    pthread_mutex_unlock(&lock);
    return can;
}

/* ---- Exchanging pages */

/* A userfaultfd that can keep writers away from private and from shared memory, in the kernel too;
 * or -1. One for user space alone will not do: system calls that write there would fail. */
static int open_userfaultfd(void)
{
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    if (fd < 0 && errno == EPERM) {
        const int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
        if (device >= 0) {
            fd = ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC);
            close(device);
        }
    }
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

/* The value behind `key` in a file of /proc, -1: none. `base` as for strtoull(). */
static long long number_in(const char *path, const char *key, int base)
{
    FILE *text = fopen(path, "re");
    char line[256];
    long long number = -1;
    while (text && number < 0 && fgets(line, sizeof(line), text))
        if (!strncmp(line, key, strlen(key)))
            number = (long long)strtoull(line + strlen(key), NULL, base);
    if (text)
        fclose(text);
    return number;
}

/* Whether this process is in the first user namespace, in whose eyes its capabilities count. */
static bool counts_for_kernel(void)
{
    unsigned inside = 1, outside = 1, count = 0;
    FILE *map = fopen("/proc/self/uid_map", "re");
    const bool read = map && fscanf(map, "%u %u %u", &inside, &outside, &count) == 3;
    if (map)
        fclose(map);
    return read && !inside && !outside && count == UINT32_MAX;
}

/* Why this process has no userfaultfd that will do, NULL: it has one. Told from what can be read alone:
 * a program whose filter of system calls does not know userfaultfd() would be killed by it, and most
 * of those that enumerate devices never import a page. */
static const char *why_no_userfaultfd(void)
{
    struct utsname kernel;
    unsigned major_number, minor_number;
    if (uname(&kernel) || sscanf(kernel.release, "%u.%u", &major_number, &minor_number) != 2 ||
        major_number * 1000 + minor_number < 5019)
        return "the kernel is older than 5.19";
    if (number_in("/proc/self/status", "Seccomp:", 10) != 0)
        return "system calls are filtered";
    const long long unprivileged = number_in("/proc/sys/vm/unprivileged_userfaultfd", "", 10);
    if (unprivileged < 0)
        return "the kernel has none";
    const unsigned long long capabilities =
        (unsigned long long)number_in("/proc/self/status", "CapEff:", 16);
    if (unprivileged == 1 || !access("/dev/userfaultfd", R_OK | W_OK) ||
        (capabilities >> CAP_SYS_PTRACE & 1 && counts_for_kernel()))
        return NULL;
    return "this process may not have one";
}

bool vdc_host_pages_available(void)
{
    struct rlimit limit;
    const char *why = why_no_userfaultfd();
    if (why) {
        vdc_log("no userfaultfd: %s", why);
        return false;
    }
    return !getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur >= (rlim_t)FILE_SIZE;
}

/* Moves the pages at `from`, once they hold what is at `start`, there. On failure nothing changes,
 * and errno says why. */
static bool replace(uintptr_t start, void *from, uint64_t size)
{
    const int fd = open_userfaultfd();
    if (fd < 0)
        return false;
    struct uffdio_register area = {
        .range = {.start = start, .len = size},
        .mode = UFFDIO_REGISTER_MODE_WP,
    };
    struct uffdio_writeprotect protect = {
        .range = area.range,
        .mode = UFFDIO_WRITEPROTECT_MODE_WP,
    };
    /* Nor may a signal's handler write there: nobody would ever wake this thread. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool done = false;
    if (!ioctl(fd, UFFDIO_REGISTER, &area)) {
        /* Only pages that are there are protected. */
        for (uint64_t i = 0; i < size; i += PAGE)
            (void)*(volatile uint8_t *)(start + (uintptr_t)i);
        if (!ioctl(fd, UFFDIO_WRITEPROTECT, &protect)) {
            memcpy(from, (void *)start, size);
            done = mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)start) !=
                   MAP_FAILED;
        }
    }
    const int error = errno;
    close(fd); /* wakes those who wait, and they write to what is there now */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return done;
}

static bool exchange(const struct mapping *piece, int flags, int fd, uint64_t offset)
{
    const uint64_t size = piece->end - piece->start;
    void *from = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, (off_t)offset);
    if (from != MAP_FAILED && replace(piece->start, from, size))
        return true;
    vdc_log("%" PRIu64 " bytes at %p: %s", size, (void *)piece->start, strerror(errno));
    if (from != MAP_FAILED)
        munmap(from, size);
    return false;
}

static bool make_shared(const struct mapping *piece)
{
    return is_in_file(piece) || exchange(piece, MAP_SHARED, file, piece->start);
}

/* What the application has put there since stays as it is. */
static bool make_private(const struct mapping *piece)
{
    if (!is_in_file(piece))
        return true;
    if (!exchange(piece, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
        return false;
    fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)piece->start,
              (off_t)(piece->end - piece->start));
    return true;
}

/* ---- Forks */

static void lock_pages(void)
{
    pthread_mutex_lock(&lock);
}

static void unlock_pages(void)
{
    pthread_mutex_unlock(&lock);
}

static bool copy(const struct mapping *piece)
{
    const uint64_t size = piece->end - piece->start;
    void *from = is_in_file(piece)
                     ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                     : MAP_FAILED;
    if (from != MAP_FAILED) {
        memcpy(from, (void *)piece->start, size);
        mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)piece->start);
    }
    return true;
}

/* The application's memory is private, so a forked child must have its own. */
static void part_from_parent(void)
{
    for (const struct shared *s = shared_pages; s; s = s->next)
        for_each_piece(s->start, s->end, copy);
    shared_pages = NULL;
    close_file();
    unlock_pages();
}

static void watch_forks(void)
{
    pthread_atfork(lock_pages, unlock_pages, part_from_parent);
}

/* ---- Sharing */

/* Takes back what of these pages nobody shares. */
static void release(uintptr_t start, uintptr_t end)
{
    while (start < end) {
        /* Up to where the next one begins, or from where the last one that is here ends. */
        uintptr_t next = end, past = start;
        for (const struct shared *s = shared_pages; s; s = s->next) {
            if (s->start <= start && s->end > past)
                past = s->end;
            if (s->start > start && s->start < next)
                next = s->start;
        }
        if (past > start) {
            start = past;
            continue;
        }
        for_each_piece(start, next, make_private);
        start = next;
    }
}

VkResult vdc_host_pages_share(void *pointer, uint64_t size, int *out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    struct shared *s = malloc(sizeof(*s));
    if (!s)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    *s = (struct shared){.start = (uintptr_t)pointer, .end = (uintptr_t)pointer + size};
    lock_pages();
    const uint64_t end = s->end;
    const bool possible = s->start < s->end && size <= SIZE_MAX / 2 && end <= (uint64_t)FILE_SIZE &&
                          open_file() && for_each_piece(s->start, s->end, can_share);
    const bool done = possible && for_each_piece(s->start, s->end, make_shared);
    if (done) {
        s->next = shared_pages;
        shared_pages = s;
        *out = file;
    } else if (possible) {
        release(s->start, s->end);
    }
    close_file();
    unlock_pages();
    if (!done)
        free(s);
    return done ? VK_SUCCESS : VK_ERROR_INVALID_EXTERNAL_HANDLE;
}

void vdc_host_pages_unshare(void *pointer, uint64_t size)
{
    const uintptr_t start = (uintptr_t)pointer, end = start + size;
    lock_pages();
    struct shared **at = &shared_pages;
    while (*at && ((*at)->start != start || (*at)->end != end))
        at = &(*at)->next;
    struct shared *s = *at;
    if (s) {
        *at = s->next;
        release(start, end);
    }
    close_file();
    unlock_pages();
    free(s);
}
