/* SPDX-License-Identifier: MIT */
#include "ring.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "buffers.h"
#include "opcodes.h"
#include "protocol/ring.h"

/* What may wait in the ring for the next record that is sent at once. Sending costs both sides a
 * cache line that they share, and the server starts on a batch no later than it would finish it. */
#define UNPUBLISHED_MAX 8192u
/* What a thread appends before it goes into the ring, and threads that may do so; others take the lock. */
#define STAGE_SIZE 8192u
#define STAGES_MAX 64u
/* Room for a record that is written in place; it becomes a copy when it needs more. */
#define IN_PLACE_MIN 1024u

/* A record that is too large for the ring, until the server has copied it. */
struct large_record {
    struct large_record *next;
    struct vdc_shm shm;
    uint64_t position; /* in the ring, behind the record that names it */
};

/* What one thread has appended and nobody has moved into the ring yet. The thread writes without a lock,
 * whoever holds the ring's lock reads.
 *
 * Pieces of different threads stay in the order in which the threads meet. One thread at a time may append
 * in this way: the one whose stage is `stager`. Another one, which takes its turn away or writes to the
 * ring, moves everything first. The one that lost its turn may still be appending a piece then, and meets
 * the other one only when it has. So its stage is moved before the other one's, and whoever moves looks at
 * the other one's first: if there is something that was appended after they met, the piece is seen, too. */
struct vdc_ring_stage {
    struct vdc_ring_stage *next; /* that was the stager before this one */
    pthread_t thread; /* a new thread may have the name, and the stage, of one that has ended */
    uint64_t head; /* of the record that the pieces belong to; set by the thread, under the lock */
    uint16_t opcode;
    uint64_t seen;                /* of `filled`, by whoever is about to move it */
    uint32_t moved, moved_pieces; /* of those in `filled` */
    /* pieces << 32 | bytes. release after the bytes, by the thread; acquire before, under the lock. */
    _Alignas(64) _Atomic uint64_t filled;
    _Alignas(8) uint8_t bytes[STAGE_SIZE];
};

struct vdc_ring {
    struct vdc_link *link;
    struct vdc_buffers *buffers;
    struct vdc_shm shm;
    struct vd_ring *shared; /* its beginning */
    uint8_t *data;

    pthread_mutex_t lock; /* covers what follows */
    uint64_t tail;        /* what the ring's tail is, or is about to be */
    uint64_t published;   /* what it is */
    uint64_t last;        /* where the last record written in place begins */
    uint64_t head;        /* the ring's head when it was last looked at */
    uint32_t padding;     /* of the record that is being written in place */
    _Atomic uint64_t calls, bytes;
    struct vdc_ring_stage *stages; /* the stager is the first one */
    uint32_t stage_count;
    pthread_t appender; /* the last thread that appended under the lock */
    bool has_appender;
    _Atomic(struct vdc_ring_stage *) stager; /* NULL: none; read without the lock */

    pthread_mutex_t large_lock;
    struct large_record *large_records; /* not yet copied by the server, newest first */
};

VkResult vdc_ring_create(struct vdc_link *link, struct vdc_buffers *buffers, struct vdc_ring **out)
{
    struct vdc_ring *ring = calloc(1, sizeof(*ring));
    if (!ring)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    const VkResult result =
        vdc_link_shm_create(link, VD_RING_DATA_OFFSET + VD_RING_DATA_SIZE, &ring->shm);
    if (result != VK_SUCCESS) {
        free(ring);
        return result;
    }
    ring->link = link;
    ring->buffers = buffers;
    ring->shared = ring->shm.map;
    ring->data = (uint8_t *)ring->shm.map + VD_RING_DATA_OFFSET;
    pthread_mutex_init(&ring->lock, NULL);
    pthread_mutex_init(&ring->large_lock, NULL);
    *out = ring;
    return VK_SUCCESS;
}

void vdc_ring_destroy(struct vdc_ring *ring)
{
    if (!ring)
        return;
    while (ring->large_records) {
        struct large_record *record = ring->large_records;
        ring->large_records = record->next;
        vdc_link_shm_destroy(ring->link, &record->shm);
        free(record);
    }
    while (ring->stages) {
        struct vdc_ring_stage *stage = ring->stages;
        ring->stages = stage->next;
        free(stage);
    }
    vdc_link_shm_destroy(ring->link, &ring->shm);
    /* In a child they may be locked by threads that it does not have. */
    if (!vdc_link_forked(ring->link)) {
        pthread_mutex_destroy(&ring->lock);
        pthread_mutex_destroy(&ring->large_lock);
    }
    free(ring);
}

uint32_t vdc_ring_shm(const struct vdc_ring *ring)
{
    return ring->shm.id;
}

void vdc_ring_lose(struct vdc_ring *ring)
{
    atomic_store(&ring->shared->producer_sleeps, 0);
    vdc_link_wake(ring->link, &ring->shared->producer_sleeps);
}

/* ---- Space */

static bool has_space(struct vdc_ring *ring, uint32_t size)
{
    if (VD_RING_DATA_SIZE - (ring->tail - ring->head) >= size)
        return true;
    ring->head = atomic_load(&ring->shared->head);
    return VD_RING_DATA_SIZE - (ring->tail - ring->head) >= size;
}

static void wake_consumer(struct vdc_ring *ring)
{
    if (atomic_load(&ring->shared->consumer_sleeps) &&
        atomic_exchange(&ring->shared->consumer_sleeps, 0))
        vdc_link_wake(ring->link, &ring->shared->consumer_sleeps);
}

/* Lets the server see what was written. Who calls this calls wake_consumer next. Under the lock. */
static void publish(struct vdc_ring *ring)
{
    ring->published = ring->tail;
    /* seq_cst, for wake_consumer; release is what the consumer's copy needs. */
    atomic_store(&ring->shared->tail, ring->tail);
}

/* Waits until `size` bytes fit. False: the connection is lost. */
static bool await_space(struct vdc_ring *ring, uint32_t size)
{
    while (!has_space(ring, size)) {
        if (ring->published != ring->tail) {
            publish(ring);
            wake_consumer(ring);
        }
        /* Dekker's pattern, as ring.h says; the watcher plays the consumer's part, too. */
        atomic_store(&ring->shared->producer_sleeps, 1);
        if (atomic_load(&ring->link->completion->lost))
            return false;
        if (!has_space(ring, size))
            vdc_link_wait(ring->link, &ring->shared->producer_sleeps, 1, UINT64_MAX);
    }
    return true;
}

/* The bytes that a record of `size` bytes must skip, because it does not wrap. */
static uint32_t padding_before(const struct vdc_ring *ring, uint32_t size)
{
    const uint32_t until_end = VD_RING_DATA_SIZE - ((uint32_t)ring->tail & (VD_RING_DATA_SIZE - 1));
    return until_end < size ? until_end : 0;
}

static uint8_t *at_tail(struct vdc_ring *ring)
{
    return ring->data + ((uint32_t)ring->tail & (VD_RING_DATA_SIZE - 1));
}

/* Under the lock. */
static void skip(struct vdc_ring *ring, uint32_t padding)
{
    if (padding > 0) {
        const struct vd_record nop = {.size = padding, .opcode = VD_OP_NOP};
        memcpy(at_tail(ring), &nop, sizeof(nop));
        ring->tail += padding;
    }
}

/* Under the lock, and read without it. */
static void count(struct vdc_ring *ring, uint64_t calls, uint64_t bytes)
{
    atomic_store_explicit(&ring->calls,
                          atomic_load_explicit(&ring->calls, memory_order_relaxed) + calls,
                          memory_order_relaxed);
    atomic_store_explicit(&ring->bytes,
                          atomic_load_explicit(&ring->bytes, memory_order_relaxed) + bytes,
                          memory_order_relaxed);
}

/* Lets go of the lock; the server sees what was written `now`, or when there is enough of it. */
static void end_writing(struct vdc_ring *ring, bool now)
{
    const bool published = now || ring->tail - ring->published > UNPUBLISHED_MAX;
    if (published)
        publish(ring);
    pthread_mutex_unlock(&ring->lock);
    if (published)
        wake_consumer(ring);
}

/* ---- What was appended, on its way into the ring. All of it under the lock */

/* The head of the last record, if the server does not know of it and it can grow by `size` bytes. */
static struct vd_record *growing(struct vdc_ring *ring, uint32_t size)
{
    const uint32_t offset = (uint32_t)ring->tail & (VD_RING_DATA_SIZE - 1);
    if (ring->tail == ring->published || ring->last < ring->published || offset == 0 ||
        size > VD_RING_DATA_SIZE - offset)
        return NULL;
    uint8_t *last = ring->data + ((uint32_t)ring->last & (VD_RING_DATA_SIZE - 1));
    struct vd_record *record = (struct vd_record *)last;
    return record->size + size <= VD_RING_RECORD_MAX ? record : NULL;
}

struct appended {
    struct vd_record record;
    uint64_t head;
};

/* No more than this is needed to append `size` bytes. */
static uint32_t size_appended(const struct vdc_ring *ring, uint32_t size)
{
    size += sizeof(struct appended);
    return padding_before(ring, size) + size;
}

/* Where `size` bytes go, in the last record or a new one. There is room. */
static uint8_t *grow_by(struct vdc_ring *ring, uint16_t opcode, uint64_t head, uint32_t size)
{
    const struct appended start = {{.size = sizeof(start), .opcode = opcode}, head};
    struct vd_record *record = growing(ring, size);
    if (!record || record->opcode != opcode || ((struct appended *)record)->head != head) {
        skip(ring, padding_before(ring, sizeof(start) + size));
        record = memcpy(at_tail(ring), &start, sizeof(start));
        ring->last = ring->tail;
        ring->tail += sizeof(start);
    }
    uint8_t *to = at_tail(ring);
    record->size += size;
    ring->tail += size;
    return to;
}

/* What was seen of it. On a lost connection what does not fit is forgotten. */
static void move(struct vdc_ring *ring, struct vdc_ring_stage *stage)
{
    const uint32_t size = (uint32_t)stage->seen - stage->moved;
    const uint32_t pieces = (uint32_t)(stage->seen >> 32) - stage->moved_pieces;
    if (!size)
        return;
    if (await_space(ring, size_appended(ring, size))) {
        memcpy(grow_by(ring, stage->opcode, stage->head, size), stage->bytes + stage->moved, size);
        count(ring, pieces, size);
    }
    stage->moved += size;
    stage->moved_pieces += pieces;
}

/* Looks at the newest stage first, and moves the oldest one first. */
static void move_from(struct vdc_ring *ring, struct vdc_ring_stage *stage)
{
    if (!stage)
        return;
    stage->seen = atomic_load_explicit(&stage->filled, memory_order_acquire);
    move_from(ring, stage->next);
    move(ring, stage);
}

/* Before anything else is written. */
static void move_stages(struct vdc_ring *ring)
{
    move_from(ring, ring->stages);
}

/* A record that fits into the ring. */
static VkResult send_record(struct vdc_ring *ring, const struct vd_record *record,
                            uint64_t *position)
{
    pthread_mutex_lock(&ring->lock);
    move_stages(ring);
    const uint32_t padding = padding_before(ring, record->size);
    if (!await_space(ring, padding + record->size)) {
        pthread_mutex_unlock(&ring->lock);
        return VK_ERROR_DEVICE_LOST;
    }
    skip(ring, padding);
    memcpy(at_tail(ring), record, record->size);
    ring->tail += record->size;
    count(ring, 1, record->size);
    if (position)
        *position = ring->tail;
    end_writing(ring, true);
    return VK_SUCCESS;
}

/* ---- Writing in place */

uint8_t *vdc_ring_write_begin(struct vdc_ring *ring, uint32_t *capacity)
{
    pthread_mutex_lock(&ring->lock);
    move_stages(ring);
    const uint32_t padding = padding_before(ring, IN_PLACE_MIN);
    if (!has_space(ring, padding + IN_PLACE_MIN)) {
        pthread_mutex_unlock(&ring->lock);
        return NULL;
    }
    ring->padding = padding;
    const uint32_t start = ((uint32_t)ring->tail + padding) & (VD_RING_DATA_SIZE - 1);
    const uint64_t left = VD_RING_DATA_SIZE - (ring->tail - ring->head) - padding;
    uint32_t room = VD_RING_DATA_SIZE - start;
    room = left < room ? (uint32_t)left : room;
    *capacity = room < VD_RING_RECORD_MAX ? room : VD_RING_RECORD_MAX;
    return ring->data + start;
}

void vdc_ring_write_end(struct vdc_ring *ring, uint32_t size, bool now)
{
    if (size > 0) {
        skip(ring, ring->padding);
        ring->last = ring->tail;
        ring->tail += size;
        count(ring, 1, size);
    }
    end_writing(ring, size > 0 && now);
}

/* ---- Appending */

/* Under the lock, which is kept. NULL: there is no room just now. */
static uint8_t *append_here(struct vdc_ring *ring, uint16_t opcode, uint64_t head, uint32_t size)
{
    if (!has_space(ring, size_appended(ring, size)))
        return NULL;
    count(ring, 1, size);
    return grow_by(ring, opcode, head, size);
}

/* Makes this thread the stager. Everything has been moved. NULL: it can not be. Under the lock. */
static struct vdc_ring_stage *become_stager(struct vdc_ring *ring, uint16_t opcode, uint64_t head)
{
    const pthread_t self = pthread_self();
    struct vdc_ring_stage **link = &ring->stages;
    while (*link && !pthread_equal((*link)->thread, self))
        link = &(*link)->next;
    struct vdc_ring_stage *stage = *link;
    if (stage) {
        *link = stage->next;
    } else {
        stage = ring->stage_count < STAGES_MAX ? aligned_alloc(64, sizeof(*stage)) : NULL;
        if (!stage)
            return NULL;
        ring->stage_count++;
        stage->thread = self;
    }
    stage->next = ring->stages;
    ring->stages = stage;
    stage->opcode = opcode;
    stage->head = head;
    stage->moved = stage->moved_pieces = 0;
    atomic_store_explicit(&stage->filled, 0, memory_order_relaxed);
    /* release: what was just written. */
    atomic_store_explicit(&ring->stager, stage, memory_order_release);
    return stage;
}

/* The stage of this thread, if it has the turn and `size` bytes fit. */
static struct vdc_ring_stage *stage_for(struct vdc_ring *ring, uint16_t opcode, uint64_t head,
                                        uint32_t size)
{
    struct vdc_ring_stage *stage = atomic_load_explicit(&ring->stager, memory_order_acquire);
    if (!stage || !pthread_equal(stage->thread, pthread_self()) || stage->head != head ||
        stage->opcode != opcode)
        return NULL;
    const uint32_t filled = (uint32_t)atomic_load_explicit(&stage->filled, memory_order_relaxed);
    return filled + size <= STAGE_SIZE ? stage : NULL;
}

static uint8_t *end_of(struct vdc_ring_stage *stage)
{
    return stage->bytes + (uint32_t)atomic_load_explicit(&stage->filled, memory_order_relaxed);
}

uint8_t *vdc_ring_append_begin(struct vdc_ring *ring, uint16_t opcode, uint64_t head, uint32_t size,
                               struct vdc_ring_piece *piece)
{
    struct vdc_ring_stage *stage = stage_for(ring, opcode, head, size);
    *piece = (struct vdc_ring_piece){stage, size};
    if (stage)
        return end_of(stage);

    pthread_mutex_lock(&ring->lock);
    move_stages(ring);
    /* Threads that append in turns had better not take the turn from one another. */
    const pthread_t self = pthread_self();
    const bool again = ring->has_appender && pthread_equal(ring->appender, self);
    ring->appender = self;
    ring->has_appender = true;
    piece->stage = again ? become_stager(ring, opcode, head) : NULL;
    if (piece->stage) {
        end_writing(ring, false);
        return piece->stage->bytes;
    }
    atomic_store_explicit(&ring->stager, NULL, memory_order_relaxed);
    uint8_t *to = append_here(ring, opcode, head, size);
    if (!to)
        pthread_mutex_unlock(&ring->lock);
    return to;
}

void vdc_ring_append_end(struct vdc_ring *ring, const struct vdc_ring_piece *piece)
{
    struct vdc_ring_stage *stage = piece->stage;
    if (!stage) {
        end_writing(ring, false);
        return;
    }
    const uint64_t filled = atomic_load_explicit(&stage->filled, memory_order_relaxed);
    atomic_store_explicit(&stage->filled, filled + (UINT64_C(1) << 32 | piece->size),
                          memory_order_release);
}

/* ---- Records that are too large */

/* Keeps the buffers of the records that the server has copied. */
static void reap_large_records(struct vdc_ring *ring)
{
    const uint64_t consumed = vdc_ring_consumed(ring);
    struct large_record *copied = NULL;

    pthread_mutex_lock(&ring->large_lock);
    for (struct large_record **link = &ring->large_records; *link;) {
        struct large_record *record = *link;
        if (record->position <= consumed) {
            *link = record->next;
            record->next = copied;
            copied = record;
        } else {
            link = &record->next;
        }
    }
    pthread_mutex_unlock(&ring->large_lock);
    while (copied) {
        struct large_record *record = copied;
        copied = record->next;
        vdc_buffers_give(ring->buffers, &record->shm);
        free(record);
    }
}

static VkResult send_large(struct vdc_ring *ring, const struct vd_record *record,
                           uint64_t *position)
{
    if (record->size > VD_RECORD_MAX)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    reap_large_records(ring);
    struct large_record *large = malloc(sizeof(*large));
    if (!large)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    VkResult result = vdc_buffers_take(ring->buffers, record->size, &large->shm);
    if (result != VK_SUCCESS) {
        free(large);
        return result;
    }
    large->position = UINT64_MAX;
    memcpy(large->shm.map, record, record->size);
    const struct {
        struct vd_record record;
        struct vd_indirect indirect;
    } command = {
        .record = {.size = sizeof(command), .opcode = VD_OP_INDIRECT},
        .indirect = {.shm = large->shm.id, .size = record->size},
    };
    result = send_record(ring, &command.record, &large->position);
    vdc_ring_count(ring, 0, record->size);
    if (position)
        *position = large->position;
    /* Also after a failure: who knows what the server reads. */
    pthread_mutex_lock(&ring->large_lock);
    large->next = ring->large_records;
    ring->large_records = large;
    pthread_mutex_unlock(&ring->large_lock);
    return result;
}

/* ---- Sending */

VkResult vdc_ring_send(struct vdc_ring *ring, const void *data, uint64_t *position)
{
    return vdc_link_lost(ring->link) ? VK_ERROR_DEVICE_LOST
                                     : vdc_ring_send_anyway(ring, data, position);
}

VkResult vdc_ring_send_anyway(struct vdc_ring *ring, const void *data, uint64_t *position)
{
    const struct vd_record *record = data;
    assert(record->size >= sizeof(*record) && record->size % VD_ALIGN == 0);
    if (vdc_link_gone(ring->link))
        return VK_ERROR_DEVICE_LOST;
    return record->size <= VD_RING_RECORD_MAX ? send_record(ring, record, position)
                                              : send_large(ring, record, position);
}

VkResult vdc_ring_post(struct vdc_ring *ring, const struct vd_record *record)
{
    uint32_t capacity;
    uint8_t *at = vdc_ring_write_begin(ring, &capacity);
    if (!at)
        return vdc_ring_send(ring, record, NULL);
    memcpy(at, record, record->size);
    vdc_ring_write_end(ring, record->size, false);
    return VK_SUCCESS;
}

uint64_t vdc_ring_consumed(const struct vdc_ring *ring)
{
    /* acquire: what was below it may be overwritten, it has been read. */
    return atomic_load_explicit(&ring->shared->head, memory_order_acquire);
}

/* ---- Statistics */

void vdc_ring_count(struct vdc_ring *ring, uint64_t calls, uint64_t bytes)
{
    pthread_mutex_lock(&ring->lock);
    count(ring, calls, bytes);
    pthread_mutex_unlock(&ring->lock);
}

void vdc_ring_stats(const struct vdc_ring *ring, uint64_t *calls, uint64_t *bytes)
{
    *calls = atomic_load_explicit(&ring->calls, memory_order_relaxed);
    *bytes = atomic_load_explicit(&ring->bytes, memory_order_relaxed);
}
