/* SPDX-License-Identifier: MIT
 *
 * A connection: one worker on the other side. The transport, the control ring, the completion page,
 * reply space and the thread that watches for the peer's death.
 */
#ifndef VIADUCT_ICD_CONNECTION_H
#define VIADUCT_ICD_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/completion.h"
#include "protocol/fence.h"
#include "protocol/record.h"

#include "transport.h"

struct vd_connection;

/* Connects and sets up. On success the caller owns *connection. Errors as vd_transport_connect. */
VkResult vd_connection_create(struct vd_connection **connection);
/* Waits for nothing: what is still on its way may be lost. NULL is fine. In a forked child (see
 * vd_connection_lost) it only closes descriptors and unmaps, and never speaks to the server. */
void vd_connection_destroy(struct vd_connection *connection);

const struct vd_capset *vd_connection_capset(const struct vd_connection *connection);
/* Whether the server runs on the same kernel. */
bool vd_connection_same_kernel(const struct vd_connection *connection);
struct vd_completion *vd_connection_completion(struct vd_connection *connection);

/* True once the server is gone, its context failed, or this process is a fork of the one that
 * connected (the connection belongs to the parent; a child must not touch it). Cheap: one or two
 * loads. Also true after VD_OP error: completion->lost. */
bool vd_connection_lost(struct vd_connection *connection);

/* Copies a complete record into the ring and wakes the server if it sleeps. Records larger than
 * VD_RING_RECORD_MAX go through shared memory. Blocks while the ring is full. Thread-safe; records
 * of one thread stay in order. VK_ERROR_DEVICE_LOST when the connection is lost,
 * VK_ERROR_OUT_OF_HOST_MEMORY when there is no memory for a large record.
 * *position, if not NULL, receives the ring position after the record: once
 * vd_connection_consumed() has passed it the server has copied the record and, for VD_OP_STREAM,
 * is done with the chunks that it names, as far as vd_context_execute is. */
VkResult vd_connection_send(struct vd_connection *connection, const void *record,
                            uint64_t *position);

/* Instead of a copy: where a record may be written in the ring itself, and how large it may be, at
 * least 1 KiB. Nobody else can send before vd_connection_write_end by the same thread. NULL: there
 * is no room just now, or the connection is lost; vd_connection_send it. */
uint8_t *vd_connection_write_begin(struct vd_connection *connection, uint32_t *capacity);
/* The record there is complete; size 0: there is none. Not `now`: it may wait until the next record
 * that is sent at once, or until there are enough of them. */
void vd_connection_write_end(struct vd_connection *connection, uint32_t size, bool now);
/* Where `size` bytes, at most 4 KiB, are added to a record whose body begins with `head` and goes on
 * with such pieces: to the last record, if it is one and the server has not been told of it, or to a
 * new one. Otherwise as the two above. */
uint8_t *vd_connection_append_begin(struct vd_connection *connection, uint16_t opcode,
                                    uint64_t head, uint32_t size);
void vd_connection_append_end(struct vd_connection *connection);
/* Sends a small record that nobody waits for; it may go with the next one that is sent at once. */
VkResult vd_connection_post(struct vd_connection *connection, const struct vd_record *record);
uint64_t vd_connection_consumed(struct vd_connection *connection);

/* Space for one answer: a struct vd_reply (zeroed, pending), then `size` more bytes. Small answers
 * come from a free list of slots in one shared allocation, large ones get an own one. */
struct vd_reply_space {
    struct vd_reply *reply;
    uint32_t shm;
    uint32_t offset;
    uint32_t capacity;   /* bytes behind the struct vd_reply */
    uint32_t slot;       /* private */
    struct vd_shm large; /* private; id 0: none */
};
VkResult vd_connection_reply_begin(struct vd_connection *connection, uint64_t size,
                                   struct vd_reply_space *space);
/* Waits until the answer is there: spins briefly, then sleeps. VK_SUCCESS or VK_ERROR_DEVICE_LOST.
 * Acquire: what the server wrote is visible. */
VkResult vd_connection_reply_wait(struct vd_connection *connection, struct vd_reply_space *space);
void vd_connection_reply_end(struct vd_connection *connection, struct vd_reply_space *space);

/* Waits until ready(data), looking again after each change on the completion page and after each
 * vd_connection_changed(). VK_SUCCESS, VK_TIMEOUT, VK_ERROR_DEVICE_LOST. timeout_ns 0 only looks,
 * UINT64_MAX waits for ever. Spins for a short time before it sleeps. */
VkResult vd_connection_wait_until(struct vd_connection *connection, bool (*ready)(const void *data),
                                  const void *data, uint64_t timeout_ns);
/* The same where ready() also looks at words that others than this connection's server change.
 * words() writes up to `capacity` of them, with what they hold while there is reason to sleep, and
 * returns how many there are; ready() is asked once more after it. */
VkResult vd_connection_wait_words(struct vd_connection *connection, bool (*ready)(const void *data),
                                  uint32_t (*words)(const void *data, struct vd_futex_word *words,
                                                    uint32_t capacity),
                                  const void *data, uint64_t timeout_ns);
/* Something that a ready() looks at has changed on this side. */
void vd_connection_changed(struct vd_connection *connection);
/* Wakes who sleeps on this word, in whatever process. */
void vd_connection_wake(struct vd_connection *connection, _Atomic uint32_t *address);

/* A fence of others, too, that the server is asked to mark. */
struct vd_promise {
    struct vd_fence_file *file;
    struct vd_promise *next, **link; /* private; all zero before the first time */
};
/* Before the server is asked: if it is gone before it has, the connection marks the fence. */
void vd_connection_promise(struct vd_connection *connection, struct vd_promise *promise);
/* The file is about to be unmapped. */
void vd_connection_promise_end(struct vd_connection *connection, struct vd_promise *promise);

/* Whether `number` is done on the queue with this slot. Acquire: what the host wrote is visible. */
bool vd_connection_done(const struct vd_connection *connection, uint32_t slot, uint64_t number);
/* Waits until it is. */
VkResult vd_connection_wait_queue(struct vd_connection *connection, uint32_t slot, uint64_t number,
                                  uint64_t timeout_ns);

/* Shared memory of this connection (whole transport allocations; pools are built on top). */
VkResult vd_connection_shm_create(struct vd_connection *connection, uint64_t size,
                                  struct vd_shm *shm);
void vd_connection_shm_destroy(struct vd_connection *connection, struct vd_shm *shm);
/* As vd_transport_ops.shm_import; only where the server runs on the same kernel. */
VkResult vd_connection_shm_import(struct vd_connection *connection, int fd, uint64_t offset,
                                  uint64_t size, struct vd_shm *shm);
/* As vd_transport_ops.shm_export and shm_picture, also where there are none. */
int vd_connection_shm_export(struct vd_connection *connection, uint32_t shm);
bool vd_connection_shm_picture(struct vd_connection *connection, uint32_t shm, uint64_t offset,
                               uint32_t pitch, VkExtent2D extent);

/* Descriptors, where the server runs on the same kernel: gives it a copy, which the next record may
 * name by *id; takes the one that an answer has named. */
VkResult vd_connection_fd_give(struct vd_connection *connection, int fd, uint32_t *id);
VkResult vd_connection_fd_take(struct vd_connection *connection, uint32_t id, int *fd);

/* Sleeps on a futex word in shared memory, as vd_transport_ops.wait. Nobody wakes it when the
 * server dies, unlike the waits above: bound it. */
void vd_connection_wait(struct vd_connection *connection, _Atomic uint32_t *address, uint32_t value,
                        uint64_t timeout_ns);

/* Records, bytes and waits so far. */
struct vd_connection_stats {
    uint64_t calls;       /* records sent; those inside streams are added by their recorder */
    uint64_t round_trips; /* replies waited for */
    uint64_t bytes;       /* of records, chunks included */
    uint64_t waits;       /* for the GPU: those that did not find it ready */
    uint64_t wait_ns;
};
void vd_connection_stats(struct vd_connection *connection, struct vd_connection_stats *stats);
/* Adds what travelled in stream chunks. */
void vd_connection_count(struct vd_connection *connection, uint64_t calls, uint64_t bytes);

#endif
