/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: the control ring and chunks, while a second thread changes what lies in them. The consumer
 * works on the fake driver; this thread puts valid records into the ring, and flips bits in the ring, its
 * counters, in chunks and in what indirect records lead to, at whatever point the consumer is.
 *
 * The two threads race on purpose, so that the same input may not do the same twice: keep what it was
 * by running it often (-runs=1000).
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "opcodes.h"
#include "protocol/ring.h"
#include "server/context.h"
#include "server/futex.h"
#include "server/log.h"
#include "server/ring.h"
#include "server/shm.h"

#include "../unit/fake_driver.h"
#include "seeds.h"
#include "session.h"

#define INDIRECT   (IMPORT + 65536u)
#define STEPS_MAX  64
#define FLIPS_MOST 64u
#define LANES      2
#define TURNS_MAX  2000
/* Time for a watcher that looks each 400 us to have seen a call twice. */
#define BUSY_US  2000
#define NOP_LONG (96u << 10) /* more than is read at a time */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step {
    STEP_SAMPLE,   /* a valid record */
    STEP_STREAM,   /* one that names a chunk */
    STEP_INDIRECT, /* one that lies elsewhere */
    STEP_FLIP,     /* bits of the ring's newest bytes, while they are read */
    STEP_FLIP_SHARED,
    STEP_TAIL,   /* a counter is changed */
    STEP_RECORD, /* a header of any kind */
    STEP_JUMP,   /* the tail is moved */
    STEP_REST,   /* the consumer is let fall asleep */
    STEP_BUSY,   /* a call that takes so long that others go on */
    STEP_COUNT,
};

struct fuzz {
    struct test_client client;
    struct vds_shm_region *region;
    struct vd_ring *ring;
    uint8_t *data;
    struct vds_ring_consumer *consumer;
    uint64_t tail;
    int samples;
    bool was_busy;
    atomic_bool ended; /* the consumer has met what makes no sense */
};

static void *consume(void *data)
{
    struct fuzz *f = data;
    vds_ring_consumer_run(f->consumer, f->client.context);
    atomic_store(&f->ended, true);
    return NULL;
}

/* Until everything is consumed, though not for ever: a counter may have been changed. */
static void settle(struct fuzz *f)
{
    for (int turns = 0;
         turns < TURNS_MAX && !atomic_load(&f->ended) && atomic_load(&f->ring->head) != f->tail;
         turns++)
        sched_yield();
}

static void advance(struct fuzz *f, uint32_t size)
{
    f->tail += size;
    atomic_store(&f->ring->tail, f->tail);
    if (atomic_exchange(&f->ring->consumer_sleeps, 0))
        vds_wake(&f->ring->consumer_sleeps);
}

/* A record that waits says where its answer goes. */
static void name_replies(struct fuzz *f, struct test_record *r)
{
    struct vd_record *record = (struct vd_record *)r->bytes;
    if (record->flags & VD_RECORD_REPLY)
        ((struct vd_reply_request *)(record + 1))->shm = f->client.replies->id;
}

/* The input's choice of a valid record. */
static bool sample(struct fuzz *f, struct test_record *r, struct input *input)
{
    if (!make_sample(r, (int)take(input, 1) % f->samples, f->client.replies->id))
        return false;
    name_replies(f, r);
    return true;
}

static void put(struct fuzz *f, const void *bytes, uint32_t size)
{
    const uint32_t at = (uint32_t)f->tail & (VD_RING_DATA_SIZE - 1);
    if (size > VD_RING_DATA_SIZE - at)
        return; /* so many there are not in an input */
    memcpy(f->data + at, bytes, size);
    advance(f, size);
}

/* Relaxed, for the compiler's sake; the other side reads as it likes. */
static void flip(uint8_t *where, uint8_t bits)
{
    __atomic_fetch_xor(where, bits, __ATOMIC_RELAXED);
}

static void flip_some(uint8_t *from, uint32_t size, struct input *input)
{
    uint32_t flips = (uint32_t)take(input, 1) % FLIPS_MOST;
    const uint32_t first = (uint32_t)take(input, 2), stride = 1 + (uint32_t)take(input, 1);
    const uint8_t bits = (uint8_t)take(input, 1);
    for (uint32_t i = 0; size && i < flips; i++)
        flip(from + (first + i * stride) % size, bits);
}

static void put_stream(struct fuzz *f, struct input *input)
{
    struct test_record r, part;
    uint32_t size = stream_start(&f->client);
    for (uint32_t parts = (uint32_t)take(input, 1) % 16; parts; parts--) {
        const VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER};
        struct {
            uint32_t stages[3];
            uint32_t count;
            uint64_t pointer, rest[4];
        } args = {.count = 1};
        record_begin(&part, VD_OP_vkCmdPipelineBarrier, &args, sizeof(args), false);
        record_put(&part, part.body + 16, &barrier, sizeof(barrier));
        memcpy(f->client.replies->map + CHUNKS + size, part.bytes, part.size);
        size += part.size;
    }
    stream_record(&r, &f->client, size, (uint32_t)take(input, 1) & VD_STREAM_ALONE);
    put(f, r.bytes, r.size);
}

static void put_indirect(struct fuzz *f, struct input *input)
{
    struct test_record r, inner;
    if (!sample(f, &inner, input))
        return;
    memcpy(f->client.replies->map + INDIRECT, inner.bytes, inner.size);
    const struct vd_indirect args = {
        .shm = f->client.replies->id, .size = inner.size, .offset = INDIRECT};
    record_begin(&r, VD_OP_INDIRECT, &args, sizeof(args), false);
    put(f, r.bytes, r.size);
}

static void put_header(struct fuzz *f, struct input *input)
{
    struct vd_record record[4] = {0};
    record->opcode = (uint16_t)take(input, 2);
    record->flags = (uint16_t)take(input, 1);
    record->size = (uint32_t)take(input, 3);
    for (size_t i = 0; i < 3; i++) {
        const uint64_t rest = take(input, 8);
        memcpy(&record[1 + i], &rest, sizeof(rest));
    }
    /* As many bytes as it says, up to a ring that is half full: what they are does not matter. */
    uint32_t size = record->size < sizeof(record) ? (uint32_t)sizeof(*record) : record->size;
    if (size > VD_RING_DATA_SIZE / 2)
        size = sizeof(record);
    const uint32_t at = (uint32_t)f->tail & (VD_RING_DATA_SIZE - 1);
    if (size > VD_RING_DATA_SIZE - at)
        return;
    memset(f->data + at, 0, size);
    memcpy(f->data + at, record, size < sizeof(record) ? size : sizeof(record));
    advance(f, size);
}

/* Until the consumer sleeps, or has had its time. */
static void rest(struct fuzz *f)
{
    settle(f);
    for (int turns = 0;
         turns < TURNS_MAX && !atomic_load(&f->ended) && !atomic_load(&f->ring->consumer_sleeps);
         turns++)
        sched_yield();
}

/* The answer to a creation keeps the client waiting, and a second thread reads on behind it. Once in an input: it
 * takes its time. */
static void keep_busy(struct fuzz *f, struct input *input)
{
    struct test_record r;
    if (f->was_busy)
        return;
    f->was_busy = true;
    settle(f);
    fake_driver.keeps_objects = true;
    make_buffer(&r, DEVICE, ID(VkBuffer, 56), true);
    name_replies(f, &r);
    put(f, r.bytes, r.size);
    if (sample(f, &r, input))
        put(f, r.bytes, r.size);
    usleep(BUSY_US);
    fake_driver.keeps_objects = false;
}

static void do_step(struct fuzz *f, enum step step, struct input *input)
{
    struct test_record r;
    const uint32_t behind = (uint32_t)f->tail & (VD_RING_DATA_SIZE - 1);
    const uint32_t recent = behind < 1024 ? behind : 1024;
    switch (step) {
    case STEP_SAMPLE:
        if (sample(f, &r, input))
            put(f, r.bytes, r.size);
        break;
    case STEP_STREAM:
        put_stream(f, input);
        break;
    case STEP_INDIRECT:
        put_indirect(f, input);
        break;
    case STEP_FLIP:
        flip_some(f->data + behind - recent, recent, input);
        break;
    case STEP_FLIP_SHARED:
        flip_some(f->client.replies->map + (take(input, 1) & 1 ? CHUNKS : INDIRECT), 1024, input);
        break;
    case STEP_TAIL:
        /* Rarely: nothing comes behind a counter that makes no sense. */
        if (take(input, 1) > 200)
            flip_some((uint8_t *)f->ring, sizeof(*f->ring), input);
        break;
    case STEP_RECORD:
        put_header(f, input);
        break;
    case STEP_JUMP:
        advance(f, (uint32_t)take(input, 4));
        break;
    case STEP_REST:
        rest(f);
        break;
    case STEP_BUSY:
        keep_busy(f, input);
        break;
    case STEP_COUNT:
        break;
    }
}

/* Each sample, in the ring and elsewhere, and streams of all lengths, with and without flips. */
void make_seeds(void)
{
    for (unsigned n = 0; n < 64; n++) {
        const uint8_t n8 = (uint8_t)n;
        const uint8_t puts[] = {STEP_SAMPLE, n8, STEP_INDIRECT, n8, STEP_STREAM, n8 % 16, n8};
        const uint8_t flips[] = {STEP_FLIP_SHARED, 0,  n8, 8, 0,  16, 255,
                                 STEP_FLIP,        n8, 8,  0, 16, 1};
        uint8_t seed[sizeof(puts) + sizeof(flips)];
        memcpy(seed, puts, sizeof(puts));
        memcpy(seed + sizeof(puts), flips, sizeof(flips));
        write_seed(seed, 4);
        write_seed(seed, sizeof(seed));
        write_seed(seed + 4, sizeof(seed) - 4);
        const uint8_t busy[] = {STEP_BUSY, n8, STEP_REST, STEP_SAMPLE, n8};
        write_seed(busy, sizeof(busy));
    }
    /* Headers that are right, long, or wrong in each word. */
    static const uint16_t opcodes[] = {VD_OP_NOP, VD_OP_SETUP, VD_OP_INDIRECT, VD_OP_STREAM};
    for (size_t i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++) {
        const uint8_t size = sizeof(struct vd_record) + sizeof(struct vd_indirect);
        uint8_t header[32] = {STEP_RECORD, (uint8_t)opcodes[i], 0, 0, size, 0, 0, 1, 0, 0, 0, 64};
        write_variants(header, sizeof(header), 1);
        header[4] = (uint8_t)NOP_LONG;
        header[5] = (uint8_t)(NOP_LONG >> 8);
        header[6] = (uint8_t)(NOP_LONG >> 16);
        write_seed(header, sizeof(header));
    }
    for (unsigned bit = 0; bit < 32; bit++) {
        const uint32_t by = 1u << bit, back = -by;
        uint8_t jump[] = {STEP_REST, STEP_JUMP, 0, 0, 0, 0, STEP_SAMPLE, 1};
        memcpy(jump + 2, &by, sizeof(by));
        write_seed(jump, sizeof(jump));
        memcpy(jump + 2, &back, sizeof(back));
        write_seed(jump, sizeof(jump));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz fuzz;
    struct input input = {data, size};
    pthread_t thread;
    int fd;
    fuzz = (struct fuzz){.samples = fuzz.samples};
    vds_log_set_level(VDS_LOG_ERROR);
    session_open(&fuzz.client, fake_get_instance_proc_addr, LANES);
    struct test_record r;
    while (!fuzz.samples || make_sample(&r, fuzz.samples, fuzz.client.replies->id))
        fuzz.samples++;
    const uint32_t id = vds_shm_add(fuzz.client.shm, VD_RING_DATA_OFFSET + VD_RING_DATA_SIZE, &fd);
    close(fd);
    fuzz.region = vds_shm_get(fuzz.client.shm, id, 0, 0);
    fuzz.ring = (struct vd_ring *)fuzz.region->map;
    fuzz.data = fuzz.region->map + VD_RING_DATA_OFFSET;
    fuzz.consumer = vds_ring_consumer_create(fuzz.client.shm, id);
    if (!fuzz.consumer || pthread_create(&thread, NULL, consume, &fuzz) != 0)
        abort();
    for (int steps = 0; input.left && steps < STEPS_MAX; steps++)
        do_step(&fuzz, (enum step)(take(&input, 1) % STEP_COUNT), &input);
    settle(&fuzz);
    fake_driver_give_up();
    vds_ring_consumer_stop(fuzz.consumer);
    pthread_join(thread, NULL);
    vds_ring_consumer_destroy(fuzz.consumer);
    vds_shm_put(fuzz.client.shm, fuzz.region);
    session_close(&fuzz.client);
    return 0;
}
