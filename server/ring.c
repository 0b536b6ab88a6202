/* SPDX-License-Identifier: MIT
 *
 * Hands read the ring, one at a time. The one that is in a call which takes long is overtaken by
 * another, who goes on with a copy of what is left of the first one's bytes.
 */
#include <pthread.h>
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

/* Calls that are left behind at the same time, beyond which the ring waits for one of them. */
#define HANDS_MAX 256

/* A thread, and the memory that its records lie in, which a driver may still be looking at when
 * another hand has gone on. */
struct hand {
    struct vds_ring_consumer *consumer;
    struct hand *next; /* of all but the first one */
    pthread_t thread;
    uint8_t *span;  /* private copy of what the ring held, VD_RING_DATA_SIZE bytes */
    uint8_t *large; /* the same for a record that an indirect one stands for, kept for the next */
    uint32_t large_capacity;
};

struct vds_ring_consumer {
    struct vds_shm_table *shm;
    struct vds_shm_region *region;
    struct vds_context *context;
    struct vd_ring *ring;
    const uint8_t *data;
    _Atomic bool stop;
    _Atomic bool failed; /* what a hand found is malformed */
    struct hand first;   /* the caller of vds_ring_consumer_run */
    pthread_mutex_t
        watch; /* of the hand that waits to overtake, and by others who would do so next */
    _Atomic uint32_t idle; /* hands that hold `watch` or wait for it */

    /* Of the hand that reads. */
    struct hand *hand;
    struct hand *others;
    uint32_t others_count;
    uint64_t
        head; /* ours, of the beginning of the span; the one in the ring is only ever written */
    uint64_t tail; /* the ring's when it was last looked at */
    uint32_t size; /* of the records in the hand's span */
    uint32_t at;   /* the next one to be executed */
    uint32_t hold; /* the next one that holds the head, which is published up to here */
};

static bool hand_init(struct hand *hand, struct vds_ring_consumer *consumer)
{
    *hand = (struct hand){.consumer = consumer};
    hand->span = aligned_alloc(64, VD_RING_DATA_SIZE);
    return hand->span;
}

static void hand_finish(struct hand *hand)
{
    free(hand->large);
    free(hand->span);
}

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
    consumer->hand = &consumer->first;
    if (!hand_init(&consumer->first, consumer)) {
        vds_log(VDS_LOG_ERROR, "out of memory for a ring");
        goto put_region;
    }
    pthread_mutex_init(&consumer->watch, NULL);
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
    hand_finish(&consumer->first);
    pthread_mutex_destroy(&consumer->watch);
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
    memcpy(consumer->hand->span, consumer->data + start, first);
    memcpy(consumer->hand->span + first, consumer->data, size - first);
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
    return (const struct vd_record *)(consumer->hand->span + offset);
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
static uint8_t *reserve_large(struct hand *hand, uint32_t size)
{
    if (size > hand->large_capacity || hand->large_capacity > LARGE_KEPT) {
        free(hand->large);
        const uint32_t capacity = size < LARGE_KEPT ? LARGE_KEPT : size;
        hand->large = malloc(capacity);
        hand->large_capacity = hand->large ? capacity : 0;
    }
    return hand->large;
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
    uint8_t *copy = reserve_large(consumer->hand, indirect->size);
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

static enum vds_executed execute_indirect(struct vds_ring_consumer *consumer,
                                          const struct vd_record *record)
{
    uint8_t *copy = copy_indirect(consumer, record);
    if (!copy)
        return VDS_MALFORMED;
    return vds_context_execute(consumer->context, copy, ((struct vd_record *)copy)->size);
}

/* Lets the producer have the space up to the next record that holds the head. */
static void release_space(struct vds_ring_consumer *consumer)
{
    consumer->hold = next_hold(consumer, consumer->at, consumer->size);
    publish_head(consumer, consumer->head + consumer->hold);
}

/* Executes what the span holds. What a hand that is left has done so far is in the consumer: `at` is
 * behind the record that it is in. */
static enum vds_executed execute_span(struct vds_ring_consumer *consumer)
{
    while (consumer->at < consumer->size) {
        struct vd_record *record = (struct vd_record *)record_at(consumer, consumer->at);
        consumer->at += record->size;
        enum vds_executed executed = VDS_EXECUTED;
        if (record->opcode == VD_OP_INDIRECT)
            executed = execute_indirect(consumer, record);
        else if (record->opcode != VD_OP_NOP)
            executed = vds_context_execute(consumer->context, (uint8_t *)record, record->size);
        if (executed != VDS_EXECUTED)
            return executed;
        if (consumer->at > consumer->hold)
            release_space(consumer);
    }
    consumer->head += consumer->size;
    consumer->at = consumer->size = 0;
    return VDS_EXECUTED;
}

/* Fills the span. False: what is in the ring are no records. */
static bool read_span(struct vds_ring_consumer *consumer, uint64_t tail)
{
    /* Also catches a tail that went backwards. */
    if (tail - consumer->head > VD_RING_DATA_SIZE) {
        vds_log(VDS_LOG_WARNING, "protocol error: the ring's tail %llu does not fit its head %llu",
                (unsigned long long)tail, (unsigned long long)consumer->head);
        return false;
    }
    consumer->tail = tail;
    consumer->at = 0;
    if (!copy_records(consumer, (uint32_t)(tail - consumer->head), &consumer->size))
        return false;
    release_space(consumer);
    return true;
}

/* Until the hand is left, the ring stops (VDS_EXECUTED), or turns out to be malformed. */
static enum vds_executed read_ring(struct vds_ring_consumer *consumer)
{
    struct vds_context *context = consumer->context;
    for (;;) {
        const enum vds_executed executed = execute_span(consumer);
        if (executed != VDS_EXECUTED)
            return executed;
        if (atomic_load_explicit(&consumer->ring->tail, memory_order_relaxed) == consumer->head &&
            !vds_context_idle(context))
            return VDS_MALFORMED;
        const uint64_t tail = await_tail(consumer, context);
        vds_context_leave(context);
        if (tail == consumer->head)
            return VDS_EXECUTED;
        vds_context_resume(context);
        if (!read_span(consumer, tail))
            return VDS_MALFORMED;
    }
}

/* ---- Hands */

static void *hand_main(void *data);

/* There is another one, who can overtake this one, if it can be had. */
static void want_other(struct vds_ring_consumer *consumer)
{
    if (atomic_load(&consumer->idle) || consumer->others_count == HANDS_MAX)
        return;
    struct hand *hand = malloc(sizeof(*hand));
    if (!hand)
        return;
    atomic_fetch_add(&consumer->idle, 1);
    if (!hand_init(hand, consumer) || pthread_create(&hand->thread, NULL, hand_main, hand) != 0) {
        vds_log(VDS_LOG_WARNING, "no thread to go on while a call takes long");
        atomic_fetch_sub(&consumer->idle, 1);
        hand_finish(hand);
        free(hand);
        return;
    }
    pthread_setname_np(hand->thread, "viaduct-engine");
    hand->next = consumer->others;
    consumer->others = hand;
    consumer->others_count++;
}

/* Goes on with what the hand that reads has left. */
static void overtake(struct vds_ring_consumer *consumer, struct hand *hand)
{
    memcpy(hand->span + consumer->at, consumer->hand->span + consumer->at,
           consumer->size - consumer->at);
    consumer->hand = hand;
    if (consumer->at > consumer->hold)
        release_space(consumer);
}

/* Overtakes, and reads until it is overtaken itself; and so on, until the ring ends. */
static void serve(struct vds_ring_consumer *consumer, struct hand *hand, bool reads)
{
    for (;;) {
        if (!reads) {
            pthread_mutex_lock(&consumer->watch);
            reads = vds_context_await(consumer->context);
            pthread_mutex_unlock(&consumer->watch);
            atomic_fetch_sub(&consumer->idle, 1);
            if (!reads)
                return;
            overtake(consumer, hand);
        }
        want_other(consumer);
        switch (read_ring(consumer)) {
        case VDS_LEFT:
            break;
        case VDS_MALFORMED:
            if (!atomic_exchange(&consumer->failed, true))
                vds_context_fail(consumer->context);
            /* fall through */
        case VDS_EXECUTED:
            vds_context_stop(consumer->context);
            return;
        }
        reads = false;
        atomic_fetch_add(&consumer->idle, 1);
    }
}

static void *hand_main(void *data)
{
    struct hand *hand = data;
    serve(hand->consumer, hand, false);
    return NULL;
}

bool vds_ring_consumer_run(struct vds_ring_consumer *consumer, struct vds_context *context)
{
    consumer->context = context;
    serve(consumer, &consumer->first, true);
    /* The last one that read has ended, and nobody adds to the others. */
    while (consumer->others) {
        struct hand *hand = consumer->others;
        consumer->others = hand->next;
        pthread_join(hand->thread, NULL);
        hand_finish(hand);
        free(hand);
    }
    return !atomic_load(&consumer->failed);
}

void vds_ring_consumer_stop(struct vds_ring_consumer *consumer)
{
    atomic_store(&consumer->stop, true);
    atomic_store(&consumer->ring->consumer_sleeps, 0);
    vds_wake(&consumer->ring->consumer_sleeps);
}
