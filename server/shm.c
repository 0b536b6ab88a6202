/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/sealed.h"
#include "protocol/record.h"

#include "budget.h"
#include "map_aligned.h"
#include "shm.h"

/* What vd_shm_pointer() can name. */
#define ID_MAX     ((UINT32_C(1) << (64 - VD_SHM_POINTER_OFFSET_BITS)) - 1)
#define REGION_MAX (UINT64_C(1) << VD_SHM_POINTER_OFFSET_BITS)

struct region {
    struct vds_shm_region base;
    _Atomic uint32_t references;    /* one of them is the table's, until vds_shm_remove */
    struct vds_shm_release release; /* released NULL: nobody wants to know */
    struct vds_budget *budget;      /* that it counts for, or NULL */
    _Atomic uint64_t *sum;          /* the table's */
};

/* Descriptors on their way at the same time. Each is fetched or used at once. */
#define FDS_MAX 64

/* Entry `id` of the table: a region, a descriptor, or a link of the list of free ids. */
struct entry {
    struct region *region;
    bool has_fd;
    int fd;
    uint32_t next_free;
};

struct vds_shm_table {
    pthread_mutex_t lock;
    struct entry *entries; /* entry 0 is never used */
    uint32_t count;
    uint32_t capacity;
    uint32_t first_free; /* 0: none */
    uint32_t fd_count;
    _Atomic bool keeps_files;
    struct vds_budget budget;
    _Atomic uint64_t *sum; /* of mapped bytes; NULL: nobody asks */
};

struct vds_shm_table *vds_shm_table_create(void)
{
    struct vds_shm_table *table = calloc(1, sizeof(*table));
    if (!table)
        return NULL;
    pthread_mutex_init(&table->lock, NULL);
    table->count = 1;
    return table;
}

void vds_shm_set_limit(struct vds_shm_table *table, uint64_t bytes)
{
    table->budget.limit = bytes;
}

void vds_shm_set_sum(struct vds_shm_table *table, _Atomic uint64_t *sum)
{
    table->sum = sum;
}

/* A new region is mapped. */
static void add_to_sum(const struct vds_shm_table *table, struct region *region)
{
    region->sum = table->sum;
    if (region->sum)
        atomic_fetch_add_explicit(region->sum, region->base.size, memory_order_relaxed);
}

void vds_shm_keep_files(struct vds_shm_table *table)
{
    atomic_store(&table->keeps_files, true);
}

void vds_shm_table_destroy(struct vds_shm_table *table)
{
    if (!table)
        return;
    for (uint32_t id = 1; id < table->count; id++) {
        if (table->entries[id].region)
            vds_shm_put(table, &table->entries[id].region->base);
        if (table->entries[id].has_fd)
            close(table->entries[id].fd);
    }
    pthread_mutex_destroy(&table->lock);
    free(table->entries);
    free(table);
}

/* Counts for the budget, whether it is touched or not. NULL with errno set. */
static struct region *region_map(struct vds_shm_table *table, int fd, uint64_t offset,
                                 uint64_t size)
{
    struct vds_budget *budget = &table->budget;
    if (!vds_budget_take(budget, size)) {
        errno = EDQUOT;
        return NULL;
    }
    struct region *region = malloc(sizeof(*region));
    if (!region) {
        vds_budget_give_back(budget, size);
        return NULL;
    }
    const bool keeps = atomic_load(&table->keeps_files);
    const int file = keeps ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    void *map = keeps && file < 0 ? NULL : vds_map_aligned(fd, offset, size);
    if (!map) {
        const int error = errno;
        if (file >= 0)
            close(file);
        free(region);
        vds_budget_give_back(budget, size);
        errno = error;
        return NULL;
    }
    *region = (struct region){
        .base = {.size = size, .map = map, .file = file, .file_offset = offset},
        .references = 1,
        .budget = budget,
    };
    return region;
}

/* A sealed memfd, mapped: the client can not take away what the server has mapped. NULL with errno
 * set. */
static struct region *region_create(struct vds_shm_table *table, uint64_t size, int *fd)
{
    const int memory = memfd_create("viaduct", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (memory < 0)
        return NULL;
    struct region *region = NULL;
    if (ftruncate(memory, (off_t)size) == 0 &&
        fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        region = region_map(table, memory, 0, size);
    if (!region) {
        const int error = errno;
        close(memory);
        errno = error;
        return NULL;
    }
    *fd = memory;
    return region;
}

static void region_destroy(struct region *region)
{
    const struct vds_shm_release release = region->release;
    munmap(region->base.map, region->base.size);
    if (region->base.file >= 0)
        close(region->base.file);
    if (region->budget)
        vds_budget_give_back(region->budget, region->base.size);
    if (region->sum)
        atomic_fetch_sub_explicit(region->sum, region->base.size, memory_order_relaxed);
    free(region);
    if (release.released)
        release.released(release.data, release.token);
}

/* The region of this id, or NULL. Under the table's lock. */
static struct region *lookup(struct vds_shm_table *table, uint32_t id)
{
    return id > 0 && id < table->count ? table->entries[id].region : NULL;
}

/* An id that nobody uses, or 0. Under the table's lock. */
static uint32_t id_take(struct vds_shm_table *table)
{
    if (table->first_free) {
        const uint32_t id = table->first_free;
        table->first_free = table->entries[id].next_free;
        return id;
    }
    if (table->count > ID_MAX)
        return 0;
    if (table->count >= table->capacity) {
        const uint32_t capacity = table->capacity ? table->capacity * 2 : 64;
        struct entry *entries = realloc(table->entries, capacity * sizeof(*entries));
        if (!entries)
            return 0;
        table->entries = entries;
        table->capacity = capacity;
    }
    return table->count++;
}

/* Makes the table hold `id`. Under the table's lock. */
static bool reserve(struct vds_shm_table *table, uint32_t id)
{
    if (id >= table->capacity) {
        const uint32_t capacity = id < 64 ? 64 : id + id / 2;
        struct entry *entries = realloc(table->entries, capacity * sizeof(*entries));
        if (!entries)
            return false;
        table->entries = entries;
        table->capacity = capacity;
    }
    while (table->count <= id)
        table->entries[table->count++] = (struct entry){0};
    return true;
}

bool vds_shm_add_mapped(struct vds_shm_table *table, uint32_t id, void *map, uint64_t size,
                        const struct vds_shm_release *release)
{
    struct region *region =
        id > 0 && id < ID_MAX && size <= REGION_MAX ? malloc(sizeof(*region)) : NULL;
    if (!region)
        return false;
    *region = (struct region){
        .base = {.id = id, .size = size, .map = map, .file = -1},
        .references = 1,
        .release = *release,
    };
    pthread_mutex_lock(&table->lock);
    const bool added =
        reserve(table, id) && !table->entries[id].region && !table->entries[id].has_fd;
    if (added) {
        add_to_sum(table, region);
        table->entries[id].region = region;
    }
    pthread_mutex_unlock(&table->lock);
    if (!added)
        free(region);
    return added;
}

/* Gives a new region its id. 0 with errno set: there is none left, and the region is gone. */
static uint32_t add(struct vds_shm_table *table, struct region *region)
{
    add_to_sum(table, region);
    pthread_mutex_lock(&table->lock);
    const uint32_t id = id_take(table);
    if (id) {
        region->base.id = id;
        table->entries[id] = (struct entry){.region = region};
    }
    pthread_mutex_unlock(&table->lock);
    if (!id) {
        region_destroy(region);
        errno = ENOMEM;
    }
    return id;
}

uint32_t vds_shm_add(struct vds_shm_table *table, uint64_t size, int *fd)
{
    if (size == 0 || size > REGION_MAX) {
        errno = EINVAL;
        return 0;
    }
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    size = (size + page - 1) & ~(page - 1);
    if (size > SIZE_MAX) {
        errno = ENOMEM;
        return 0;
    }

    int memory;
    struct region *region = region_create(table, size, &memory);
    if (!region)
        return 0;
    const uint32_t id = add(table, region);
    if (!id) {
        close(memory);
        errno = ENOMEM;
        return 0;
    }
    *fd = memory;
    return id;
}

uint32_t vds_shm_add_file(struct vds_shm_table *table, int fd, uint64_t offset, uint64_t size)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    const uint64_t whole = vd_sealed_size(fd);
    if (size == 0 || size > REGION_MAX || (offset | size) % page != 0 || offset > whole ||
        size > whole - offset) {
        errno = EINVAL;
        return 0;
    }
    struct region *region = region_map(table, fd, offset, size);
    return region ? add(table, region) : 0;
}

/* Under the table's lock. */
static void id_give_back(struct vds_shm_table *table, uint32_t id)
{
    table->entries[id] = (struct entry){.next_free = table->first_free};
    table->first_free = id;
}

bool vds_shm_remove(struct vds_shm_table *table, uint32_t id)
{
    pthread_mutex_lock(&table->lock);
    struct region *region = lookup(table, id);
    if (region)
        id_give_back(table, id);
    pthread_mutex_unlock(&table->lock);
    if (region)
        vds_shm_put(table, &region->base);
    return region != NULL;
}

struct vds_shm_region *vds_shm_get(struct vds_shm_table *table, uint32_t id, uint64_t offset,
                                   uint64_t size)
{
    pthread_mutex_lock(&table->lock);
    struct region *region = lookup(table, id);
    if (region) {
        if (offset <= region->base.size && size <= region->base.size - offset)
            atomic_fetch_add_explicit(&region->references, 1, memory_order_relaxed);
        else
            region = NULL;
    }
    pthread_mutex_unlock(&table->lock);
    return region ? &region->base : NULL;
}

void vds_shm_put(struct vds_shm_table *table, struct vds_shm_region *base)
{
    (void)table;
    if (!base)
        return;
    struct region *region = (struct region *)base;
    static_assert(offsetof(struct region, base) == 0, "a region begins with its public part");
    /* acq_rel: the last one unmaps after everybody else's uses. */
    if (atomic_fetch_sub_explicit(&region->references, 1, memory_order_acq_rel) == 1)
        region_destroy(region);
}

uint32_t vds_shm_add_fd(struct vds_shm_table *table, int fd)
{
    pthread_mutex_lock(&table->lock);
    const uint32_t id = table->fd_count < FDS_MAX ? id_take(table) : 0;
    if (id) {
        table->entries[id] = (struct entry){.has_fd = true, .fd = fd};
        table->fd_count++;
    }
    pthread_mutex_unlock(&table->lock);
    if (!id)
        close(fd);
    return id;
}

int vds_shm_take_fd(struct vds_shm_table *table, uint32_t id)
{
    int fd = -1;
    pthread_mutex_lock(&table->lock);
    if (id > 0 && id < table->count && table->entries[id].has_fd) {
        fd = table->entries[id].fd;
        table->fd_count--;
        id_give_back(table, id);
    }
    pthread_mutex_unlock(&table->lock);
    return fd;
}
