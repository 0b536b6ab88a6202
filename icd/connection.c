/* SPDX-License-Identifier: MIT
 *
 * What a waiter may sleep on is always one of: the state of a reply, the completion page's event, be
 * it beside words of others, the ring's producer_sleeps. The watcher knows them all. It first sets
 * completion->lost and then changes each of these words and wakes its sleepers; a waiter first looks
 * at the word and at lost, and then sleeps only while the word has not changed. So nobody can miss
 * the server's death.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/spin.h"
#include "common/trace.h"
#include "protocol/ring.h"

#include "connection.h"
#include "log.h"
#include "opcodes.h"

#define SLOT_SIZE       4096u
#define SLOTS_PER_BLOCK 64u
#define SLOT_CAPACITY   (SLOT_SIZE - (uint32_t)sizeof(struct vd_reply))

/* What may wait in the ring for the next record that is sent at once. Sending costs both sides a
 * cache line that they share, and the server starts on a batch no later than it would finish it. */
#define UNPUBLISHED_MAX 8192u
/* Room for a record that is written in place; it becomes a copy when it needs more. */
#define IN_PLACE_MIN 1024u

/* Large buffers that are kept for the next use. */
#define IDLE_BUFFERS 4
#define IDLE_BYTES   (UINT64_C(32) << 20)

#define WATCHER_STACK (64u << 10)

/* Words of others that are slept on at once, beside one of our own; see vd_transport_ops.wait_any. */
#define WORDS_MAX 127

/* Spinning pays as long as the answer tends to come before a sleeper would be awake again. */
#define SPIN_MAX_NS 25000u
#define SPIN_MIN_NS 1000u

/* How long one kind of wait spins: longer after success, shorter after failure. */
struct spinner {
    _Atomic uint32_t budget_ns; /* 0: a single processor, where spinning only keeps others away */
};

/* A record that is too large for the ring, until the server has copied it. */
struct large_record {
    struct large_record *next;
    struct vd_shm shm;
    uint64_t position; /* in the ring, behind the record that names it */
};

struct vd_connection {
    struct vd_transport *transport;
    struct vd_shm ring_shm;
    struct vd_shm completion_shm;
    struct vd_ring *ring;
    uint8_t *data;
    struct vd_completion *completion;

    /* 1, and 0 in a forked child, where the kernel wipes the page; NULL where it does not know how
     * to, and the process id has to do. */
    _Atomic uint32_t *owned;
    pid_t owner;

    pthread_mutex_t send_lock;
    uint64_t tail;      /* what the ring's tail is, or is about to be */
    uint64_t published; /* what it is */
    uint64_t last;      /* where the last record written in place begins */
    uint64_t head;      /* the ring's head when it was last looked at */
    uint32_t padding;   /* of the record that is being written in place */
    _Atomic uint64_t calls;
    _Atomic uint64_t bytes;
    _Atomic uint64_t round_trips, waits, wait_ns;

    /* Also around what the watcher changes, see reply_begin. */
    pthread_mutex_t reply_lock;
    struct vd_shm *blocks; /* of SLOTS_PER_BLOCK slots each */
    uint32_t block_count;
    uint32_t *free_slots; /* a stack, so that warm slots are used again first */
    uint32_t free_count;
    struct vd_reply **large_replies; /* large_capacity entries, NULL: free */
    uint32_t large_capacity;

    pthread_mutex_t buffer_lock;
    struct vd_shm idle[IDLE_BUFFERS];
    uint32_t idle_count;
    uint64_t idle_bytes;
    struct large_record *large_records; /* not yet copied by the server, newest first */

    pthread_mutex_t promise_lock;
    struct vd_promise *promises;
    uint64_t signaler; /* our name in them */

    struct spinner reply_spinner;
    struct spinner queue_spinner;

    pthread_t watcher;
    bool watcher_started;
    int stop_fd; /* eventfd */
};

/* ---- Forks and loss */

static bool forked(const struct vd_connection *connection)
{
    if (connection->owned) {
        return atomic_load_explicit(connection->owned, memory_order_relaxed) == 0;
    }
    return getpid() != connection->owner;
}

bool vd_connection_lost(struct vd_connection *connection)
{
    return atomic_load_explicit(&connection->completion->lost, memory_order_acquire) != 0 ||
           forked(connection);
}

static void mark_owned(struct vd_connection *connection)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    connection->owner = getpid();
    void *map = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        return;
    }
    if (madvise(map, page, MADV_WIPEONFORK) < 0) {
        munmap(map, page);
        return;
    }
    connection->owned = map;
    atomic_store_explicit(connection->owned, 1, memory_order_relaxed);
}

static void forget_owned(struct vd_connection *connection)
{
    if (connection->owned) {
        munmap(connection->owned, (size_t)sysconf(_SC_PAGESIZE));
    }
}

static _Atomic uint32_t *reply_state(struct vd_reply *reply)
{
    static_assert(sizeof(_Atomic uint32_t) == sizeof(reply->state), "a futex word");
    return (_Atomic uint32_t *)&reply->state;
}

static void lose_reply(struct vd_connection *connection, struct vd_reply *reply)
{
    _Atomic uint32_t *state = reply_state(reply);
    uint32_t seen = atomic_load(state);
    while (seen == VD_REPLY_PENDING || seen == VD_REPLY_WAITING) {
        if (atomic_compare_exchange_weak(state, &seen, VD_REPLY_LOST)) {
            connection->transport->ops->wake(connection->transport, state);
            return;
        }
    }
}

/* What others wait for and will not come any more. */
static void break_promises(struct vd_connection *connection)
{
    struct vd_transport *transport = connection->transport;
    /* Under the lock: a promise that is made later finds the connection lost before it is sent. */
    pthread_mutex_lock(&connection->promise_lock);
    for (struct vd_promise *promise = connection->promises; promise; promise = promise->next) {
        struct vd_fence_file *file = promise->file;
        if (atomic_load(&file->signaler) == connection->signaler && vd_fence_mark(&file->state)) {
            transport->ops->wake(transport, &file->state);
        }
    }
    pthread_mutex_unlock(&connection->promise_lock);
}

/* The server is gone: nobody may wait for it any longer. */
static void lose(struct vd_connection *connection)
{
    struct vd_transport *transport = connection->transport;
    atomic_store(&connection->completion->lost, 1);

    /* Under the lock: a reply that begins later sees lost. */
    pthread_mutex_lock(&connection->reply_lock);
    for (uint32_t i = 0; i < connection->block_count; i++) {
        for (uint32_t j = 0; j < SLOTS_PER_BLOCK; j++) {
            uint8_t *slot = (uint8_t *)connection->blocks[i].map + j * SLOT_SIZE;
            lose_reply(connection, (struct vd_reply *)slot);
        }
    }
    for (uint32_t i = 0; i < connection->large_capacity; i++) {
        if (connection->large_replies[i]) {
            lose_reply(connection, connection->large_replies[i]);
        }
    }
    pthread_mutex_unlock(&connection->reply_lock);

    vd_completion_changed(connection->completion);
    transport->ops->wake(transport, &connection->completion->event);
    atomic_store(&connection->ring->producer_sleeps, 0);
    transport->ops->wake(transport, &connection->ring->producer_sleeps);
    break_promises(connection);
}

static void *watch(void *data)
{
    struct vd_connection *connection = data;
    struct vd_transport *transport = connection->transport;
    if (transport->ops->watch(transport, &connection->completion->lost, connection->stop_fd)) {
        lose(connection);
        vdc_log("the server is gone");
    }
    return NULL;
}

static bool start_watcher(struct vd_connection *connection)
{
    pthread_attr_t attributes;
    sigset_t all, before;

    connection->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (connection->stop_fd < 0) {
        return false;
    }
    /* The application's signals are for the application's threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, WATCHER_STACK);
    int error = pthread_create(&connection->watcher, &attributes, watch, connection);
    if (error == EINVAL) { /* the program has more thread-local data than this */
        error = pthread_create(&connection->watcher, NULL, watch, connection);
    }
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) {
        return false;
    }
    pthread_setname_np(connection->watcher, "viaduct-watch");
    connection->watcher_started = true;
    return true;
}

/* ---- Creation and destruction */

static VkResult submit_setup(struct vd_connection *connection)
{
    const struct {
        struct vd_record record;
        struct vd_setup setup;
    } command = {
        .record = {.size = sizeof(command), .opcode = VD_OP_SETUP},
        .setup =
            {
                .protocol_version = VD_PROTOCOL_VERSION,
                .ring_shm = connection->ring_shm.id,
                .completion_shm = connection->completion_shm.id,
            },
    };
    return connection->transport->ops->submit(connection->transport, &command, sizeof(command));
}

VkResult vd_connection_create(struct vd_connection **out)
{
    /* Set by viaduct-server: its driver must be another one. */
    if (getenv("VIADUCT_IN_SERVER")) {
        vdc_log("not used inside of viaduct-server");
        return VK_ERROR_INCOMPATIBLE_DRIVER;
    }
    struct vd_connection *connection = calloc(1, sizeof(*connection));
    if (!connection) {
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    connection->ring_shm.fd = -1;
    connection->completion_shm.fd = -1;
    connection->stop_fd = -1;
    const uint32_t spin = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? SPIN_MAX_NS : 0;
    connection->reply_spinner.budget_ns = spin;
    connection->queue_spinner.budget_ns = spin;
    pthread_mutex_init(&connection->send_lock, NULL);
    pthread_mutex_init(&connection->reply_lock, NULL);
    pthread_mutex_init(&connection->buffer_lock, NULL);
    pthread_mutex_init(&connection->promise_lock, NULL);
    connection->signaler = vd_clock_ns(); /* better than nothing */
    (void)!getrandom(&connection->signaler, sizeof(connection->signaler), 0);
    mark_owned(connection);

    VkResult result = vd_transport_connect(&connection->transport);
    if (result != VK_SUCCESS) {
        goto fail;
    }
    const struct vd_transport_ops *ops = connection->transport->ops;
    result = ops->shm_create(connection->transport, VD_RING_DATA_OFFSET + VD_RING_DATA_SIZE,
                             &connection->ring_shm);
    if (result != VK_SUCCESS) {
        goto fail;
    }
    result = ops->shm_create(connection->transport, sizeof(struct vd_completion),
                             &connection->completion_shm);
    if (result != VK_SUCCESS) {
        goto fail;
    }
    connection->ring = connection->ring_shm.map;
    connection->data = (uint8_t *)connection->ring_shm.map + VD_RING_DATA_OFFSET;
    connection->completion = connection->completion_shm.map;
    result = submit_setup(connection);
    if (result != VK_SUCCESS) {
        goto fail;
    }
    if (!start_watcher(connection)) {
        result = VK_ERROR_OUT_OF_HOST_MEMORY;
        goto fail;
    }
    *out = connection;
    return VK_SUCCESS;

fail:
    if (result == VK_ERROR_DEVICE_LOST || result == VK_ERROR_OUT_OF_DEVICE_MEMORY) {
        vdc_log("the server did not set up a context");
        result = VK_ERROR_INCOMPATIBLE_DRIVER;
    }
    vd_connection_destroy(connection);
    return result;
}

/* A child may give back what it inherited, but the socket's other end belongs to its parent. */
static void shm_release(struct vd_connection *connection, struct vd_shm *shm)
{
    if (shm->id == 0) {
        return;
    }
    if (!forked(connection)) {
        connection->transport->ops->shm_destroy(connection->transport, shm);
    } else {
        munmap(shm->map, shm->size);
        if (shm->fd >= 0) {
            close(shm->fd);
        }
    }
    *shm = (struct vd_shm){.fd = -1};
}

static void stop_watcher(struct vd_connection *connection)
{
    if (connection->watcher_started && !forked(connection)) {
        eventfd_write(connection->stop_fd, 1);
        pthread_join(connection->watcher, NULL);
    }
    if (connection->stop_fd >= 0) {
        close(connection->stop_fd);
    }
}

void vd_connection_destroy(struct vd_connection *connection)
{
    if (!connection) {
        return;
    }
    stop_watcher(connection);
    while (connection->large_records) {
        struct large_record *record = connection->large_records;
        connection->large_records = record->next;
        shm_release(connection, &record->shm);
        free(record);
    }
    for (uint32_t i = 0; i < connection->idle_count; i++) {
        shm_release(connection, &connection->idle[i]);
    }
    for (uint32_t i = 0; i < connection->block_count; i++) {
        shm_release(connection, &connection->blocks[i]);
    }
    shm_release(connection, &connection->completion_shm);
    shm_release(connection, &connection->ring_shm);
    free(connection->blocks);
    free(connection->free_slots);
    free(connection->large_replies);
    if (connection->transport) {
        connection->transport->ops->destroy(connection->transport);
    }
    /* In a child they may be locked by threads that it does not have. */
    if (!forked(connection)) {
        pthread_mutex_destroy(&connection->send_lock);
        pthread_mutex_destroy(&connection->reply_lock);
        pthread_mutex_destroy(&connection->buffer_lock);
        pthread_mutex_destroy(&connection->promise_lock);
    }
    forget_owned(connection);
    free(connection);
}

const struct vd_capset *vd_connection_capset(const struct vd_connection *connection)
{
    return &connection->transport->capset;
}

bool vd_connection_same_kernel(const struct vd_connection *connection)
{
    return connection->transport->ops->same_kernel;
}

struct vd_completion *vd_connection_completion(struct vd_connection *connection)
{
    return connection->completion;
}

/* ---- Spinning */

/* True as soon as ready(data); false when it took too long and sleeping is better. */
static bool spin(struct spinner *spinner, bool (*ready)(const void *data), const void *data)
{
    if (ready(data)) {
        return true;
    }
    const uint32_t budget = atomic_load_explicit(&spinner->budget_ns, memory_order_relaxed);
    if (budget == 0) {
        return false;
    }
    const uint64_t until = vd_clock_ns() + budget;
    bool found;
    unsigned looks = 1;
    do {
        vd_spin_pause(looks++);
        found = ready(data);
    } while (!found && vd_clock_ns() < until);

    uint32_t next = found ? budget + budget / 2 : budget - budget / 4;
    next = next > SPIN_MAX_NS ? SPIN_MAX_NS : next < SPIN_MIN_NS ? SPIN_MIN_NS : next;
    if (next != budget) {
        atomic_store_explicit(&spinner->budget_ns, next, memory_order_relaxed);
    }
    return found;
}

/* ---- Large buffers: shared memory that is used once, and kept for a while */

static VkResult buffer_take(struct vd_connection *connection, uint64_t size, struct vd_shm *shm)
{
    pthread_mutex_lock(&connection->buffer_lock);
    for (uint32_t i = 0; i < connection->idle_count; i++) {
        if (connection->idle[i].size >= size) {
            *shm = connection->idle[i];
            connection->idle[i] = connection->idle[--connection->idle_count];
            connection->idle_bytes -= shm->size;
            pthread_mutex_unlock(&connection->buffer_lock);
            return VK_SUCCESS;
        }
    }
    pthread_mutex_unlock(&connection->buffer_lock);
    return connection->transport->ops->shm_create(connection->transport, size, shm);
}

static void buffer_give(struct vd_connection *connection, struct vd_shm *shm)
{
    pthread_mutex_lock(&connection->buffer_lock);
    const bool keep =
        connection->idle_count < IDLE_BUFFERS && shm->size <= IDLE_BYTES - connection->idle_bytes;
    if (keep) {
        connection->idle[connection->idle_count++] = *shm;
        connection->idle_bytes += shm->size;
    }
    pthread_mutex_unlock(&connection->buffer_lock);
    if (!keep) {
        shm_release(connection, shm);
    }
    *shm = (struct vd_shm){.fd = -1};
}

/* ---- Sending */

VkResult vd_connection_post(struct vd_connection *connection, const struct vd_record *record)
{
    uint32_t capacity;
    uint8_t *at = vd_connection_write_begin(connection, &capacity);
    if (!at)
        return vd_connection_send(connection, record, NULL);
    memcpy(at, record, record->size);
    vd_connection_write_end(connection, record->size, false);
    return VK_SUCCESS;
}

uint64_t vd_connection_consumed(struct vd_connection *connection)
{
    /* acquire: what was below it may be overwritten, it has been read. */
    return atomic_load_explicit(&connection->ring->head, memory_order_acquire);
}

static bool has_space(struct vd_connection *connection, uint32_t size)
{
    if (VD_RING_DATA_SIZE - (connection->tail - connection->head) >= size) {
        return true;
    }
    connection->head = atomic_load(&connection->ring->head);
    return VD_RING_DATA_SIZE - (connection->tail - connection->head) >= size;
}

static void wake_consumer(struct vd_connection *connection)
{
    struct vd_ring *ring = connection->ring;
    if (atomic_load(&ring->consumer_sleeps) && atomic_exchange(&ring->consumer_sleeps, 0)) {
        connection->transport->ops->wake(connection->transport, &ring->consumer_sleeps);
    }
}

/* Lets the server see what was written. Who calls this calls wake_consumer next. Under the lock. */
static void publish(struct vd_connection *connection)
{
    connection->published = connection->tail;
    /* seq_cst, for wake_consumer; release is what the consumer's copy needs. */
    atomic_store(&connection->ring->tail, connection->tail);
}

/* Waits until `size` bytes fit. False: the connection is lost. */
static bool await_space(struct vd_connection *connection, uint32_t size)
{
    struct vd_ring *ring = connection->ring;
    while (!has_space(connection, size)) {
        if (connection->published != connection->tail) {
            publish(connection);
            wake_consumer(connection);
        }
        /* Dekker's pattern, as ring.h says; the watcher plays the consumer's part, too. */
        atomic_store(&ring->producer_sleeps, 1);
        if (atomic_load(&connection->completion->lost)) {
            return false;
        }
        if (!has_space(connection, size)) {
            connection->transport->ops->wait(connection->transport, &ring->producer_sleeps, 1,
                                             UINT64_MAX);
        }
    }
    return true;
}

/* The bytes that a record of `size` bytes must skip, because it does not wrap. */
static uint32_t padding_before(const struct vd_connection *connection, uint32_t size)
{
    const uint32_t until_end =
        VD_RING_DATA_SIZE - ((uint32_t)connection->tail & (VD_RING_DATA_SIZE - 1));
    return until_end < size ? until_end : 0;
}

static uint8_t *at_tail(struct vd_connection *connection)
{
    return connection->data + ((uint32_t)connection->tail & (VD_RING_DATA_SIZE - 1));
}

/* Under the send lock. */
static void skip(struct vd_connection *connection, uint32_t padding)
{
    if (padding > 0) {
        const struct vd_record nop = {.size = padding, .opcode = VD_OP_NOP};
        memcpy(at_tail(connection), &nop, sizeof(nop));
        connection->tail += padding;
    }
}

/* Under the send lock, and read without it. */
static void count(struct vd_connection *connection, uint64_t calls, uint64_t bytes)
{
    atomic_store_explicit(&connection->calls,
                          atomic_load_explicit(&connection->calls, memory_order_relaxed) + calls,
                          memory_order_relaxed);
    atomic_store_explicit(&connection->bytes,
                          atomic_load_explicit(&connection->bytes, memory_order_relaxed) + bytes,
                          memory_order_relaxed);
}

/* Lets go of the send lock; the server sees what was written `now`, or when there is enough of it. */
static void end_writing(struct vd_connection *connection, bool now)
{
    const bool published = now || connection->tail - connection->published > UNPUBLISHED_MAX;
    if (published) {
        publish(connection);
    }
    pthread_mutex_unlock(&connection->send_lock);
    if (published) {
        wake_consumer(connection);
    }
}

/* A record that fits into the ring. */
static VkResult send_record(struct vd_connection *connection, const struct vd_record *record,
                            uint64_t *position)
{
    pthread_mutex_lock(&connection->send_lock);
    const uint32_t padding = padding_before(connection, record->size);
    if (!await_space(connection, padding + record->size)) {
        pthread_mutex_unlock(&connection->send_lock);
        return VK_ERROR_DEVICE_LOST;
    }
    skip(connection, padding);
    memcpy(at_tail(connection), record, record->size);
    connection->tail += record->size;
    count(connection, 1, record->size);
    if (position) {
        *position = connection->tail;
    }
    end_writing(connection, true);
    return VK_SUCCESS;
}

uint8_t *vd_connection_write_begin(struct vd_connection *connection, uint32_t *capacity)
{
    pthread_mutex_lock(&connection->send_lock);
    const uint32_t padding = padding_before(connection, IN_PLACE_MIN);
    if (!has_space(connection, padding + IN_PLACE_MIN)) {
        pthread_mutex_unlock(&connection->send_lock);
        return NULL;
    }
    connection->padding = padding;
    const uint32_t start = ((uint32_t)connection->tail + padding) & (VD_RING_DATA_SIZE - 1);
    const uint64_t left = VD_RING_DATA_SIZE - (connection->tail - connection->head) - padding;
    uint32_t room = VD_RING_DATA_SIZE - start;
    room = left < room ? (uint32_t)left : room;
    *capacity = room < VD_RING_RECORD_MAX ? room : VD_RING_RECORD_MAX;
    return connection->data + start;
}

void vd_connection_write_end(struct vd_connection *connection, uint32_t size, bool now)
{
    if (size > 0) {
        skip(connection, connection->padding);
        connection->last = connection->tail;
        connection->tail += size;
        count(connection, 1, size);
    }
    end_writing(connection, size > 0 && now);
}

/* The head of the last record, if the server does not know of it and it can grow by `size` bytes. */
static struct vd_record *growing(struct vd_connection *connection, uint32_t size)
{
    const uint32_t offset = (uint32_t)connection->tail & (VD_RING_DATA_SIZE - 1);
    if (connection->tail == connection->published || connection->last < connection->published ||
        offset == 0 || size > VD_RING_DATA_SIZE - offset) {
        return NULL;
    }
    uint8_t *last = connection->data + ((uint32_t)connection->last & (VD_RING_DATA_SIZE - 1));
    struct vd_record *record = (struct vd_record *)last;
    return record->size + size <= VD_RING_RECORD_MAX ? record : NULL;
}

uint8_t *vd_connection_append_begin(struct vd_connection *connection, uint16_t opcode,
                                    uint64_t head, uint32_t size)
{
    const struct {
        struct vd_record record;
        uint64_t head;
    } start = {{.size = sizeof(start), .opcode = opcode}, head};

    pthread_mutex_lock(&connection->send_lock);
    struct vd_record *record = growing(connection, size);
    if (record && record->opcode == opcode && *(uint64_t *)(record + 1) == head) {
        if (!has_space(connection, size)) {
            goto no_room;
        }
    } else {
        const uint32_t padding = padding_before(connection, sizeof(start) + size);
        if (!has_space(connection, padding + sizeof(start) + size)) {
            goto no_room;
        }
        skip(connection, padding);
        record = memcpy(at_tail(connection), &start, sizeof(start));
        connection->last = connection->tail;
        connection->tail += sizeof(start);
    }
    uint8_t *to = at_tail(connection);
    record->size += size;
    connection->tail += size;
    count(connection, 1, size);
    return to;

no_room:
    pthread_mutex_unlock(&connection->send_lock);
    return NULL;
}

void vd_connection_append_end(struct vd_connection *connection)
{
    end_writing(connection, false);
}

/* Keeps the buffers of the records that the server has copied. */
static void reap_large_records(struct vd_connection *connection)
{
    const uint64_t consumed = vd_connection_consumed(connection);
    struct large_record *copied = NULL;

    pthread_mutex_lock(&connection->buffer_lock);
    for (struct large_record **link = &connection->large_records; *link;) {
        struct large_record *record = *link;
        if (record->position <= consumed) {
            *link = record->next;
            record->next = copied;
            copied = record;
        } else {
            link = &record->next;
        }
    }
    pthread_mutex_unlock(&connection->buffer_lock);
    while (copied) {
        struct large_record *record = copied;
        copied = record->next;
        buffer_give(connection, &record->shm);
        free(record);
    }
}

static VkResult send_large(struct vd_connection *connection, const struct vd_record *record,
                           uint64_t *position)
{
    if (record->size > VD_RECORD_MAX) {
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    reap_large_records(connection);
    struct large_record *large = malloc(sizeof(*large));
    if (!large) {
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    VkResult result = buffer_take(connection, record->size, &large->shm);
    if (result != VK_SUCCESS) {
        free(large);
        return result == VK_ERROR_DEVICE_LOST ? result : VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    memcpy(large->shm.map, record, record->size);
    const struct {
        struct vd_record record;
        struct vd_indirect indirect;
    } command = {
        .record = {.size = sizeof(command), .opcode = VD_OP_INDIRECT},
        .indirect = {.shm = large->shm.id, .size = record->size},
    };
    result = send_record(connection, &command.record, &large->position);
    vd_connection_count(connection, 0, record->size);
    if (position) {
        *position = large->position;
    }
    /* Also after a failure: who knows what the server reads. */
    pthread_mutex_lock(&connection->buffer_lock);
    large->next = connection->large_records;
    connection->large_records = large;
    pthread_mutex_unlock(&connection->buffer_lock);
    return result;
}

VkResult vd_connection_send(struct vd_connection *connection, const void *data, uint64_t *position)
{
    const struct vd_record *record = data;
    assert(record->size >= sizeof(*record) && record->size % VD_ALIGN == 0);
    if (vd_connection_lost(connection)) {
        return VK_ERROR_DEVICE_LOST;
    }
    return record->size <= VD_RING_RECORD_MAX ? send_record(connection, record, position)
                                              : send_large(connection, record, position);
}

/* ---- Replies */

/* Adds a block of slots. Under the reply lock. */
static VkResult add_block(struct vd_connection *connection)
{
    const uint32_t count = connection->block_count;
    struct vd_shm *blocks = realloc(connection->blocks, (count + 1) * sizeof(*blocks));
    if (!blocks) {
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    connection->blocks = blocks;
    uint32_t *slots =
        realloc(connection->free_slots, (count + 1) * SLOTS_PER_BLOCK * sizeof(*slots));
    if (!slots) {
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    connection->free_slots = slots;
    const VkResult result = connection->transport->ops->shm_create(
        connection->transport, SLOTS_PER_BLOCK * SLOT_SIZE, &blocks[count]);
    if (result != VK_SUCCESS) {
        return result;
    }
    connection->block_count++;
    for (uint32_t i = SLOTS_PER_BLOCK; i-- > 0;) {
        slots[connection->free_count++] = count * SLOTS_PER_BLOCK + i;
    }
    return VK_SUCCESS;
}

/* Under the reply lock. */
static VkResult begin_small(struct vd_connection *connection, struct vd_reply_space *space)
{
    if (connection->free_count == 0) {
        const VkResult result = add_block(connection);
        if (result != VK_SUCCESS) {
            return result;
        }
    }
    const uint32_t slot = connection->free_slots[--connection->free_count];
    const struct vd_shm *block = &connection->blocks[slot / SLOTS_PER_BLOCK];
    const uint32_t offset = slot % SLOTS_PER_BLOCK * SLOT_SIZE;
    *space = (struct vd_reply_space){
        .reply = (struct vd_reply *)((uint8_t *)block->map + offset),
        .shm = block->id,
        .offset = offset,
        .capacity = SLOT_CAPACITY,
        .slot = slot,
    };
    return VK_SUCCESS;
}

/* Lists a large reply, for the watcher. Under the reply lock. */
static VkResult begin_large(struct vd_connection *connection, const struct vd_shm *shm,
                            struct vd_reply_space *space)
{
    uint32_t slot = 0;
    while (slot < connection->large_capacity && connection->large_replies[slot]) {
        slot++;
    }
    if (slot == connection->large_capacity) {
        const uint32_t capacity = slot ? slot * 2 : 8;
        struct vd_reply **replies =
            realloc(connection->large_replies, capacity * sizeof(struct vd_reply *));
        if (!replies) {
            return VK_ERROR_OUT_OF_HOST_MEMORY;
        }
        memset(replies + slot, 0, (capacity - slot) * sizeof(struct vd_reply *));
        connection->large_replies = replies;
        connection->large_capacity = capacity;
    }
    const uint64_t capacity = shm->size - sizeof(struct vd_reply);
    *space = (struct vd_reply_space){
        .reply = shm->map,
        .shm = shm->id,
        .capacity = capacity < UINT32_MAX ? (uint32_t)capacity : UINT32_MAX,
        .slot = slot,
        .large = *shm,
    };
    connection->large_replies[slot] = space->reply;
    return VK_SUCCESS;
}

VkResult vd_connection_reply_begin(struct vd_connection *connection, uint64_t size,
                                   struct vd_reply_space *space)
{
    struct vd_shm shm = {.fd = -1};
    if (vd_connection_lost(connection)) {
        return VK_ERROR_DEVICE_LOST;
    }
    const bool large = size > SLOT_CAPACITY;
    if (size > VD_RECORD_MAX) {
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    if (large) {
        const VkResult result = buffer_take(connection, size + sizeof(struct vd_reply), &shm);
        if (result != VK_SUCCESS) {
            return result == VK_ERROR_DEVICE_LOST ? result : VK_ERROR_OUT_OF_HOST_MEMORY;
        }
    }
    /* Under the lock, as the watcher's walk over the replies: either that finds this one, or this
     * finds the connection lost. */
    pthread_mutex_lock(&connection->reply_lock);
    VkResult result = large ? begin_large(connection, &shm, space) : begin_small(connection, space);
    if (result == VK_SUCCESS) {
        const bool lost = atomic_load(&connection->completion->lost);
        *space->reply = (struct vd_reply){.state = lost ? VD_REPLY_LOST : VD_REPLY_PENDING};
    }
    pthread_mutex_unlock(&connection->reply_lock);
    if (result != VK_SUCCESS && large) {
        buffer_give(connection, &shm);
    }
    return result == VK_ERROR_OUT_OF_DEVICE_MEMORY ? VK_ERROR_OUT_OF_HOST_MEMORY : result;
}

static bool reply_ready(const void *data)
{
    const uint32_t state =
        atomic_load_explicit((const _Atomic uint32_t *)data, memory_order_acquire);
    return state != VD_REPLY_PENDING && state != VD_REPLY_WAITING;
}

VkResult vd_connection_reply_wait(struct vd_connection *connection, struct vd_reply_space *space)
{
    _Atomic uint32_t *state = reply_state(space->reply);
    atomic_fetch_add_explicit(&connection->round_trips, 1, memory_order_relaxed);
    if (!spin(&connection->reply_spinner, reply_ready, state)) {
        while (!reply_ready(state)) {
            /* Says that somebody sleeps: the server exchanges the state with DONE. */
            uint32_t pending = VD_REPLY_PENDING;
            atomic_compare_exchange_strong(state, &pending, VD_REPLY_WAITING);
            if (pending == VD_REPLY_PENDING || pending == VD_REPLY_WAITING) {
                connection->transport->ops->wait(connection->transport, state, VD_REPLY_WAITING,
                                                 UINT64_MAX);
            }
        }
    }
    return atomic_load_explicit(state, memory_order_acquire) == VD_REPLY_DONE
               ? VK_SUCCESS
               : VK_ERROR_DEVICE_LOST;
}

void vd_connection_reply_end(struct vd_connection *connection, struct vd_reply_space *space)
{
    if (forked(connection)) {
        return; /* the lock may be held by a thread of the parent */
    }
    pthread_mutex_lock(&connection->reply_lock);
    if (space->large.id) {
        connection->large_replies[space->slot] = NULL;
    } else {
        connection->free_slots[connection->free_count++] = space->slot;
    }
    pthread_mutex_unlock(&connection->reply_lock);
    if (space->large.id) {
        buffer_give(connection, &space->large);
    }
}

/* ---- Completion */

struct wait {
    const struct vd_completion *page;
    bool (*ready)(const void *data);
    uint32_t (*words)(const void *data, struct vd_futex_word *words, uint32_t capacity);
    const void *data;
};

static bool wait_over(const void *data)
{
    const struct wait *wait = data;
    return wait->ready(wait->data) || atomic_load_explicit(&wait->page->lost, memory_order_acquire);
}

/* Sleeps until the wait is over or the deadline has passed. */
static void sleep_until(struct vd_connection *connection, const struct wait *wait,
                        uint64_t deadline)
{
    struct vd_completion *page = connection->completion;
    const struct vd_transport_ops *ops = connection->transport->ops;
    struct vd_futex_word words[1 + WORDS_MAX];
    words[0].address = &page->event;
    /* seq_cst all along, as vd_completion_changed says. */
    atomic_fetch_add(&page->waiters, 1);
    for (;;) {
        words[0].value = atomic_load(&page->event);
        const uint32_t others = wait->words ? wait->words(wait->data, words + 1, WORDS_MAX) : 0;
        if (wait_over(wait)) {
            break;
        }
        uint64_t timeout = UINT64_MAX;
        if (deadline != UINT64_MAX) {
            const uint64_t now = vd_clock_ns();
            if (now >= deadline) {
                break;
            }
            timeout = deadline - now;
        }
        if (others) {
            ops->wait_any(connection->transport, words, 1 + others, timeout);
        } else {
            ops->wait(connection->transport, words[0].address, words[0].value, timeout);
        }
    }
    atomic_fetch_sub(&page->waiters, 1);
}

VkResult vd_connection_wait_until(struct vd_connection *connection, bool (*ready)(const void *data),
                                  const void *data, uint64_t timeout_ns)
{
    return vd_connection_wait_words(connection, ready, NULL, data, timeout_ns);
}

VkResult vd_connection_wait_words(struct vd_connection *connection, bool (*ready)(const void *data),
                                  uint32_t (*words)(const void *data, struct vd_futex_word *words,
                                                    uint32_t capacity),
                                  const void *data, uint64_t timeout_ns)
{
    if (ready(data)) {
        return VK_SUCCESS;
    }
    if (vd_connection_lost(connection)) {
        return VK_ERROR_DEVICE_LOST;
    }
    if (timeout_ns == 0) {
        return VK_TIMEOUT;
    }
    const struct wait wait = {connection->completion, ready, words, data};
    const uint64_t traced = vd_trace_begin();
    const uint64_t now = vd_clock_ns();
    const uint64_t deadline = timeout_ns < UINT64_MAX - now ? now + timeout_ns : UINT64_MAX;
    if (!spin(&connection->queue_spinner, wait_over, &wait)) {
        sleep_until(connection, &wait, deadline);
    }
    atomic_fetch_add_explicit(&connection->waits, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&connection->wait_ns, vd_clock_ns() - now, memory_order_relaxed);
    vd_trace_end(traced, "wait for the GPU", 0);
    return ready(data)                      ? VK_SUCCESS
           : vd_connection_lost(connection) ? VK_ERROR_DEVICE_LOST
                                            : VK_TIMEOUT;
}

void vd_connection_changed(struct vd_connection *connection)
{
    struct vd_completion *page = connection->completion;
    if (vd_completion_changed(page)) {
        connection->transport->ops->wake(connection->transport, &page->event);
    }
}

void vd_connection_wake(struct vd_connection *connection, _Atomic uint32_t *address)
{
    connection->transport->ops->wake(connection->transport, address);
}

struct batch {
    const struct vd_completion_queue *queue;
    uint64_t number;
};

static bool batch_done(const void *data)
{
    const struct batch *batch = data;
    /* acquire: what the host wrote before it stored `done`. */
    return atomic_load_explicit(&batch->queue->done, memory_order_acquire) >= batch->number;
}

bool vd_connection_done(const struct vd_connection *connection, uint32_t slot, uint64_t number)
{
    assert(slot < VD_QUEUE_MAX);
    return batch_done(&(struct batch){&connection->completion->queues[slot], number});
}

VkResult vd_connection_wait_queue(struct vd_connection *connection, uint32_t slot, uint64_t number,
                                  uint64_t timeout_ns)
{
    assert(slot < VD_QUEUE_MAX);
    const struct batch batch = {&connection->completion->queues[slot], number};
    return vd_connection_wait_until(connection, batch_done, &batch, timeout_ns);
}

/* ---- Promises */

void vd_connection_promise(struct vd_connection *connection, struct vd_promise *promise)
{
    if (vd_connection_lost(connection)) {
        return; /* nor will it be asked for */
    }
    pthread_mutex_lock(&connection->promise_lock);
    atomic_store(&promise->file->signaler, connection->signaler);
    if (!promise->link) {
        promise->next = connection->promises;
        promise->link = &connection->promises;
        if (promise->next) {
            promise->next->link = &promise->next;
        }
        connection->promises = promise;
    }
    pthread_mutex_unlock(&connection->promise_lock);
}

void vd_connection_promise_end(struct vd_connection *connection, struct vd_promise *promise)
{
    if (!promise->link || forked(connection)) {
        return;
    }
    pthread_mutex_lock(&connection->promise_lock);
    *promise->link = promise->next;
    if (promise->next) {
        promise->next->link = promise->link;
    }
    pthread_mutex_unlock(&connection->promise_lock);
}

/* ---- The rest */

VkResult vd_connection_shm_create(struct vd_connection *connection, uint64_t size,
                                  struct vd_shm *shm)
{
    if (vd_connection_lost(connection)) {
        return VK_ERROR_DEVICE_LOST;
    }
    return connection->transport->ops->shm_create(connection->transport, size, shm);
}

void vd_connection_shm_destroy(struct vd_connection *connection, struct vd_shm *shm)
{
    shm_release(connection, shm);
}

VkResult vd_connection_shm_import(struct vd_connection *connection, int fd, uint64_t offset,
                                  uint64_t size, struct vd_shm *shm)
{
    if (vd_connection_lost(connection)) {
        return VK_ERROR_DEVICE_LOST;
    }
    return connection->transport->ops->shm_import(connection->transport, fd, offset, size, shm);
}

int vd_connection_shm_export(struct vd_connection *connection, uint32_t shm)
{
    struct vd_transport *transport = connection->transport;
    return transport->ops->shm_export && !vd_connection_lost(connection)
               ? transport->ops->shm_export(transport, shm)
               : -1;
}

bool vd_connection_shm_picture(struct vd_connection *connection, uint32_t shm, uint64_t offset,
                               uint32_t pitch, VkExtent2D extent)
{
    struct vd_transport *transport = connection->transport;
    return transport->ops->shm_picture && !vd_connection_lost(connection) &&
           transport->ops->shm_picture(transport, shm, offset, pitch, extent);
}

VkResult vd_connection_fd_give(struct vd_connection *connection, int fd, uint32_t *id)
{
    if (vd_connection_lost(connection)) {
        return VK_ERROR_DEVICE_LOST;
    }
    return connection->transport->ops->fd_give(connection->transport, fd, id);
}

VkResult vd_connection_fd_take(struct vd_connection *connection, uint32_t id, int *fd)
{
    return connection->transport->ops->fd_take(connection->transport, id, fd);
}

void vd_connection_wait(struct vd_connection *connection, _Atomic uint32_t *address, uint32_t value,
                        uint64_t timeout_ns)
{
    connection->transport->ops->wait(connection->transport, address, value, timeout_ns);
}

void vd_connection_stats(struct vd_connection *connection, struct vd_connection_stats *stats)
{
    *stats = (struct vd_connection_stats){
        .calls = atomic_load_explicit(&connection->calls, memory_order_relaxed),
        .round_trips = atomic_load_explicit(&connection->round_trips, memory_order_relaxed),
        .bytes = atomic_load_explicit(&connection->bytes, memory_order_relaxed),
        .waits = atomic_load_explicit(&connection->waits, memory_order_relaxed),
        .wait_ns = atomic_load_explicit(&connection->wait_ns, memory_order_relaxed),
    };
}

void vd_connection_count(struct vd_connection *connection, uint64_t calls, uint64_t bytes)
{
    pthread_mutex_lock(&connection->send_lock);
    count(connection, calls, bytes);
    pthread_mutex_unlock(&connection->send_lock);
}
