/* SPDX-License-Identifier: MIT
 *
 * Parts of shared memory. Registering shared memory is the slow part of every transport, so small
 * requests share large allocations.
 */
#ifndef VIADUCT_ICD_SHM_POOL_H
#define VIADUCT_ICD_SHM_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "connection/connection.h"

struct vdc_shm_pool;
struct vdc_shm_block;

struct vdc_shm_part {
    struct vdc_shm_block *block; /* NULL: nothing allocated */
    uint32_t shm;
    int fd;          /* the block's, not to be closed; -1: only its maker and the server have it */
    uint64_t offset; /* bytes from the start of the shared memory, a multiple of 4096 */
    uint64_t size;   /* a multiple of 4096 */
    void *map;
};

struct vdc_shm_pool *vdc_shm_pool_create(struct vdc_connection *connection);
/* Frees all blocks, whatever parts are still out. */
void vdc_shm_pool_destroy(struct vdc_shm_pool *pool);
/* Thread-safe. Contents are undefined. */
VkResult vdc_shm_pool_alloc(struct vdc_shm_pool *pool, uint64_t size, struct vdc_shm_part *part);
/* The same for device memory: at a multiple of `align`, a power of two. `shown`: with a descriptor, where
 * the transport has them, for a window system will read it. */
VkResult vdc_shm_pool_alloc_aligned(struct vdc_shm_pool *pool, uint64_t size, uint64_t align,
                                    bool shown, struct vdc_shm_part *part);
/* The same for a file that has nothing else in it, and whose contents are zero. */
VkResult vdc_shm_pool_alloc_file(struct vdc_shm_pool *pool, uint64_t size,
                                 struct vdc_shm_part *part);
/* The same for these bytes of a file that somebody else has made, and that the pool owns on success.
 * VK_ERROR_INVALID_EXTERNAL_HANDLE: that is not shared memory, or has less. Only where the server runs
 * on the same kernel. */
VkResult vdc_shm_pool_import(struct vdc_shm_pool *pool, int fd, uint64_t offset, uint64_t size,
                             struct vdc_shm_part *part);
/* Of a part that was imported: nobody else will be given the file. */
void vdc_shm_pool_close_file(struct vdc_shm_part *part);
void vdc_shm_pool_free(struct vdc_shm_pool *pool, struct vdc_shm_part *part);
/* The same for memory that the server may still read: it is free once vdc_ring_consumed() has
 * reached `position`. */
void vdc_shm_pool_free_after(struct vdc_shm_pool *pool, struct vdc_shm_part *part,
                             uint64_t position);

#endif
