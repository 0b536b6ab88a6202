/* SPDX-License-Identifier: MIT */
#include "shm_pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/sealed.h"

#define PART_ALIGN 4096u
#define BLOCK_SIZE (UINT64_C(32) << 20)

/* A free range of a block; ranges are sorted by offset and never touch. */
struct range {
    struct range *next;
    uint64_t offset, size;
};

struct vdc_shm_block {
    struct vdc_shm_block *next;
    struct vdc_shm shm;
    struct range *free;
    uint64_t used; /* bytes handed out */
    bool alone;    /* for one part only */
    bool file;     /* others can be given a descriptor of it */
};

/* A part that is free once the server has copied what is in it. */
struct pending {
    struct pending *next;
    struct vdc_shm_part part;
    uint64_t position;
};

struct vdc_shm_pool {
    struct vdc_connection *connection;
    pthread_mutex_t lock;
    struct vdc_shm_block *blocks;
    struct pending *pending;
};

struct vdc_shm_pool *vdc_shm_pool_create(struct vdc_connection *connection)
{
    struct vdc_shm_pool *pool = calloc(1, sizeof(*pool));
    if (!pool)
        return NULL;
    pool->connection = connection;
    pthread_mutex_init(&pool->lock, NULL);
    return pool;
}

static void block_destroy(struct vdc_shm_pool *pool, struct vdc_shm_block *block)
{
    while (block->free) {
        struct range *next = block->free->next;
        free(block->free);
        block->free = next;
    }
    vdc_link_shm_destroy(&pool->connection->link, &block->shm);
    free(block);
}

void vdc_shm_pool_destroy(struct vdc_shm_pool *pool)
{
    if (!pool)
        return;
    while (pool->pending) {
        struct pending *next = pool->pending->next;
        free(pool->pending);
        pool->pending = next;
    }
    while (pool->blocks) {
        struct vdc_shm_block *next = pool->blocks->next;
        block_destroy(pool, pool->blocks);
        pool->blocks = next;
    }
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

/* First fit. */
static bool take(struct vdc_shm_block *block, uint64_t size, uint64_t align, uint64_t *offset)
{
    for (struct range **at = &block->free; *at; at = &(*at)->next) {
        struct range *range = *at;
        const uint64_t skipped = -range->offset & (align - 1);
        if (range->size < size || range->size - size < skipped)
            continue;
        const uint64_t behind = range->size - size - skipped;
        if (skipped && behind) {
            struct range *rest = malloc(sizeof(*rest));
            if (!rest)
                return false;
            *rest = (struct range){
                .next = range->next,
                .offset = range->offset + skipped + size,
                .size = behind,
            };
            range->next = rest;
        }
        *offset = range->offset + skipped;
        block->used += size;
        if (skipped) {
            range->size = skipped;
        } else if (behind) {
            range->offset += size;
            range->size = behind;
        } else {
            *at = range->next;
            free(range);
        }
        return true;
    }
    return false;
}

/* False: no memory to remember the range, which then stays in use. */
static bool give(struct vdc_shm_block *block, uint64_t offset, uint64_t size)
{
    struct range **at = &block->free, *before = NULL;
    while (*at && (*at)->offset < offset) {
        before = *at;
        at = &(*at)->next;
    }
    struct range *after = *at;
    if (before && before->offset + before->size == offset) {
        before->size += size;
        if (after && before->offset + before->size == after->offset) {
            before->size += after->size;
            before->next = after->next;
            free(after);
        }
    } else if (after && offset + size == after->offset) {
        after->offset = offset;
        after->size += size;
    } else {
        struct range *range = malloc(sizeof(*range));
        if (!range)
            return false;
        *range = (struct range){.next = after, .offset = offset, .size = size};
        *at = range;
    }
    block->used -= size;
    return true;
}

static void block_add(struct vdc_shm_pool *pool, struct vdc_shm_block *block)
{
    block->next = pool->blocks;
    pool->blocks = block;
}

static VkResult block_create(struct vdc_shm_pool *pool, uint64_t size, bool file,
                             struct vdc_shm_block **out)
{
    struct vdc_shm_block *block = calloc(1, sizeof(*block));
    struct range *range = malloc(sizeof(*range));
    VkResult result = VK_ERROR_OUT_OF_HOST_MEMORY;
    if (!block || !range)
        goto fail;
    size = size > BLOCK_SIZE ? size : BLOCK_SIZE;
    struct vdc_link *link = &pool->connection->link;
    result = file ? vdc_link_shm_create_file(link, size, &block->shm)
                  : vdc_link_shm_create(link, size, &block->shm);
    if (result != VK_SUCCESS)
        goto fail;
    *range = (struct range){.size = size};
    block->free = range;
    block->file = file;
    block_add(pool, block);
    *out = block;
    return VK_SUCCESS;
fail:
    free(range);
    free(block);
    return result;
}

static struct vdc_shm_part part_of(struct vdc_shm_block *block, uint64_t offset, uint64_t size)
{
    return (struct vdc_shm_part){
        .block = block,
        .shm = block->shm.id,
        .fd = block->shm.fd,
        .offset = offset,
        .size = size,
        .map = (uint8_t *)block->shm.map + offset,
    };
}

static VkResult add_alone(struct vdc_shm_pool *pool, struct vdc_shm_block *block, VkResult result,
                          uint64_t size, struct vdc_shm_part *part)
{
    if (result != VK_SUCCESS) {
        free(block);
        return result;
    }
    block->alone = true;
    block->used = size;
    *part = part_of(block, 0, size);
    pthread_mutex_lock(&pool->lock);
    block_add(pool, block);
    pthread_mutex_unlock(&pool->lock);
    return VK_SUCCESS;
}

VkResult vdc_shm_pool_alloc_file(struct vdc_shm_pool *pool, uint64_t size,
                                 struct vdc_shm_part *part)
{
    struct vdc_shm_block *block = calloc(1, sizeof(*block));
    if (!block)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    return add_alone(pool, block,
                     vdc_link_shm_create_file(&pool->connection->link, size, &block->shm), size,
                     part);
}

VkResult vdc_shm_pool_import(struct vdc_shm_pool *pool, int fd, uint64_t offset, uint64_t size,
                             struct vdc_shm_part *part)
{
    const uint64_t whole = vd_sealed_size(fd);
    if (offset > whole || size > whole - offset)
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    struct vdc_shm_block *block = calloc(1, sizeof(*block));
    if (!block)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    return add_alone(pool, block,
                     vdc_link_shm_import(&pool->connection->link, fd, offset, size, &block->shm),
                     size, part);
}

static void free_locked(struct vdc_shm_pool *pool, const struct vdc_shm_part *part)
{
    struct vdc_shm_block *block = part->block;
    if (!block->alone)
        give(block, part->offset, part->size);
    /* The last block is kept, so that allocating and freeing one thing does not register memory
     * each time; large blocks were made for one part. */
    if (block->alone || (!block->used && (block->shm.size > BLOCK_SIZE || pool->blocks->next))) {
        struct vdc_shm_block **at = &pool->blocks;
        while (*at != block)
            at = &(*at)->next;
        *at = block->next;
        block_destroy(pool, block);
    }
}

static void reap_locked(struct vdc_shm_pool *pool)
{
    if (!pool->pending)
        return;
    const uint64_t consumed = vdc_ring_consumed(pool->connection->ring);
    for (struct pending **at = &pool->pending; *at;) {
        struct pending *pending = *at;
        if (pending->position > consumed) {
            at = &pending->next;
            continue;
        }
        *at = pending->next;
        free_locked(pool, &pending->part);
        free(pending);
    }
}

VkResult vdc_shm_pool_alloc_aligned(struct vdc_shm_pool *pool, uint64_t size, uint64_t align,
                                    bool shown, struct vdc_shm_part *part)
{
    if (size > UINT64_MAX / 2)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    if (align < PART_ALIGN)
        align = PART_ALIGN;
    size = (size + PART_ALIGN - 1) & -(uint64_t)PART_ALIGN;
    pthread_mutex_lock(&pool->lock);
    reap_locked(pool);
    struct vdc_shm_block *block;
    uint64_t offset = 0;
    for (block = pool->blocks; block; block = block->next)
        if (block->file >= shown && take(block, size, align, &offset))
            break;
    VkResult result = VK_SUCCESS;
    if (!block) {
        result = block_create(pool, size, shown, &block);
        if (result == VK_SUCCESS)
            take(block, size, align, &offset);
    }
    if (result == VK_SUCCESS)
        *part = part_of(block, offset, size);
    pthread_mutex_unlock(&pool->lock);
    return result;
}

VkResult vdc_shm_pool_alloc(struct vdc_shm_pool *pool, uint64_t size, struct vdc_shm_part *part)
{
    return vdc_shm_pool_alloc_aligned(pool, size, PART_ALIGN, false, part);
}

void vdc_shm_pool_close_file(struct vdc_shm_part *part)
{
    vdc_link_shm_close_file(&part->block->shm);
    part->fd = -1;
}

void vdc_shm_pool_free(struct vdc_shm_pool *pool, struct vdc_shm_part *part)
{
    if (!part->block)
        return;
    pthread_mutex_lock(&pool->lock);
    reap_locked(pool);
    free_locked(pool, part);
    pthread_mutex_unlock(&pool->lock);
    *part = (struct vdc_shm_part){0};
}

void vdc_shm_pool_free_after(struct vdc_shm_pool *pool, struct vdc_shm_part *part,
                             uint64_t position)
{
    struct pending *pending =
        vdc_ring_consumed(pool->connection->ring) < position ? malloc(sizeof(*pending)) : NULL;
    if (!pending) {
        /* Copied already; or no memory to remember it, and then it is never given out again. */
        if (vdc_ring_consumed(pool->connection->ring) >= position)
            vdc_shm_pool_free(pool, part);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    *pending = (struct pending){.next = pool->pending, .part = *part, .position = position};
    pool->pending = pending;
    pthread_mutex_unlock(&pool->lock);
    *part = (struct vdc_shm_part){0};
}
