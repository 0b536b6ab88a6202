/* SPDX-License-Identifier: MIT
 *
 * Records: the unit of everything that crosses. The body of a Vulkan record is the C struct of the
 * command's arguments in LP64 layout; see README.md, "Records".
 */
#ifndef VIADUCT_PROTOCOL_RECORD_H
#define VIADUCT_PROTOCOL_RECORD_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Raised whenever an old peer would misread what a new one writes. */
#define VD_PROTOCOL_VERSION 3u

/* The id under which a transport offers Viaduct: a vtest or virtio-gpu capset. */
#define VD_CAPSET_ID 30u

/* Everything on the wire is aligned to this many bytes. */
#define VD_ALIGN 8u

/* One record, with what its pointers point to, never exceeds this many bytes; nor does its reply. */
#define VD_RECORD_MAX (1u << 30)

/* Where pNext stands in a struct. */
#define VD_WIRE_PNEXT 8u

/* A pNext chain longer than this is refused. */
#define VD_CHAIN_MAX 256

/* A pointer member with this bit set holds an offset in the reply's output area, not in the record. */
#define VD_POINTER_OUT (UINT64_C(1) << 63)

/* In the length of bytes that a pointer of kind `sized` leads to: they lie elsewhere. A
 * vd_shm_pointer() to them follows in their place. */
#define VD_SIZED_SHARED (UINT64_C(1) << 63)

enum vd_record_flags {
    /* The body begins with struct vd_reply_request, and the server answers. */
    VD_RECORD_REPLY = 1 << 0,
    /* It names bytes in shared memory, which the server may use until it has executed the record. */
    VD_RECORD_SHARES = 1 << 1,
};

struct vd_record {
    uint32_t size;   /* bytes, this header included, a multiple of VD_ALIGN */
    uint16_t opcode; /* enum vd_opcode, from opcodes.txt */
    uint16_t flags;  /* enum vd_record_flags */
};
static_assert(sizeof(struct vd_record) == 8, "record header is wire format");

/* Where the answer goes. The reply is written at (shm, offset): struct vd_reply, then out_size bytes
 * of output area, then the record's own bytes from echo to its end with every pointer zeroed. */
struct vd_reply_request {
    uint32_t shm;      /* shared memory id */
    uint32_t offset;   /* bytes, a multiple of VD_ALIGN */
    uint32_t out_size; /* bytes of output area, a multiple of VD_ALIGN */
    uint32_t echo;     /* first byte of the record that returns, 0: none */
};
static_assert(sizeof(struct vd_reply_request) == 16, "reply request is wire format");

enum vd_reply_state {
    VD_REPLY_PENDING = 0,
    VD_REPLY_DONE = 1,
    VD_REPLY_LOST = 2, /* set by the client's own watcher when its server is gone */
    /* Still pending, and the client sleeps: the server exchanges the state with DONE, and must wake
     * it. */
    VD_REPLY_WAITING = 3,
};

struct vd_reply {
    uint32_t state; /* enum vd_reply_state; exchanged last, a futex word */
    int32_t result; /* the command's VkResult or VkBool32, else 0 */
    uint64_t value; /* the command's 64-bit return value (device addresses), else 0 */
};
static_assert(sizeof(struct vd_reply) == 16, "reply is wire format");

static inline size_t vd_align(size_t n)
{
    return (n + (VD_ALIGN - 1)) & ~(size_t)(VD_ALIGN - 1);
}

/* Offset of the arguments in a record. */
static inline uint32_t vd_record_body(const struct vd_record *record)
{
    return sizeof(*record) +
           (record->flags & VD_RECORD_REPLY ? (uint32_t)sizeof(struct vd_reply_request) : 0);
}

/* VD_OP_INDIRECT: the record proper lies in shared memory because it is too large for the ring. */
struct vd_indirect {
    uint32_t shm;
    uint32_t size;   /* bytes, a multiple of VD_ALIGN */
    uint64_t offset; /* bytes, a multiple of VD_ALIGN */
};
static_assert(sizeof(struct vd_indirect) == 16, "indirect is wire format");

enum vd_stream_flags {
    /* It names no other command buffer, and so may be replayed beside other pools' streams. */
    VD_STREAM_ALONE = 1 << 0,
    /* It does not end: the next stream of the command buffer goes on with it. */
    VD_STREAM_OPEN = 1 << 1,
};

/* VD_OP_STREAM: what was recorded into a command buffer, in order. The array of chunks follows. A
 * chunk holds whole records; the command buffer is implied and absent from each. */
struct vd_stream {
    uint64_t command_buffer;
    uint32_t chunk_count;
    uint32_t flags; /* enum vd_stream_flags */
};
static_assert(sizeof(struct vd_stream) == 16, "stream is wire format");

struct vd_stream_chunk {
    uint32_t shm;
    uint32_t size;   /* bytes, a multiple of VD_ALIGN */
    uint64_t offset; /* bytes, a multiple of VD_ALIGN */
};
static_assert(sizeof(struct vd_stream_chunk) == 16, "stream chunk is wire format");

/* VD_OP_SETUP: the first record, carried by the transport itself; names the shared structures. */
struct vd_setup {
    uint32_t protocol_version;
    uint32_t ring_shm;         /* struct vd_ring at its start */
    uint32_t completion_shm;   /* struct vd_completion at its start */
    uint32_t registry_version; /* the client's, as in vd_capset */
};
static_assert(sizeof(struct vd_setup) == 16, "setup is wire format");

/* VD_OP_GET_QUEUE: vkGetDeviceQueue2 with the queue's place on the completion page. */
struct vd_get_queue {
    uint64_t device;
    uint64_t queue; /* the id that the client gives it */
    uint32_t flags; /* VkDeviceQueueCreateFlags */
    uint32_t family;
    uint32_t index;
    uint32_t slot; /* index into vd_completion.queues */
};
static_assert(sizeof(struct vd_get_queue) == 32, "get-queue is wire format");

/* VD_OP_SIGNAL_FENCE: the word in shared memory is marked (fence.h) before the completion page says
 * that batch `number` of the queue is done. The record comes before that batch's. */
struct vd_signal_fence {
    uint64_t queue;
    uint64_t number; /* 0: takes back what was asked for this word */
    uint64_t state;  /* vd_shm_pointer() to vd_fence_file.state */
};
static_assert(sizeof(struct vd_signal_fence) == 24, "signal-fence is wire format");

/* VD_OP_SIGNAL_SEMAPHORE: a binary semaphore is signalled, by no queue. */
struct vd_signal_semaphore {
    uint64_t semaphore;
};
static_assert(sizeof(struct vd_signal_semaphore) == 8, "signal-semaphore is wire format");

/* VD_OP_GET_MEMORY_FILE: where memory of a type of vd_physical_device_data.file_types is. */
struct vd_get_memory_file {
    uint64_t memory;
};
static_assert(sizeof(struct vd_get_memory_file) == 8, "get-memory-file is wire format");

/* Its answer. */
struct vd_memory_file {
    uint64_t offset; /* in the file, where the memory begins */
    uint32_t fd;     /* the descriptor's id, good for one use */
    uint32_t zero;
};
static_assert(sizeof(struct vd_memory_file) == 16, "memory-file is wire format");

/* Host pointers never cross. A VkImportMemoryHostPointerInfoEXT names shared memory instead. */
#define VD_SHM_POINTER_OFFSET_BITS 40

static inline uint64_t vd_shm_pointer(uint32_t shm, uint64_t offset)
{
    return (uint64_t)shm << VD_SHM_POINTER_OFFSET_BITS | offset;
}

static inline uint32_t vd_shm_pointer_id(uint64_t pointer)
{
    return (uint32_t)(pointer >> VD_SHM_POINTER_OFFSET_BITS);
}

static inline uint64_t vd_shm_pointer_offset(uint64_t pointer)
{
    return pointer & ((UINT64_C(1) << VD_SHM_POINTER_OFFSET_BITS) - 1);
}

#define VD_CAPSET_OPCODES 4096
#define VD_CAPSET_STYPES  2048

/* What the server knows, answered to GET_CAPSET. */
struct vd_capset {
    uint32_t protocol_version;
    /* VK_HEADER_VERSION_COMPLETE of its registry, but no later version of Vulkan than it can carry
     * whole. */
    uint32_t registry_version;
    uint32_t stype_count;
    uint32_t extensions_size; /* bytes of extensions used */
    /* Bit n % 8 of byte n / 8: the Vulkan command with number n. Of Viaduct's own, those up to SYNC
     * come with the protocol's version, and have none. */
    uint8_t opcodes[VD_CAPSET_OPCODES / 8];
    /* VkStructureType of all structs that may stand in a chain, growing. */
    uint32_t stypes[VD_CAPSET_STYPES];
    /* NUL-terminated names of all Vulkan extensions that this side can carry, one after another. */
    char extensions[24048];
};
static_assert(sizeof(struct vd_capset) == 32768, "capset is wire format");

#endif
