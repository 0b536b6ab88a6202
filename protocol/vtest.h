/* SPDX-License-Identifier: MIT
 *
 * vtest framing, as virglrenderer's server speaks it, protocol version 4; only the messages that
 * Viaduct uses. All integers are in native byte order.
 */
#ifndef VIADUCT_PROTOCOL_VTEST_H
#define VIADUCT_PROTOCOL_VTEST_H

#include <assert.h>
#include <stdint.h>

#define VTEST_SOCKET_ENV       "VTEST_SOCKET_NAME"
#define VTEST_PROTOCOL_VERSION 4u

/* No message of ours is larger; a longer one ends the connection. */
#define VTEST_PAYLOAD_MAX 65536u

enum vtest_command {
    VTEST_RESOURCE_UNREF = 3,
    VTEST_RESOURCE_BUSY_WAIT = 7,
    VTEST_CREATE_RENDERER = 8,
    VTEST_PING_PROTOCOL_VERSION = 10,
    VTEST_PROTOCOL_VERSION_CMD = 11,
    VTEST_GET_CAPSET = 16,
    VTEST_CONTEXT_INIT = 17,
    VTEST_RESOURCE_CREATE_BLOB = 18,
    VTEST_SUBMIT_CMD2 = 24,

    /* Viaduct's own, far from those that vtest may yet give out. */
    VTEST_VIADUCT_GIVE_FD = 0x5600,
    VTEST_VIADUCT_TAKE_FD = 0x5601,
    VTEST_VIADUCT_GIVE_SHM = 0x5602,
};

struct vtest_header {
    uint32_t length; /* dwords of payload; bytes for VTEST_CREATE_RENDERER */
    uint32_t command;
};

enum vtest_blob_type {
    VTEST_BLOB_GUEST = 1,
};

enum vtest_blob_flags {
    VTEST_BLOB_MAPPABLE = 1,
    VTEST_BLOB_SHAREABLE = 2,
};

/* Of VTEST_VIADUCT_GIVE_SHM: bytes of the file that comes with it, whole pages. */
struct vtest_give_shm {
    uint32_t offset_lo, offset_hi;
    uint32_t size_lo, size_hi;
};

struct vtest_create_blob {
    uint32_t type;
    uint32_t flags;
    uint32_t size_lo, size_hi;
    uint32_t blob_id_lo, blob_id_hi;
};

/* One batch of SUBMIT_CMD2: offsets and sizes in dwords from the start of the payload. */
struct vtest_submit_batch {
    uint32_t flags;
    uint32_t cmd_offset, cmd_size;
    uint32_t sync_offset, sync_count;
    uint32_t ring_index;
    uint32_t in_sync_count, out_sync_count;
};
static_assert(sizeof(struct vtest_submit_batch) == 32, "vtest is wire format");

#endif
