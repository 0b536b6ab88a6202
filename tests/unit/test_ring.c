/* SPDX-License-Identifier: MIT
 *
 * Both ends of the control ring in one process: the client's connection over a fake transport whose
 * shared memory is the server's own mapping, so that ThreadSanitizer sees all of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "icd/connection/connection.h"
#include "protocol/ring.h"
#include "server/context.h"
#include "server/futex.h"
#include "server/log.h"
#include "server/ring.h"

#include "fake_context.h"
#include "opcodes.h"

/* Longer than anything that works takes, even on a busy machine under a sanitizer. */
#define SOON_MS 5000

/* ---- A transport and the server behind it */

struct fake {
    struct vdc_transport base;
    struct vds_shm_table *shm;
    struct vds_context *context;
    struct vds_ring_consumer *consumer;
    struct vds_shm_region *completion;
    pthread_t engine;
    bool started;
    bool result;    /* of the consumer, once joined */
    int sockets[2]; /* the client's end, the server's */
};

static struct fake *fake;
/* Makes shm_create fail. */
static _Atomic bool no_memory;

static VkResult fake_shm_create(struct vdc_transport *transport, uint64_t size, struct vdc_shm *shm)
{
    struct fake *self = (struct fake *)transport;
    int fd = -1;
    const uint32_t id = no_memory ? 0 : vds_shm_add(self->shm, size, &fd);
    if (!id)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    struct vds_shm_region *region = vds_shm_get(self->shm, id, 0, size);
    *shm = (struct vdc_shm){.id = id, .size = region->size, .map = region->map, .fd = fd};
    vds_shm_put(self->shm, region);
    return VK_SUCCESS;
}

static void fake_shm_destroy(struct vdc_transport *transport, struct vdc_shm *shm)
{
    if (shm->fd >= 0)
        close(shm->fd);
    assert_true(vds_shm_remove(((struct fake *)transport)->shm, shm->id));
}

static void *engine(void *data)
{
    struct fake *self = data;
    self->result = vds_ring_consumer_run(self->consumer, self->context);
    return NULL;
}

static VkResult fake_submit(struct vdc_transport *transport, const void *data, size_t size)
{
    struct fake *self = (struct fake *)transport;
    const struct vd_record *record = data;
    const struct vd_setup *setup = (const struct vd_setup *)(record + 1);
    assert_int_equal(size, sizeof(*record) + sizeof(*setup));
    assert_int_equal(record->opcode, VD_OP_SETUP);
    assert_int_equal(setup->protocol_version, VD_PROTOCOL_VERSION);
    self->completion = vds_shm_get(self->shm, setup->completion_shm, 0, 4096);
    self->consumer = vds_ring_consumer_create(self->shm, setup->ring_shm);
    assert_non_null(self->completion);
    assert_non_null(self->consumer);
    vds_context_set_completion(self->context, (struct vd_completion *)self->completion->map,
                               self->completion->size);
    assert_int_equal(pthread_create(&self->engine, NULL, engine, self), 0);
    self->started = true;
    return VK_SUCCESS;
}

static void fake_wake(struct vdc_transport *transport, _Atomic uint32_t *address)
{
    (void)transport;
    vds_wake(address);
}

static void fake_wait(struct vdc_transport *transport, _Atomic uint32_t *address, uint32_t value,
                      uint64_t timeout_ns)
{
    (void)transport;
    if (timeout_ns == UINT64_MAX)
        vds_futex_wait(address, value);
    else
        usleep(1000); /* an early return */
}

static void fake_watch(struct vdc_transport *transport, const _Atomic uint32_t *lost)
{
    (void)lost;
    struct pollfd source = {
        .fd = ((struct fake *)transport)->sockets[0],
        .events = POLLRDHUP,
    };
    poll(&source, 1, -1);
}

static void fake_unwatch(struct vdc_transport *transport)
{
    shutdown(((struct fake *)transport)->sockets[0], SHUT_RD);
}

static void stop_engine(struct fake *self)
{
    if (self->started) {
        vds_ring_consumer_stop(self->consumer);
        pthread_join(self->engine, NULL);
        self->started = false;
    }
}

static void fake_destroy(struct vdc_transport *transport)
{
    struct fake *self = (struct fake *)transport;
    stop_engine(self);
    vds_ring_consumer_destroy(self->consumer);
    vds_shm_put(self->shm, self->completion);
    vds_context_destroy(self->context);
    vds_shm_table_destroy(self->shm);
    close(self->sockets[0]);
    if (self->sockets[1] >= 0)
        close(self->sockets[1]);
    free(self);
    fake = NULL;
}

static const struct vdc_transport_ops fake_ops = {
    .name = "fake",
    .destroy = fake_destroy,
    .shm_create = fake_shm_create,
    .shm_destroy = fake_shm_destroy,
    .submit = fake_submit,
    .wake = fake_wake,
    .wait = fake_wait,
    .watch = fake_watch,
    .unwatch = fake_unwatch,
};

VkResult vdc_transport_connect(struct vdc_transport **transport)
{
    const struct vds_context_options options = {0};
    fake = calloc(1, sizeof(*fake));
    assert_non_null(fake);
    fake->base.ops = &fake_ops;
    vds_capset_fill(&fake->base.capset);
    fake->shm = vds_shm_table_create();
    fake->context = vds_context_create(&options, fake->shm);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fake->sockets), 0);
    *transport = &fake->base;
    return VK_SUCCESS;
}

/* What a client sees of a server that dies. */
static void kill_server(void)
{
    close(fake->sockets[1]);
    fake->sockets[1] = -1;
}

/* ---- Helpers */

static int set_up(void **state)
{
    struct vdc_connection *connection = NULL;
    atomic_store(&fake_closed, false);
    no_memory = false;
    vds_log_set_level(VDS_LOG_ERROR);
    if (vdc_connection_create(&connection) != VK_SUCCESS)
        return -1;
    *state = connection;
    return 0;
}

static int tear_down(void **state)
{
    atomic_store(&fake_closed, false);
    vdc_connection_destroy(*state);
    return 0;
}

/* Waits for what another thread does; a failure says so instead of hanging. */
#define assert_soon(condition)                           \
    do {                                                 \
        const uint64_t until_ = vd_clock_ms() + SOON_MS; \
        while (!(condition) && vd_clock_ms() < until_)   \
            usleep(500);                                 \
        assert_true(condition);                          \
    } while (0)

static uint32_t pseudo_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static const uint32_t size_min = sizeof(struct vd_record) + sizeof(struct fake_sequence);

static void send_sequence(struct vdc_connection *connection, void *buffer, uint32_t size,
                          uint16_t opcode, uint32_t thread, uint64_t number)
{
    fake_fill(buffer, size, opcode, NULL, thread, number);
    assert_int_equal(vdc_ring_send(connection->ring, buffer, NULL), VK_SUCCESS);
}

/* Sends, waits for the answer and checks it. */
static VkResult echo(struct vdc_connection *connection, uint32_t thread, uint64_t number,
                     uint32_t size)
{
    struct vdc_reply_space space;
    VkResult result = vdc_reply_begin(connection->replies, size, &space);
    if (result != VK_SUCCESS)
        return result;
    assert_true(space.capacity >= size);
    void *record = malloc(size);
    assert_non_null(record);
    const struct vd_reply_request request = {
        .shm = space.shm,
        .offset = space.offset,
        .out_size = size,
    };
    fake_fill(record, size, FAKE_ECHO, &request, thread, number);
    result = vdc_ring_send(connection->ring, record, NULL);
    if (result == VK_SUCCESS)
        result = vdc_reply_wait(connection->replies, &space);
    if (result == VK_SUCCESS) {
        assert_int_equal(space.reply->value, number);
        assert_memory_equal(space.reply + 1, record, size);
    }
    vdc_reply_end(connection->replies, &space);
    free(record);
    return result;
}

/* ---- Records */

static void records_of_all_sizes_arrive_in_order(void **state)
{
    struct vdc_connection *connection = *state;
    void *buffer = malloc(VD_RING_RECORD_MAX);
    uint32_t seed = 1;
    uint64_t number = 0, bytes = 0;
    while (bytes < 12 * (uint64_t)VD_RING_DATA_SIZE) {
        /* Mostly small, at times as large as fits. */
        uint32_t size =
            pseudo_random(&seed) % (pseudo_random(&seed) % 16 ? 512 : VD_RING_RECORD_MAX);
        size = (size_min + size) & ~7u;
        if (size > VD_RING_RECORD_MAX || number % 64 == 0)
            size = VD_RING_RECORD_MAX;
        send_sequence(connection, buffer, size, FAKE_SEQUENCE, 0, ++number);
        bytes += size;
    }
    assert_soon(atomic_load(&fake_numbers[0]) == number);
    struct vdc_connection_stats stats;
    vdc_connection_stats(connection, &stats);
    assert_int_equal(stats.calls, number);
    assert_int_equal(stats.bytes, bytes);
    assert_int_equal(stats.round_trips, 0);
    free(buffer);
}

/* Writes a record in the ring itself; false: there is no room. */
static bool write_sequence(struct vdc_connection *connection, uint32_t size, bool now,
                           uint64_t number)
{
    uint32_t capacity;
    uint8_t *place = vdc_ring_write_begin(connection->ring, &capacity);
    if (!place)
        return false;
    assert_true(capacity >= 1024 && capacity <= VD_RING_RECORD_MAX);
    assert_true(size <= capacity);
    fake_fill(place, size, FAKE_SEQUENCE, NULL, 0, number);
    vdc_ring_write_end(connection->ring, size, now);
    return true;
}

static void records_in_place_arrive_among_copies(void **state)
{
    struct vdc_connection *connection = *state;
    uint8_t buffer[4096];
    uint32_t seed = 2;
    uint64_t number = 0;
    for (int i = 0; i < 50000; i++) {
        const uint32_t size = (size_min + pseudo_random(&seed) % 1000) & ~7u;
        if (pseudo_random(&seed) % 4 == 0 || !write_sequence(connection, size, i % 3, number + 1))
            send_sequence(connection, buffer, size, FAKE_SEQUENCE, 0, number + 1);
        number++;
    }
    send_sequence(connection, buffer, size_min, FAKE_SEQUENCE, 0, ++number);
    assert_soon(atomic_load(&fake_numbers[0]) == number);
}

static void records_wait_for_one_that_is_sent_at_once(void **state)
{
    struct vdc_connection *connection = *state;
    uint32_t capacity;
    assert_true(write_sequence(connection, size_min, false, 1));
    assert_true(write_sequence(connection, size_min, false, 2));
    usleep(20000);
    assert_int_equal(atomic_load(&fake_numbers[0]), 0);
    /* One that is given up says nothing. */
    assert_non_null(vdc_ring_write_begin(connection->ring, &capacity));
    vdc_ring_write_end(connection->ring, 0, true);
    usleep(20000);
    assert_int_equal(atomic_load(&fake_numbers[0]), 0);
    assert_true(write_sequence(connection, size_min, true, 3));
    assert_soon(atomic_load(&fake_numbers[0]) == 3);
    /* Nor do they wait for ever when there are many. */
    for (uint64_t number = 4; number <= 1000; number++)
        assert_true(write_sequence(connection, size_min, false, number));
    assert_soon(atomic_load(&fake_numbers[0]) > 500);
    uint8_t buffer[64];
    send_sequence(connection, buffer, size_min, FAKE_SEQUENCE, 0, 1001);
    assert_soon(atomic_load(&fake_numbers[0]) == 1001);
}

/* ---- Pieces */

static bool append(struct vdc_connection *connection, uint64_t thread, uint64_t number)
{
    struct vdc_ring_piece piece;
    uint8_t *to =
        vdc_ring_append_begin(connection->ring, FAKE_PIECES, thread, sizeof(number), &piece);
    if (!to)
        return false;
    memcpy(to, &number, sizeof(number));
    vdc_ring_append_end(connection->ring, &piece);
    return true;
}

static void pieces_arrive_among_records(void **state)
{
    struct vdc_connection *connection = *state;
    uint8_t buffer[1024];
    uint32_t seed = 3;
    uint64_t numbers[2] = {0}, appended = 0;
    for (int i = 0; i < 300000; i++) {
        const uint32_t which = pseudo_random(&seed) % 64;
        if (which < 2) {
            const uint32_t size = (size_min + pseudo_random(&seed) % 900) & ~7u;
            if (which || !write_sequence(connection, size, i % 3, numbers[0] + 1))
                send_sequence(connection, buffer, size, FAKE_SEQUENCE, 0, numbers[0] + 1);
            numbers[0]++;
        } else { /* now and then they belong to something else */
            const uint32_t thread = i >> 6 & 1;
            if (append(connection, thread, numbers[thread] + 1)) {
                numbers[thread]++;
                appended++;
            }
        }
    }
    assert_in_range(appended, 100000, 300000);
    send_sequence(connection, buffer, size_min, FAKE_SEQUENCE, 0, ++numbers[0]);
    assert_soon(atomic_load(&fake_numbers[0]) == numbers[0]);
    assert_soon(atomic_load(&fake_numbers[1]) == numbers[1]);
}

/* Threads that meet: each continues where the one before it stopped. */
#define MEETING 4

struct meeting {
    struct vdc_connection *connection;
    _Atomic uint32_t turn;
    uint64_t number; /* whose turn it is has it */
    uint64_t end;
};

struct guest {
    struct meeting *meeting;
    uint32_t self;
};

static void *meet(void *data)
{
    const struct guest *guest = data;
    struct meeting *meeting = guest->meeting;
    uint8_t buffer[1024];
    uint32_t seed = guest->self;
    for (bool more = true; more;) {
        while (atomic_load_explicit(&meeting->turn, memory_order_acquire) != guest->self)
            sched_yield();
        /* Long enough, at times, to append without the lock. */
        for (uint32_t i = pseudo_random(&seed) % 8; i > 0; i--) {
            const uint64_t number = meeting->number + 1;
            const uint32_t kind = pseudo_random(&seed) % 8;
            if (kind == 0)
                send_sequence(meeting->connection, buffer, size_min, FAKE_SEQUENCE, 0, number);
            else if (kind == 1 ? !write_sequence(meeting->connection, size_min, false, number)
                               : !append(meeting->connection, 0, number))
                continue;
            meeting->number = number;
        }
        more = meeting->number < meeting->end;
        const uint32_t next = more ? pseudo_random(&seed) % MEETING : (guest->self + 1) % MEETING;
        atomic_store_explicit(&meeting->turn, next, memory_order_release);
    }
    return NULL;
}

/* Appends what has an order of its own: it may come between two steps of those who meet. */
static void *append_alone(void *data)
{
    struct meeting *meeting = data;
    for (uint64_t number = 1; number <= 20000;)
        number += append(meeting->connection, 1, number);
    return NULL;
}

static void pieces_keep_the_order_of_threads_that_meet(void **state)
{
    struct meeting meeting = {.connection = *state, .end = 30000};
    struct guest guests[MEETING];
    pthread_t threads[MEETING + 1];
    for (uint32_t i = 0; i < MEETING; i++) {
        guests[i] = (struct guest){&meeting, i};
        assert_int_equal(pthread_create(&threads[i], NULL, meet, &guests[i]), 0);
    }
    assert_int_equal(pthread_create(&threads[MEETING], NULL, append_alone, &meeting), 0);
    for (uint32_t i = 0; i <= MEETING; i++)
        pthread_join(threads[i], NULL);
    uint8_t buffer[64];
    send_sequence(*state, buffer, size_min, FAKE_SEQUENCE, 0, ++meeting.number);
    assert_soon(atomic_load(&fake_numbers[0]) == meeting.number);
    assert_soon(atomic_load(&fake_numbers[1]) == 20000);
}

/* A thread that appends in steps: it has begun a piece and goes on later. */
enum order {
    WAIT,
    BEGIN,
    END,
    LEAVE
};

struct appender {
    struct vdc_connection *connection;
    pthread_t thread;
    _Atomic enum order order; /* WAIT: the last one is done */
    uint32_t head, count;     /* of the next piece: numbers that it holds */
    uint64_t number;          /* its first one */
    struct vdc_ring_piece piece;
    uint64_t *to;
};

static void *append_in_steps(void *data)
{
    struct appender *self = data;
    for (;;) {
        enum order order;
        while ((order = atomic_load(&self->order)) == WAIT)
            sched_yield();
        if (order == LEAVE)
            return NULL;
        if (order == BEGIN) {
            self->to = (uint64_t *)vdc_ring_append_begin(
                self->connection->ring, FAKE_PIECES, self->head,
                self->count * (uint32_t)sizeof(uint64_t), &self->piece);
        } else {
            for (uint32_t i = 0; i < self->count; i++)
                self->to[i] = self->number + i;
            vdc_ring_append_end(self->connection->ring, &self->piece);
        }
        atomic_store(&self->order, WAIT);
    }
}

static void let(struct appender *self, enum order order)
{
    atomic_store(&self->order, order);
    assert_soon(atomic_load(&self->order) == WAIT);
}

static void let_begin(struct appender *self, uint32_t count)
{
    self->count = count;
    let(self, BEGIN);
    assert_non_null(self->to);
}

static void let_end(struct appender *self, uint64_t number)
{
    self->number = number;
    let(self, END);
}

/* From the second piece in a row on no lock is taken. */
static void start_appender(struct appender *self, struct vdc_connection *connection, uint32_t head,
                           uint64_t number)
{
    *self = (struct appender){.connection = connection, .head = head};
    assert_int_equal(pthread_create(&self->thread, NULL, append_in_steps, self), 0);
    for (uint64_t i = 0; i < 2; i++) {
        let_begin(self, 1);
        let_end(self, number + i);
    }
    assert_non_null(self->piece.stage);
}

static void *send_one(void *data)
{
    uint8_t buffer[64];
    const uint64_t *number = ((void **)data)[1];
    send_sequence(((void **)data)[0], buffer, size_min, FAKE_SEQUENCE, 2, *number);
    return NULL;
}

/* Fills the ring of a server that does not read. Returns the last number. */
static uint64_t fill_ring(struct vdc_connection *connection)
{
    uint32_t capacity;
    uint64_t number = 0;
    for (int i = 0; i < 10; i++, usleep(10000)) { /* the server may still be copying */
        uint8_t *place;
        while ((place = vdc_ring_write_begin(connection->ring, &capacity))) {
            fake_fill(place, 1024, FAKE_SEQUENCE, NULL, 2, ++number);
            vdc_ring_write_end(connection->ring, 1024, true);
        }
    }
    return number;
}

/* `early` is appending when it loses its turn. It ends, meets `late`, and that appends: while somebody who
 * has met neither is on the way from one's stage to the other's, and waits for room there. */
static void a_piece_that_ends_late_keeps_its_place(void **state)
{
    struct vdc_connection *connection = *state;
    const uint32_t many = 512;
    struct appender early, between, late;
    start_appender(&early, connection, 0, 1);
    let_begin(&early, 1);
    start_appender(&between, connection, 1, 1);
    let_begin(&between, many);
    start_appender(&late, connection, 0, 3);
    struct vds_shm_region *region =
        vds_shm_get(fake->shm, vdc_ring_shm(connection->ring), 0, VD_RING_DATA_OFFSET);
    struct vd_ring *shared = (struct vd_ring *)region->map;

    atomic_store(&fake_closed, true);
    uint64_t number = fill_ring(connection) + 1;
    let_end(&between, 3);
    pthread_t sender;
    void *data[] = {connection, &number};
    assert_int_equal(pthread_create(&sender, NULL, send_one, data), 0);
    assert_soon(atomic_load(&shared->producer_sleeps) == 1);
    let_end(&early, 5);
    let_begin(&late, 1);
    let_end(&late, 6);
    atomic_store(&fake_closed, false);
    pthread_join(sender, NULL);

    uint8_t buffer[64];
    send_sequence(connection, buffer, size_min, FAKE_SEQUENCE, 2, number + 1);
    assert_soon(atomic_load(&fake_numbers[2]) == number + 1);
    assert_int_equal(atomic_load(&fake_numbers[0]), 6);
    assert_int_equal(atomic_load(&fake_numbers[1]), 2 + many);
    vds_shm_put(fake->shm, region);
    struct appender *all[] = {&early, &between, &late};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        atomic_store(&all[i]->order, LEAVE);
        pthread_join(all[i]->thread, NULL);
    }
}

/* Of more threads than have a place of their own, one after another and at once. */
static void *append_some(void *data)
{
    const struct guest *guest = data;
    for (int i = 0; i < 3; i++)
        while (!append(guest->meeting->connection, 0, ++guest->meeting->number))
            guest->meeting->number--;
    return NULL;
}

static void threads_come_and_go(void **state)
{
    struct meeting meeting = {.connection = *state};
    struct guest guest = {.meeting = &meeting};
    for (int i = 0; i < 300; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, append_some, &guest), 0);
        pthread_join(thread, NULL);
    }
    uint8_t buffer[64];
    send_sequence(*state, buffer, size_min, FAKE_SEQUENCE, 0, ++meeting.number);
    assert_soon(atomic_load(&fake_numbers[0]) == 901);
}

static void *send_the_last(void *data)
{
    static uint8_t buffer[VD_RING_RECORD_MAX];
    for (uint64_t number = 3; number <= 12; number++)
        send_sequence(data, buffer, sizeof(buffer), FAKE_SEQUENCE, 0, number);
    return NULL;
}

/* Who waits for room must first let the server see what takes it. */
static void what_waits_does_not_block_a_full_ring(void **state)
{
    struct vdc_connection *connection = *state;
    pthread_t thread;
    assert_true(write_sequence(connection, size_min, false, 1));
    assert_true(write_sequence(connection, 1024, false, 2));
    assert_int_equal(pthread_create(&thread, NULL, send_the_last, connection), 0);
    assert_soon(atomic_load(&fake_numbers[0]) == 12);
    pthread_join(thread, NULL);

    /* A full ring has no place to write in, and is not waited for. */
    atomic_store(&fake_closed, true);
    uint64_t number = 12;
    while (write_sequence(connection, 1024, false, number + 1))
        number++;
    assert_true(number < 12 + 2 * VD_RING_DATA_SIZE / 1024 + 1);
    atomic_store(&fake_closed, false);
    uint8_t buffer[64];
    send_sequence(connection, buffer, size_min, FAKE_SEQUENCE, 0, ++number);
    assert_soon(atomic_load(&fake_numbers[0]) == number);
}

static void *send_many(void *data)
{
    struct vdc_connection *connection = data;
    uint8_t buffer[4096];
    for (uint64_t number = 1; number <= 20000; number++)
        send_sequence(connection, buffer, 1024, FAKE_SEQUENCE, 1, number);
    return NULL;
}

static void a_full_ring_makes_the_producer_wait(void **state)
{
    struct vdc_connection *connection = *state;
    pthread_t thread;
    atomic_store(&fake_closed, true);
    assert_int_equal(pthread_create(&thread, NULL, send_many, connection), 0);

    /* The consumer has copied at most one ring, the producer filled at most another. */
    struct vdc_connection_stats stats;
    uint64_t before;
    do {
        vdc_connection_stats(connection, &stats);
        before = stats.bytes;
        usleep(50000);
        vdc_connection_stats(connection, &stats);
    } while (stats.bytes != before || before == 0);
    assert_true(stats.bytes <= 2 * VD_RING_DATA_SIZE + 1024);

    atomic_store(&fake_closed, false);
    pthread_join(thread, NULL);
    assert_soon(atomic_load(&fake_numbers[1]) == 20000);
}

struct sender {
    struct vdc_connection *connection;
    uint32_t thread;
};

static void *send_mixed(void *data)
{
    const struct sender *sender = data;
    uint8_t buffer[4096];
    uint32_t seed = sender->thread;
    for (uint64_t number = 1; number <= 3000; number++) {
        const uint32_t size = (size_min + pseudo_random(&seed) % 2000) & ~7u;
        if (pseudo_random(&seed) % 8 == 0) {
            assert_int_equal(echo(sender->connection, sender->thread, number, size + 16),
                             VK_SUCCESS);
        } else {
            send_sequence(sender->connection, buffer, size, FAKE_SEQUENCE, sender->thread, number);
        }
    }
    return NULL;
}

static void threads_keep_their_own_order(void **state)
{
    struct vdc_connection *connection = *state;
    struct sender senders[8];
    pthread_t threads[8];
    for (uint32_t i = 0; i < 8; i++) {
        senders[i] = (struct sender){connection, i};
        assert_int_equal(pthread_create(&threads[i], NULL, send_mixed, &senders[i]), 0);
    }
    for (uint32_t i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    for (uint32_t i = 0; i < 8; i++)
        assert_soon(atomic_load(&fake_numbers[i]) == 3000);
}

static void large_records_take_the_indirect_way(void **state)
{
    struct vdc_connection *connection = *state;
    const uint32_t large = VD_RING_RECORD_MAX + 8;
    uint8_t *buffer = malloc(40u << 20);
    uint64_t number = 0;
    for (int i = 0; i < 40; i++) {
        send_sequence(connection, buffer, large * (1 + (uint32_t)i % 3), FAKE_SEQUENCE, 0,
                      ++number);
        send_sequence(connection, buffer, size_min, FAKE_SEQUENCE, 0, ++number);
    }
    send_sequence(connection, buffer, 40u << 20, FAKE_SEQUENCE, 0, ++number);
    assert_soon(atomic_load(&fake_numbers[0]) == number);
    free(buffer);
}

static void consumed_follows_the_ring(void **state)
{
    struct vdc_connection *connection = *state;
    uint8_t buffer[64];
    uint64_t first = 0, second = 0;
    fake_fill(buffer, 64, FAKE_SEQUENCE, NULL, 0, 1);
    assert_int_equal(vdc_ring_send(connection->ring, buffer, &first), VK_SUCCESS);
    fake_fill(buffer, 64, FAKE_SEQUENCE, NULL, 0, 2);
    assert_int_equal(vdc_ring_send(connection->ring, buffer, &second), VK_SUCCESS);
    assert_int_equal(second, first + 64);
    assert_soon(vdc_ring_consumed(connection->ring) == second);
}

static void no_memory_for_a_large_record(void **state)
{
    struct vdc_connection *connection = *state;
    struct vdc_reply_space space;
    void *buffer = malloc(VD_RING_RECORD_MAX + 8);
    no_memory = true;
    fake_fill(buffer, VD_RING_RECORD_MAX + 8, FAKE_SEQUENCE, NULL, 0, 1);
    assert_int_equal(vdc_ring_send(connection->ring, buffer, NULL), VK_ERROR_OUT_OF_HOST_MEMORY);
    assert_int_equal(vdc_reply_begin(connection->replies, 1, &space), VK_ERROR_OUT_OF_HOST_MEMORY);
    assert_int_equal(vdc_reply_begin(connection->replies, 1 << 20, &space),
                     VK_ERROR_OUT_OF_HOST_MEMORY);
    no_memory = false;
    assert_int_equal(echo(connection, 0, 1, 64), VK_SUCCESS);
    free(buffer);
}

/* ---- Replies */

static void replies_come_back(void **state)
{
    struct vdc_connection *connection = *state;
    static const uint32_t sizes[] = {40, 4072, 4080, 4088, 65536, 300000, 3u << 20, 4096};
    uint64_t number = 0;
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
            assert_int_equal(echo(connection, 0, ++number, sizes[i]), VK_SUCCESS);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(echo(connection, 0, ++number, 64), VK_SUCCESS);
    struct vdc_connection_stats stats;
    vdc_connection_stats(connection, &stats);
    assert_int_equal(stats.round_trips, number);
}

static void *open_later(void *data)
{
    (void)data;
    usleep(100000);
    atomic_store(&fake_closed, false);
    return NULL;
}

static void a_sleeping_waiter_is_woken(void **state)
{
    struct vdc_connection *connection = *state;
    struct vdc_reply_space space;
    uint8_t record[64];
    pthread_t opener;
    assert_int_equal(vdc_reply_begin(connection->replies, 64, &space), VK_SUCCESS);
    const struct vd_reply_request request = {space.shm, space.offset, 64, 0};
    fake_fill(record, sizeof(record), FAKE_ECHO, &request, 0, 1);
    atomic_store(&fake_closed, true);
    assert_int_equal(vdc_ring_send(connection->ring, record, NULL), VK_SUCCESS);
    assert_int_equal(pthread_create(&opener, NULL, open_later, NULL), 0);
    assert_int_equal(vdc_reply_wait(connection->replies, &space), VK_SUCCESS);
    vdc_reply_end(connection->replies, &space);
    pthread_join(opener, NULL);
}

static void many_replies_at_once(void **state)
{
    enum {
        COUNT = 300
    };
    struct vdc_connection *connection = *state;
    static struct vdc_reply_space spaces[COUNT];
    uint8_t record[64];
    for (int i = 0; i < COUNT; i++) {
        const uint64_t size = i % 50 == 0 ? 10000 : 64;
        assert_int_equal(vdc_reply_begin(connection->replies, size, &spaces[i]), VK_SUCCESS);
        const struct vd_reply_request request = {spaces[i].shm, spaces[i].offset, 64, 0};
        fake_fill(record, sizeof(record), FAKE_ECHO, &request, 0, (uint64_t)i + 1);
        assert_int_equal(vdc_ring_send(connection->ring, record, NULL), VK_SUCCESS);
    }
    for (int i = COUNT; i-- > 0;) {
        assert_int_equal(vdc_reply_wait(connection->replies, &spaces[i]), VK_SUCCESS);
        assert_int_equal(spaces[i].reply->value, i + 1);
    }
    for (int i = 0; i < COUNT; i++)
        vdc_reply_end(connection->replies, &spaces[i]);
}

/* ---- Queues */

static void queues_are_waited_for(void **state)
{
    struct vdc_connection *connection = *state;
    uint8_t record[64];
    for (uint64_t number = 1; number <= 2000; number++) {
        send_sequence(connection, record, 64, FAKE_COMPLETE, 0, number);
        if (number % 3) {
            assert_int_equal(
                vdc_wait_point(connection->waiter, (struct vdc_point){0, number}, UINT64_MAX),
                VK_SUCCESS);
        }
    }
    assert_int_equal(vdc_wait_point(connection->waiter, (struct vdc_point){0, 2000}, UINT64_MAX),
                     VK_SUCCESS);
    assert_int_equal(vdc_wait_point(connection->waiter, (struct vdc_point){0, 1}, 0), VK_SUCCESS);
    assert_int_equal(vdc_wait_point(connection->waiter, (struct vdc_point){0, 2001}, 0),
                     VK_TIMEOUT);
    const uint64_t before = vd_clock_ms();
    assert_int_equal(vdc_wait_point(connection->waiter, (struct vdc_point){0, 2001}, 50000000),
                     VK_TIMEOUT);
    assert_true(vd_clock_ms() - before >= 49);
    assert_int_equal(vdc_wait_point(connection->waiter, (struct vdc_point){1, 0}, 0), VK_SUCCESS);
    assert_int_equal(connection->link.completion->waiters, 0);
}

static void *wait_for_queue(void *data)
{
    struct vdc_connection *connection = data;
    for (uint64_t number = 1; number <= 1000; number++) {
        assert_int_equal(
            vdc_wait_point(connection->waiter, (struct vdc_point){0, number}, UINT64_MAX),
            VK_SUCCESS);
    }
    return NULL;
}

static void threads_wait_for_one_queue(void **state)
{
    struct vdc_connection *connection = *state;
    pthread_t threads[4];
    uint8_t record[64];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_queue, connection), 0);
    for (uint64_t number = 1; number <= 1000; number++) {
        send_sequence(connection, record, 64, FAKE_COMPLETE, 0, number);
        if (number % 10 == 0)
            usleep(100);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

/* ---- Loss */

static void *wait_for_reply(void *data)
{
    struct vdc_connection *connection = data;
    return (void *)(intptr_t)echo(connection, 0, 1, 64);
}

static void *wait_for_large_reply(void *data)
{
    struct vdc_connection *connection = data;
    return (void *)(intptr_t)echo(connection, 1, 1, 100000);
}

static void *wait_for_ever(void *data)
{
    struct vdc_connection *connection = data;
    return (void *)(intptr_t)vdc_wait_point(connection->waiter, (struct vdc_point){7, 1},
                                            UINT64_MAX);
}

static void *wait_for_long(void *data)
{
    struct vdc_connection *connection = data;
    return (void *)(intptr_t)vdc_wait_point(connection->waiter, (struct vdc_point){8, 1},
                                            UINT64_C(60000000000));
}

static void *send_until_lost(void *data)
{
    struct vdc_connection *connection = data;
    uint8_t buffer[4096];
    VkResult result;
    uint64_t number = 0;
    do {
        fake_fill(buffer, sizeof(buffer), FAKE_SEQUENCE, NULL, 2, ++number);
        result = vdc_ring_send(connection->ring, buffer, NULL);
    } while (result == VK_SUCCESS);
    return (void *)(intptr_t)result;
}

static void every_waiter_learns_of_a_dead_server(void **state)
{
    struct vdc_connection *connection = *state;
    void *(*const waiters[])(void *) = {
        wait_for_reply, wait_for_reply,  wait_for_large_reply, wait_for_ever,
        wait_for_ever,  send_until_lost, send_until_lost,      wait_for_long,
    };
    enum {
        COUNT = sizeof(waiters) / sizeof(waiters[0])
    };
    pthread_t threads[COUNT];
    assert_false(vdc_connection_lost(connection));
    atomic_store(&fake_closed, true);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, waiters[i], connection), 0);
    usleep(100000);
    const uint64_t before = vd_clock_ms();
    kill_server();
    for (int i = 0; i < COUNT; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_int_equal((VkResult)(intptr_t)result, VK_ERROR_DEVICE_LOST);
    }
    assert_true(vd_clock_ms() - before < 1000);

    struct vdc_reply_space space;
    struct vdc_shm shm;
    uint8_t record[64];
    fake_fill(record, sizeof(record), FAKE_SEQUENCE, NULL, 0, 1);
    assert_true(vdc_connection_lost(connection));
    assert_int_equal(vdc_ring_send(connection->ring, record, NULL), VK_ERROR_DEVICE_LOST);
    assert_int_equal(vdc_reply_begin(connection->replies, 8, &space), VK_ERROR_DEVICE_LOST);
    assert_int_equal(vdc_link_shm_create(&connection->link, 8, &shm), VK_ERROR_DEVICE_LOST);
    assert_int_equal(vdc_wait_point(connection->waiter, (struct vdc_point){0, 1}, 0),
                     VK_ERROR_DEVICE_LOST);
    assert_int_equal(vdc_wait_point(connection->waiter, (struct vdc_point){0, 0}, 0), VK_SUCCESS);
}

static void *round_trips_until_lost(void *data)
{
    const struct sender *sender = data;
    VkResult result;
    uint64_t number = 0;
    do {
        number++;
        result = echo(sender->connection, sender->thread, number, number % 2 ? 64 : 5000);
    } while (result == VK_SUCCESS);
    return (void *)(intptr_t)result;
}

/* The server dies at any moment of a busy client's life. */
static void loss_races_with_everything(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 30; round++) {
        void *own = NULL;
        struct sender senders[4];
        pthread_t threads[4];
        assert_int_equal(set_up(&own), 0);
        for (uint32_t i = 0; i < 4; i++) {
            senders[i] = (struct sender){own, i};
            assert_int_equal(pthread_create(&threads[i], NULL, round_trips_until_lost, &senders[i]),
                             0);
        }
        usleep(round * 100);
        atomic_store(&fake_closed, round % 2);
        kill_server();
        for (int i = 0; i < 4; i++) {
            void *result;
            pthread_join(threads[i], &result);
            assert_int_equal((VkResult)(intptr_t)result, VK_ERROR_DEVICE_LOST);
        }
        tear_down(&own);
    }
}

static void a_fork_does_not_touch_its_parents_connection(void **state)
{
    struct vdc_connection *connection = *state;
    assert_int_equal(echo(connection, 0, 1, 64), VK_SUCCESS);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct vdc_reply_space space;
        uint8_t record[64];
        fake_fill(record, sizeof(record), FAKE_SEQUENCE, NULL, 0, 2);
        const bool right =
            vdc_connection_lost(connection) &&
            vdc_ring_send(connection->ring, record, NULL) == VK_ERROR_DEVICE_LOST &&
            vdc_reply_begin(connection->replies, 8, &space) == VK_ERROR_DEVICE_LOST &&
            vdc_wait_point(connection->waiter, (struct vdc_point){0, 99}, UINT64_MAX) ==
                VK_ERROR_DEVICE_LOST;
        _exit(right ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_false(vdc_connection_lost(connection));
    assert_int_equal(echo(connection, 0, 2, 64), VK_SUCCESS);
}

/* ---- Idleness */

static uint64_t thread_cpu_ns(pthread_t thread)
{
    clockid_t clock;
    struct timespec time;
    assert_int_equal(pthread_getcpuclockid(thread, &clock), 0);
    assert_int_equal(clock_gettime(clock, &time), 0);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void an_idle_consumer_sleeps(void **state)
{
    struct vdc_connection *connection = *state;
    assert_int_equal(echo(connection, 0, 1, 64), VK_SUCCESS);
    usleep(50000);
    const uint64_t before = thread_cpu_ns(fake->engine);
    usleep(200000);
    assert_int_equal(thread_cpu_ns(fake->engine), before);
    assert_int_equal(echo(connection, 0, 2, 64), VK_SUCCESS);
}

/* ---- What a client may do wrong. The client's end is bypassed: these write to the ring. */

struct hostile {
    struct vds_shm_table *shm;
    struct vds_context *context;
    struct vds_ring_consumer *consumer;
    struct vd_ring *ring;
    uint8_t *data;
    uint32_t ring_shm;
};

static void hostile_init(struct hostile *hostile)
{
    const struct vds_context_options options = {0};
    int fd = -1;
    hostile->shm = vds_shm_table_create();
    hostile->context = vds_context_create(&options, hostile->shm);
    hostile->ring_shm = vds_shm_add(hostile->shm, VD_RING_DATA_OFFSET + VD_RING_DATA_SIZE, &fd);
    assert_int_not_equal(hostile->ring_shm, 0);
    close(fd);
    struct vds_shm_region *region = vds_shm_get(hostile->shm, hostile->ring_shm, 0, 4096);
    hostile->ring = (struct vd_ring *)region->map;
    hostile->data = region->map + VD_RING_DATA_OFFSET;
    vds_shm_put(hostile->shm, region);
    hostile->consumer = vds_ring_consumer_create(hostile->shm, hostile->ring_shm);
    assert_non_null(hostile->consumer);
}

static void hostile_finish(struct hostile *hostile)
{
    vds_ring_consumer_destroy(hostile->consumer);
    vds_context_destroy(hostile->context);
    vds_shm_table_destroy(hostile->shm);
}

/* Is a ring with these bytes at its start, and this tail, refused? */
static void assert_refused(const void *bytes, size_t size, uint64_t tail)
{
    struct hostile hostile;
    hostile_init(&hostile);
    memcpy(hostile.data, bytes, size);
    atomic_store(&hostile.ring->tail, tail);
    assert_false(vds_ring_consumer_run(hostile.consumer, hostile.context));
    hostile_finish(&hostile);
}

static void malformed_rings_are_refused(void **state)
{
    (void)state;
    struct {
        struct vd_record record;
        struct vd_indirect indirect;
    } indirect;
    uint8_t good[64];
    vds_log_set_level(VDS_LOG_ERROR);
    fake_fill(good, sizeof(good), FAKE_SEQUENCE, NULL, 0, 1);

    static const uint64_t tails[] = {
        4, 1, 7, 63, 8, 56, VD_RING_DATA_SIZE + 8, UINT64_MAX, UINT64_MAX - 7, UINT64_C(1) << 63,
    };
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
        assert_refused(good, sizeof(good), tails[i]);
    static const uint32_t sizes[] = {0,  1,  4,  7,    9,          12,
                                     65, 72, 60, 1024, UINT32_MAX, UINT32_MAX - 7};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct vd_record record = {.size = sizes[i], .opcode = FAKE_SEQUENCE};
        assert_refused(&record, sizeof(record), 64);
        record.opcode = VD_OP_NOP;
        assert_refused(&record, sizeof(record), 64);
    }
    const struct vd_record setup = {.size = 64, .opcode = VD_OP_SETUP};
    assert_refused(&setup, sizeof(setup), 64);
    const struct vd_record bad = {.size = 64, .opcode = FAKE_BAD};
    assert_refused(&bad, sizeof(bad), 64);

    static const struct vd_indirect indirects[] = {
        {.shm = 0, .size = 64},
        {.shm = 2, .size = 64},
        {.shm = UINT32_MAX, .size = 64},
        {.shm = 1, .size = 0},
        {.shm = 1, .size = 4},
        {.shm = 1, .size = 12},
        {.shm = 1, .size = 64, .offset = 4},
        {.shm = 1, .size = 64, .offset = UINT64_MAX - 7},
        {.shm = 1, .size = 64, .offset = VD_RING_DATA_OFFSET + VD_RING_DATA_SIZE - 56},
        {.shm = 1, .size = UINT32_MAX - 7},
        {.shm = 1, .size = VD_RECORD_MAX},
        {.shm = 1, .size = 24, .offset = VD_RING_DATA_OFFSET},     /* itself */
        {.shm = 1, .size = 64, .offset = VD_RING_DATA_OFFSET},     /* another size than within */
        {.shm = 1, .size = 64, .offset = VD_RING_DATA_OFFSET * 2}, /* zeroes */
    };
    for (size_t i = 0; i < sizeof(indirects) / sizeof(indirects[0]); i++) {
        indirect.record = (struct vd_record){.size = sizeof(indirect), .opcode = VD_OP_INDIRECT};
        indirect.indirect = indirects[i];
        assert_refused(&indirect, sizeof(indirect), sizeof(indirect));
    }
    indirect.indirect = (struct vd_indirect){.shm = 1, .size = 64};
    indirect.record.size = 16;
    assert_refused(&indirect, sizeof(indirect), 16);
    indirect.record.size = 24;
    indirect.record.flags = VD_RECORD_REPLY;
    assert_refused(&indirect, sizeof(indirect), 24);
}

static void *stop_later(void *data)
{
    usleep(50000);
    vds_ring_consumer_stop(data);
    return NULL;
}

static void padding_is_skipped_and_stop_stops(void **state)
{
    (void)state;
    struct hostile hostile;
    hostile_init(&hostile);
    const struct vd_record nop = {.size = 24, .opcode = VD_OP_NOP};
    memcpy(hostile.data, &nop, sizeof(nop));
    fake_fill(hostile.data + 24, 64, FAKE_SEQUENCE, NULL, 3, 1);
    memcpy(hostile.data + 88, &nop, sizeof(nop));
    memcpy(hostile.data + 112, &nop, sizeof(nop));
    fake_fill(hostile.data + 136, 64, FAKE_SEQUENCE, NULL, 3, 2);
    memcpy(hostile.data + 200, &nop, sizeof(nop));
    atomic_store(&hostile.ring->tail, 224);
    pthread_t stopper;
    assert_int_equal(pthread_create(&stopper, NULL, stop_later, hostile.consumer), 0);
    assert_true(vds_ring_consumer_run(hostile.consumer, hostile.context));
    pthread_join(stopper, NULL);
    assert_int_equal(atomic_load(&hostile.ring->head), 224);
    assert_int_equal(atomic_load(&fake_numbers[3]), 2);
    hostile_finish(&hostile);
}

static void a_ring_needs_its_space(void **state)
{
    (void)state;
    vds_log_set_level(VDS_LOG_ERROR);
    struct vds_shm_table *shm = vds_shm_table_create();
    int fd = -1;
    const uint32_t id = vds_shm_add(shm, VD_RING_DATA_SIZE, &fd);
    close(fd);
    assert_null(vds_ring_consumer_create(shm, id));
    assert_null(vds_ring_consumer_create(shm, 0));
    assert_null(vds_ring_consumer_create(shm, id + 1));
    vds_shm_table_destroy(shm);
}

/* Random bytes, as a whole ring and behind a valid record, must be refused, and nothing else. */
static void noise_is_survived(void **state)
{
    (void)state;
    uint32_t seed = 7;
    vds_log_set_level(VDS_LOG_ERROR);
    for (int round = 0; round < 300; round++) {
        struct hostile hostile;
        hostile_init(&hostile);
        const uint32_t size = 8 * (1 + pseudo_random(&seed) % 64);
        for (uint32_t i = 0; i < size; i++)
            hostile.data[i] = (uint8_t)pseudo_random(&seed);
        for (uint32_t at = 0; at < size;) { /* sizes that make sense, to get further */
            struct vd_record record = {
                .size = 8 * (1 + pseudo_random(&seed) % 8),
                .opcode = (uint16_t)(pseudo_random(&seed) % 5),
                .flags = (uint16_t)(pseudo_random(&seed) % 4 ? 0 : pseudo_random(&seed)),
            };
            if (at + record.size > size && pseudo_random(&seed) % 2)
                record.size = size - at;
            memcpy(hostile.data + at, &record, sizeof(record));
            at += record.size;
        }
        /* Whatever comes through runs into this. */
        fake_fill(hostile.data + size, 64, FAKE_BAD, NULL, 0, 1);
        atomic_store(&hostile.ring->tail, size + 64);
        assert_false(vds_ring_consumer_run(hostile.consumer, hostile.context));
        hostile_finish(&hostile);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_of_all_sizes_arrive_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(records_in_place_arrive_among_copies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(records_wait_for_one_that_is_sent_at_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(pieces_arrive_among_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pieces_keep_the_order_of_threads_that_meet, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_piece_that_ends_late_keeps_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_come_and_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waits_does_not_block_a_full_ring, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_ring_makes_the_producer_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_keep_their_own_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_records_take_the_indirect_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(consumed_follows_the_ring, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_memory_for_a_large_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(replies_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sleeping_waiter_is_woken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_replies_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(queues_are_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_wait_for_one_queue, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_waiter_learns_of_a_dead_server, set_up, tear_down),
        cmocka_unit_test(loss_races_with_everything),
        cmocka_unit_test_setup_teardown(a_fork_does_not_touch_its_parents_connection, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_idle_consumer_sleeps, set_up, tear_down),
        cmocka_unit_test(malformed_rings_are_refused),
        cmocka_unit_test(padding_is_skipped_and_stop_stops),
        cmocka_unit_test(a_ring_needs_its_space),
        cmocka_unit_test(noise_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
