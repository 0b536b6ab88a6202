/* SPDX-License-Identifier: MIT
 *
 * Records written by hand, and a client to send them.
 */
#ifndef VIADUCT_TESTS_RECORDS_H
#define VIADUCT_TESTS_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "opcodes.h"
#include "protocol/completion.h"
#include "protocol/descriptor.h"
#include "protocol/handle.h"
#include "protocol/record.h"
#include "server/context.h"

struct test_record {
    _Alignas(16) uint8_t bytes[16384];
    uint32_t size;
    uint32_t body; /* offset of the arguments */
};

/* Offset of a member of the arguments. */
#define ARG(r, type, member) ((r)->body + (uint32_t)offsetof(type, member))

struct test_client {
    struct vds_shm_table *shm;
    struct vds_context *context;
    struct vd_completion *completion;
    struct vds_shm_region *replies; /* and everything else that is shared */
    struct vds_shm_region *page;
    bool looks; /* for what has finished, itself: client_send does not vds_context_leave */
};

#define REPLY_OFFSET 64u

void record_begin(struct test_record *r, uint16_t opcode, const void *args, uint32_t size,
                  bool reply);
/* Appends what the pointer at `where` points to; returns its offset. */
uint32_t record_put(struct test_record *r, uint32_t where, const void *data, uint32_t size);
/* The same, from where on the record returns. */
uint32_t record_put_back(struct test_record *r, uint32_t where, const void *data, uint32_t size);
/* The pointer at `where` asks for output. */
void record_out(struct test_record *r, uint32_t where, uint32_t size);
void record_set64(struct test_record *r, uint32_t where, uint64_t value);
uint64_t record_get64(const struct test_record *r, uint32_t where);

/* Executes an exact private copy, so that a sanitizer sees what reaches beyond it. The reply, if
 * any, is cleared before. */
bool client_send(struct test_client *client, const struct test_record *r, uint32_t shm);

/* ---- Valid records, between objects with these names */

#define SHARED_SIZE (1u << 20)
/* Where tests put chunks and imported memory. */
#define CHUNKS 131072u
#define IMPORT 262144u

#define ID(object, index) vd_id_make(VD_TYPE_##object, 1, index)
#define PHYSICAL_DEVICE   ID(VkPhysicalDevice, 2)
#define DEVICE            ID(VkDevice, 3)
#define QUEUE             ID(VkQueue, 4)
#define OTHER_DEVICE      ID(VkDevice, 5)
#define POOL              ID(VkDescriptorPool, 6)
#define COMMAND_POOL      ID(VkCommandPool, 7)
#define COMMAND_BUFFER    ID(VkCommandBuffer, 8)
#define BUFFER            ID(VkBuffer, 9)
#define LAYOUT            ID(VkDescriptorSetLayout, 42)
#define SEMAPHORE         ID(VkSemaphore, 53)

#define HANDLE(type, id) ((type)(uintptr_t)(id))

void make_instance(struct test_record *r);
void make_get_physical_devices(struct test_record *r, uint32_t capacity);
void make_device(struct test_record *r, uint64_t id, const void *chain, uint32_t chain_size);
void make_queue(struct test_record *r, uint32_t slot, uint64_t id);
void make_buffer(struct test_record *r, uint64_t device, uint64_t id, bool wait);
void make_destroy_buffer(struct test_record *r, uint64_t device, uint64_t id);
void make_requirements(struct test_record *r, uint64_t device, uint64_t buffer);
void make_pool(struct test_record *r, uint64_t id);
void make_layout(struct test_record *r, uint64_t id);
void make_sets(struct test_record *r, uint64_t pool, uint64_t layout, const uint64_t *ids,
               uint32_t count);
/* VD_OP_UPDATE_DESCRIPTORS: its start, and updates behind it. */
struct buffer_update {
    struct vd_descriptor_update update;
    VkDescriptorBufferInfo info;
};
struct copy_update {
    struct vd_descriptor_update update;
    struct vd_descriptor_source source;
};
void start_updates(struct test_record *r);
void add_update(struct test_record *r, const void *update, uint32_t size);
struct buffer_update write_update(uint64_t set, uint64_t buffer);
struct copy_update copy_update(uint64_t to, uint64_t from);
void make_free_sets(struct test_record *r, uint64_t pool, const uint64_t *ids, uint32_t count);
void make_command_buffer(struct test_record *r, uint64_t pool, uint64_t id);
void make_command_pool(struct test_record *r, uint64_t id);
void make_submit(struct test_record *r, uint32_t count);
void make_submit_of(struct test_record *r, uint64_t command_buffer);
void make_semaphore(struct test_record *r, uint64_t id);
void make_wait(struct test_record *r, uint64_t semaphore, uint64_t timeout);
void make_memory(struct test_record *r, uint64_t id, uint64_t pointer, uint64_t size);
/* Of `count` pieces of data, with room for as many handles; without ids, it asks for their number. */
void make_binaries(struct test_record *r, const uint64_t *ids, uint32_t count);
void make_begin(struct test_record *r); /* of a stream */
void make_sync(struct test_record *r);
void make_simple(struct test_record *r, uint16_t opcode, uint64_t first, bool wait);

/* The n-th of many kinds, where `shm` is the client's shared memory; false: no more. They speak of a
 * device, a queue, a buffer, a pool, a layout and a semaphore. */
bool make_sample(struct test_record *r, int n, uint32_t shm);

#endif
