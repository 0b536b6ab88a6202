/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/spin.h"
#include "protocol/record.h"
#include "protocol/ring.h"

#include "futex.h"
#include "log.h"
#include "opcodes.h"
#include "ring.h"

/* How long the consumer looks for more before it sleeps. A wake-up costs the client a system call
 * and both of them a trip through the scheduler, which is more than this. */
#define SPIN_NS UINT64_C(30000)

/* Bytes that are copied and executed at a time. */
#define BATCH      (UINT32_C(64) << 10)
#define LARGE_KEPT (UINT32_C(8) << 20)

#define RING_BYTES ((uint64_t)VD_RING_DATA_OFFSET + VD_RING_DATA_SIZE)

struct vds_ring_consumer {
    struct vds_shm_table *shm;
    struct vds_shm_region *region;
    struct vd_ring *ring;
    const uint8_t *data;
    uint8_t *span;  /* private copy of what the ring held, VD_RING_DATA_SIZE bytes */
    uint8_t *large; /* the same for a record that an indirect one stands for, kept for the next */
    uint32_t large_capacity;
    uint64_t head; /* ours; the one in the ring is only ever written */
    uint64_t tail; /* the ring's when it was last looked at */
    _Atomic bool stop;
};

struct vds_ring_consumer *vds_ring_consumer_create(struct vds_shm_table *shm, uint32_t ring_shm)
{
    struct vds_ring_consumer *consumer = calloc(1, sizeof(*consumer));
    if (!consumer) {
        vds_log(VDS_LOG_ERROR, "out of memory for a ring");
        return NULL;
    }
    consumer->shm = shm;
    consumer->region = vds_shm_get(shm, ring_shm, 0, RING_BYTES);
    if (!consumer->region) {
        vds_log(VDS_LOG_WARNING, "protocol error: shared memory %u can not hold the ring",
                ring_shm);
        goto free_consumer;
    }
    consumer->span = aligned_alloc(64, VD_RING_DATA_SIZE);
    if (!consumer->span) {
        vds_log(VDS_LOG_ERROR, "out of memory for a ring");
        goto put_region;
    }
    consumer->ring = (struct vd_ring *)consumer->region->map;
    consumer->data = consumer->region->map + VD_RING_DATA_OFFSET;
    return consumer;

put_region:
    vds_shm_put(shm, consumer->region);
free_consumer:
    free(consumer);
    return NULL;
}

void vds_ring_consumer_destroy(struct vds_ring_consumer *consumer)
{
    if (!consumer)
        return;
    free(consumer->large);
    free(consumer->span);
    vds_shm_put(consumer->shm, consumer->region);
    free(consumer);
}

/* Waits until the ring holds something: its tail, or our head when it is time to stop. */
static uint64_t await_tail(struct vds_ring_consumer *consumer, struct vds_context *context)
{
    struct vd_ring *ring = consumer->ring;
    uint64_t spin_until = 0;

    for (unsigned looks = 1;; looks++) {
        /* acquire: the records below tail, stored before the producer's release. */
        uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (atomic_load_explicit(&consumer->stop, memory_order_acquire))
            return consumer->head;
        if (tail != consumer->head)
            return tail;
        if (spin_until == 0)
            spin_until = vd_clock_ns() + SPIN_NS;
        if (vd_clock_ns() < spin_until) {
            vds_context_look(context);
            vd_spin_pause(looks);
            continue;
        }

        vds_context_leave(context);
        /* Dekker's pattern, as ring.h says; vds_ring_consumer_stop plays the producer's part. */
        atomic_store(&ring->consumer_sleeps, 1);
        tail = atomic_load(&ring->tail);
        if (tail == consumer->head && !atomic_load(&consumer->stop))
            vds_futex_wait(&ring->consumer_sleeps, 1);
        atomic_store_explicit(&ring->consumer_sleeps, 0, memory_order_relaxed);
    }
}

/* The bytes below `position` may be overwritten from now on. */
static void publish_head(struct vds_ring_consumer *consumer, uint64_t position)
{
    struct vd_ring *ring = consumer->ring;
    atomic_store(&ring->head, position);
    /* The second half of Dekker's pattern with a producer that found the ring full. It is woken for
     * much room: one that outruns us would sleep again at once. */
    if (consumer->tail - position > VD_RING_DATA_SIZE / 2)
        return;
    if (atomic_load(&ring->producer_sleeps) && atomic_exchange(&ring->producer_sleeps, 0))
        vds_wake(&ring->producer_sleeps);
}

static void copy_out(struct vds_ring_consumer *consumer, uint32_t size)
{
    const uint32_t start = (uint32_t)consumer->head & (VD_RING_DATA_SIZE - 1);
    const uint32_t until_end = VD_RING_DATA_SIZE - start;
    const uint32_t first = size < until_end ? size : until_end;
    memcpy(consumer->span, consumer->data + start, first);
    memcpy(consumer->span + first, consumer->data, size - first);
}

/* True for records that speak of other shared memory, which the client may reuse once head has
 * passed the record: head waits until they have been executed. */
static bool holds_head(const struct vd_record *record)
{
    return record->opcode == VD_OP_INDIRECT || record->opcode == VD_OP_STREAM ||
           record->flags & VD_RECORD_SHARES;
}

static const struct vd_record *record_at(const struct vds_ring_consumer *consumer, uint32_t offset)
{
    return (const struct vd_record *)(consumer->span + offset);
}

/* How many of the first `copied` bytes of the span are whole records, where `available` bytes are in
 * the ring. False: they are no records. */
static bool whole_records(const struct vds_ring_consumer *consumer, uint32_t copied,
                          uint32_t available, uint32_t *whole)
{
    if (available % VD_ALIGN != 0) {
        vds_log(VDS_LOG_WARNING, "protocol error: %u bytes in the ring are no whole records",
                available);
        return false;
    }
    uint32_t offset = 0;
    while (offset < copied) {
        const struct vd_record *record = record_at(consumer, offset);
        if (record->size < sizeof(*record) || record->size % VD_ALIGN != 0 ||
            record->size > available - offset) {
            vds_log(VDS_LOG_WARNING,
                    "protocol error: record %u has a size of %u bytes where %u are in the ring",
                    record->opcode, record->size, available - offset);
            return false;
        }
        if (record->opcode == VD_OP_SETUP) {
            vds_log(VDS_LOG_WARNING, "protocol error: a second set-up, in the ring");
            return false;
        }
        if (record->size > copied - offset)
            break;
        offset += record->size;
    }
    *whole = offset;
    return true;
}

/* Copies records into the span, about BATCH bytes of them: what stays in the cache until it has been
 * executed. False: they are no records. */
static bool copy_records(struct vds_ring_consumer *consumer, uint32_t available, uint32_t *whole)
{
    const uint32_t some = available < BATCH ? available : BATCH;
    copy_out(consumer, some);
    if (!whole_records(consumer, some, available, whole))
        return false;
    if (*whole)
        return true;
    /* The first one is longer. Its size is checked again: the client may change it meanwhile. */
    const uint32_t longer = record_at(consumer, 0)->size;
    copy_out(consumer, longer);
    return whole_records(consumer, longer, longer, whole);
}

static uint32_t next_hold(const struct vds_ring_consumer *consumer, uint32_t offset, uint32_t size)
{
    while (offset < size && !holds_head(record_at(consumer, offset)))
        offset += record_at(consumer, offset)->size;
    return offset;
}

/* Memory for one large record; NULL: there is none. What is very large is not kept for long. */
static uint8_t *reserve_large(struct vds_ring_consumer *consumer, uint32_t size)
{
    if (size > consumer->large_capacity || consumer->large_capacity > LARGE_KEPT) {
        free(consumer->large);
        const uint32_t capacity = size < LARGE_KEPT ? LARGE_KEPT : size;
        consumer->large = malloc(capacity);
        consumer->large_capacity = consumer->large ? capacity : 0;
    }
    return consumer->large;
}

/* The record that an indirect one stands for, in memory of its own, or NULL. */
static uint8_t *copy_indirect(struct vds_ring_consumer *consumer, const struct vd_record *record)
{
    if (record->size != sizeof(*record) + sizeof(struct vd_indirect) || record->flags != 0) {
        vds_log(VDS_LOG_WARNING, "protocol error: an indirect record of %u bytes", record->size);
        return NULL;
    }
    const struct vd_indirect *indirect = (const struct vd_indirect *)(record + 1);
    if (indirect->size < sizeof(struct vd_record) || indirect->size % VD_ALIGN != 0 ||
        indirect->size > VD_RECORD_MAX || indirect->offset % VD_ALIGN != 0) {
        vds_log(VDS_LOG_WARNING, "protocol error: an indirect record for %u bytes", indirect->size);
        return NULL;
    }
    struct vds_shm_region *region =
        vds_shm_get(consumer->shm, indirect->shm, indirect->offset, indirect->size);
    if (!region) {
        vds_log(VDS_LOG_WARNING, "protocol error: an indirect record outside of shared memory %u",
                indirect->shm);
        return NULL;
    }
    uint8_t *copy = reserve_large(consumer, indirect->size);
    if (copy)
        memcpy(copy, region->map + indirect->offset, indirect->size);
    else
        vds_log(VDS_LOG_ERROR, "out of memory for a record of %u bytes", indirect->size);
    vds_shm_put(consumer->shm, region);
    if (!copy)
        return NULL;

    const struct vd_record *inner = (const struct vd_record *)copy;
    if (inner->size != indirect->size || inner->opcode == VD_OP_NOP ||
        inner->opcode == VD_OP_SETUP || inner->opcode == VD_OP_INDIRECT) {
        vds_log(VDS_LOG_WARNING, "protocol error: an indirect record for record %u of %u bytes",
                inner->opcode, inner->size);
        return NULL;
    }
    return copy;
}

static bool execute_indirect(struct vds_ring_consumer *consumer, struct vds_context *context,
                             const struct vd_record *record)
{
    uint8_t *copy = copy_indirect(consumer, record);
    if (!copy)
        return false;
    return vds_context_execute(context, copy, ((struct vd_record *)copy)->size);
}

/* Executes the private copy of [head, head + size) and lets the producer have that space, as early
 * as the records allow. */
static bool execute_span(struct vds_ring_consumer *consumer, struct vds_context *context,
                         uint32_t size)
{
    const uint64_t base = consumer->head;
    uint32_t hold = next_hold(consumer, 0, size);
    publish_head(consumer, base + hold);

    for (uint32_t offset = 0; offset < size;) {
        /* A run of ordinary records goes to the context in one piece. */
        uint32_t end = offset;
        while (end < hold && record_at(consumer, end)->opcode != VD_OP_NOP)
            end += record_at(consumer, end)->size;
        if (end > offset) {
            if (!vds_context_execute(context, consumer->span + offset, end - offset))
                return false;
            offset = end;
            continue;
        }
        const struct vd_record *record = record_at(consumer, offset);
        const uint32_t record_size = record->size;
        if (record->opcode == VD_OP_NOP) {
            offset += record_size;
            continue;
        }
        const bool ok = record->opcode == VD_OP_INDIRECT
                            ? execute_indirect(consumer, context, record)
                            : vds_context_execute(context, consumer->span + offset, record_size);
        if (!ok)
            return false;
        offset += record_size;
        hold = next_hold(consumer, offset, size);
        publish_head(consumer, base + hold);
    }
    consumer->head = base + size;
    return true;
}

bool vds_ring_consumer_run(struct vds_ring_consumer *consumer, struct vds_context *context)
{
    for (;;) {
        if (atomic_load_explicit(&consumer->ring->tail, memory_order_relaxed) == consumer->head &&
            !vds_context_idle(context))
            return false;
        const uint64_t tail = await_tail(consumer, context);
        vds_context_leave(context);
        if (tail == consumer->head)
            return true;
        /* Also catches a tail that went backwards. */
        if (tail - consumer->head > VD_RING_DATA_SIZE) {
            vds_log(VDS_LOG_WARNING,
                    "protocol error: the ring's tail %llu does not fit its head %llu",
                    (unsigned long long)tail, (unsigned long long)consumer->head);
            return false;
        }
        consumer->tail = tail;
        uint32_t size;
        if (!copy_records(consumer, (uint32_t)(tail - consumer->head), &size) ||
            !execute_span(consumer, context, size))
            return false;
    }
}

void vds_ring_consumer_stop(struct vds_ring_consumer *consumer)
{
    atomic_store(&consumer->stop, true);
    atomic_store(&consumer->ring->consumer_sleeps, 0);
    vds_wake(&consumer->ring->consumer_sleeps);
}
