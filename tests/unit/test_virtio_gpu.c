/* SPDX-License-Identifier: MIT
 *
 * The virtio-gpu device as QEMU and a guest see it, without either: this program is the frontend,
 * the guest's memory and the guest's driver. Most of what it does no sane guest would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/virtio_gpu.h>
#include <linux/virtio_ring.h>

#include "common/pass_fds.h"
#include "protocol/completion.h"
#include "protocol/ring.h"
#include "protocol/virtio_gpu.h"

#include "fake_context.h"
#include "opcodes.h"
#include "server/listener.h"
#include "server/virtio_gpu/device.h"
#include "virtio_gpu_commands.h"

#define RAM_SIZE (16u << 20)
#define RAM_BASE UINT64_C(0x100000000)    /* in the guest */
#define USER     UINT64_C(0x7f0000000000) /* in QEMU */

/* Where things lie in the guest's memory. */
#define QUEUE_SIZE 64u
#define QUEUE_AT   0x10000u /* desc, avail, used 0x4000 apart; a second queue behind it */
#define REQUEST_AT 0x40000u
#define ANSWER_AT  0x80000u
#define TABLE_AT   0xc0000u
#define PAGES_AT   0x100000u

#define TIMEOUT_MS 20000

enum vhost_user_message {
    SET_FEATURES = 2,
    SET_OWNER = 3,
    SET_MEM_TABLE = 5,
    SET_VRING_NUM = 8,
    SET_VRING_ADDR = 9,
    SET_VRING_BASE = 10,
    GET_VRING_BASE = 11,
    SET_VRING_KICK = 12,
    SET_VRING_CALL = 13,
    SET_VRING_ENABLE = 18,
    GPU_SET_SOCKET = 33,
};

struct machine {
    pid_t server;
    int socket;
    uint8_t *ram;
    int memory;
    int kick[2], call[2];
    uint16_t avail[2], used[2]; /* what we have made available and seen used */
    unsigned seed;
};

static void send_message(struct machine *m, uint32_t request, const void *payload, uint32_t size,
                         int fd)
{
    uint8_t bytes[12 + 256];
    const uint32_t header[3] = {request, 1, size};
    memcpy(bytes, header, 12);
    memcpy(bytes + 12, payload, size);
    assert_int_equal(vd_send_fds(m->socket, bytes, 12 + size, &fd, fd >= 0 ? 1 : 0, 0), 12 + size);
}

static uint32_t place(unsigned queue, unsigned part)
{
    return QUEUE_AT + queue * 0x10000 + part * 0x4000;
}

static void start_queues(struct machine *m)
{
    for (uint32_t q = 0; q < 2; q++) {
        const uint32_t number[2] = {q, QUEUE_SIZE}, base[2] = {q, 0}, enable[2] = {q, 1};
        const struct {
            uint32_t index, flags;
            uint64_t desc, used, avail, log;
        } address = {q, 0, USER + place(q, 0), USER + place(q, 2), USER + place(q, 1), 0};
        const uint64_t index = q;
        memset(m->ram + place(q, 0), 0, 0xc000);
        m->avail[q] = 0;
        m->used[q] = 0;
        send_message(m, SET_VRING_NUM, number, sizeof(number), -1);
        send_message(m, SET_VRING_BASE, base, sizeof(base), -1);
        send_message(m, SET_VRING_ADDR, &address, sizeof(address), -1);
        send_message(m, SET_VRING_CALL, &index, sizeof(index), m->call[q]);
        send_message(m, SET_VRING_KICK, &index, sizeof(index), m->kick[q]);
        send_message(m, SET_VRING_ENABLE, enable, sizeof(enable), -1);
    }
}

static void stop_control_queue(struct machine *m)
{
    const uint32_t stop[2] = {0, 0};
    uint8_t answer[20];
    send_message(m, GET_VRING_BASE, stop, sizeof(stop), -1);
    assert_int_equal(recv(m->socket, answer, sizeof(answer), MSG_WAITALL), sizeof(answer));
}

static int set_up(void **state)
{
    struct machine *m = calloc(1, sizeof(*m));
    int sockets[2];
    if (!m || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) < 0) {
        return -1;
    }
    m->seed = 1;
    m->server = fork();
    if (m->server == 0) {
        close(sockets[0]);
        const struct vd_listener_options options = {
            .fd = sockets[1], .ready_fd = -1, .run_device = vg_device_run, .context = {.gpu = -1}};
        _exit(vd_listener_run(&options));
    }
    close(sockets[1]);
    m->socket = sockets[0];
    m->memory = memfd_create("ram", MFD_CLOEXEC);
    if (ftruncate(m->memory, RAM_SIZE) < 0) {
        return -1;
    }
    m->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, m->memory, 0);
    for (int q = 0; q < 2; q++) {
        m->kick[q] = eventfd(0, EFD_NONBLOCK);
        m->call[q] = eventfd(0, EFD_NONBLOCK);
    }
    const uint64_t features = UINT64_C(1) << 30 | UINT64_C(1) << 32 | UINT64_C(1) << 28;
    const struct {
        uint32_t count, padding;
        uint64_t guest, size, user, offset;
    } table = {1, 0, RAM_BASE, RAM_SIZE, USER, 0};
    send_message(m, SET_OWNER, "", 0, -1);
    send_message(m, SET_FEATURES, &features, sizeof(features), -1);
    send_message(m, SET_MEM_TABLE, &table, sizeof(table), m->memory);
    start_queues(m);
    *state = m;
    return 0;
}

static int tear_down(void **state)
{
    struct machine *m = *state;
    int status = -1;
    close(m->socket);
    waitpid(m->server, &status, 0);
    munmap(m->ram, RAM_SIZE);
    close(m->memory);
    for (int q = 0; q < 2; q++) {
        close(m->kick[q]);
        close(m->call[q]);
    }
    free(m);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* ---- The guest's driver */

static struct vring_desc *descs(struct machine *m, unsigned queue)
{
    return (struct vring_desc *)(m->ram + place(queue, 0));
}

static void offer(struct machine *m, unsigned queue, uint16_t head)
{
    volatile uint16_t *avail = (volatile uint16_t *)(m->ram + place(queue, 1));
    avail[2 + m->avail[queue] % QUEUE_SIZE] = head;
    atomic_thread_fence(memory_order_seq_cst);
    avail[1] = ++m->avail[queue];
    eventfd_write(m->kick[queue], 1);
}

/* Waits for the next request to come back: how much of an answer it has. */
static uint32_t await(struct machine *m, unsigned queue)
{
    volatile uint16_t *used = (volatile uint16_t *)(m->ram + place(queue, 2));
    while (used[1] == m->used[queue]) {
        struct pollfd call = {.fd = m->call[queue], .events = POLLIN};
        assert_int_equal(poll(&call, 1, TIMEOUT_MS), 1);
        eventfd_t count;
        eventfd_read(m->call[queue], &count);
    }
    atomic_thread_fence(memory_order_seq_cst);
    const struct vring_used_elem *element =
        (struct vring_used_elem *)(m->ram + place(queue, 2) + 4) + m->used[queue]++ % QUEUE_SIZE;
    return element->len;
}

static void offer_request(struct machine *m, unsigned queue, const void *request, uint32_t size,
                          uint16_t slot)
{
    struct vring_desc *desc = descs(m, queue) + 2 * slot;
    const uint32_t at = REQUEST_AT + slot * 0x1000, answer = ANSWER_AT + slot * 0x8000;
    memcpy(m->ram + at, request, size);
    memset(m->ram + answer, 0, 64);
    desc[0] = (struct vring_desc){RAM_BASE + at, size, VRING_DESC_F_NEXT, (uint16_t)(2 * slot + 1)};
    desc[1] = (struct vring_desc){RAM_BASE + answer, 0x8000, VRING_DESC_F_WRITE, 0};
    offer(m, queue, (uint16_t)(2 * slot));
}

/* The type of the answer, 0: none. */
static uint32_t request(struct machine *m, unsigned queue, const void *bytes, uint32_t size)
{
    offer_request(m, queue, bytes, size, 0);
    const uint32_t written = await(m, queue);
    return written >= sizeof(struct virtio_gpu_ctrl_hdr) ? *(uint32_t *)(m->ram + ANSWER_AT) : 0;
}

static uint32_t simple(struct machine *m, uint32_t type, uint32_t context, uint32_t id)
{
    const struct {
        struct virtio_gpu_ctrl_hdr hdr;
        uint32_t id, padding;
    } command = {.hdr = {.type = type, .ctx_id = context}, .id = id};
    return request(m, 0, &command, sizeof(command));
}

static void assert_alive(struct machine *m)
{
    const struct virtio_gpu_ctrl_hdr info = {.type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO};
    assert_int_equal(request(m, 0, &info, sizeof(info)), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
}

static uint32_t create_context(struct machine *m, uint32_t id)
{
    const struct virtio_gpu_ctx_create create = {
        .hdr = {.type = VIRTIO_GPU_CMD_CTX_CREATE, .ctx_id = id}, .debug_name = "test"};
    return request(m, 0, &create, sizeof(create));
}

static uint32_t create_buffer(struct machine *m, uint32_t id, uint32_t size)
{
    const struct virtio_gpu_resource_create_3d create = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_3D,
        .resource_id = id,
        .format = 64,
        .width = size,
        .height = 1,
        .depth = 1,
        .array_size = 1,
    };
    return request(m, 0, &create, sizeof(create));
}

/* Pages in reverse order, so that one contiguous mapping of them is not one of the memory. */
static uint32_t attach(struct machine *m, uint32_t id, uint32_t at, uint32_t pages)
{
    uint8_t bytes[sizeof(struct virtio_gpu_resource_attach_backing) +
                  260 * sizeof(struct virtio_gpu_mem_entry)];
    const struct virtio_gpu_resource_attach_backing attach = {
        .hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, .resource_id = id, .nr_entries = pages};
    memcpy(bytes, &attach, sizeof(attach));
    for (uint32_t i = 0; i < pages; i++) {
        const struct virtio_gpu_mem_entry entry = {RAM_BASE + at + (pages - 1 - i) * 4096, 4096, 0};
        memcpy(bytes + sizeof(attach) + i * sizeof(entry), &entry, sizeof(entry));
    }
    return request(m, 0, bytes,
                   (uint32_t)(sizeof(attach) + pages * sizeof(struct virtio_gpu_mem_entry)));
}

static uint32_t submit(struct machine *m, uint32_t context, const void *record, uint32_t size)
{
    uint8_t bytes[256];
    const struct virtio_gpu_cmd_submit submit = {.hdr = {.type = VIRTIO_GPU_CMD_SUBMIT_3D,
                                                         .flags = VIRTIO_GPU_FLAG_FENCE,
                                                         .fence_id = 1,
                                                         .ctx_id = context},
                                                 .size = size};
    memcpy(bytes, &submit, sizeof(submit));
    memcpy(bytes + sizeof(submit), record, size);
    return request(m, 0, bytes, (uint32_t)sizeof(submit) + size);
}

static uint32_t register_shm(struct machine *m, uint32_t context, uint32_t resource, uint32_t shm)
{
    const struct vd_virtio_gpu_register record = {
        .record = {.size = sizeof(record), .opcode = VD_VIRTIO_GPU_REGISTER},
        .resource = resource,
        .shm = shm};
    return submit(m, context, &record, sizeof(record));
}

/* ---- What a guest may send */

static void every_length_is_answered(void **state)
{
    struct machine *m = *state;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const unsigned queue = commands[i] >> 8 == 3 ? 1 : 0;
        for (uint32_t size = 0; size <= 128; size++) {
            uint8_t bytes[128] = {0};
            memcpy(bytes, &commands[i], sizeof(commands[i]));
            request(m, queue, bytes, size);
        }
    }
    assert_alive(m);
}

static uint32_t small_random(struct machine *m)
{
    static const uint32_t edges[] = {0, 1, 2, 3, 4, 64, 4096, 0x7fffffff, 0x80000000, 0xffffffff};
    m->seed = m->seed * 1103515245 + 12345;
    const uint32_t value = m->seed >> 8;
    return value % 3 ? edges[value % (sizeof(edges) / sizeof(edges[0]))] : value % 5;
}

static void nonsense_is_survived(void **state)
{
    struct machine *m = *state;
    for (unsigned round = 0; round < 20000; round++) {
        uint32_t words[40];
        for (size_t i = 0; i < 40; i++) {
            words[i] = small_random(m);
        }
        words[0] = commands[small_random(m) % COMMAND_COUNT];
        words[1] &= 1;
        words[4] %= 4;
        words[6] %= 6;
        request(m, words[0] >> 8 == 3, words, sizeof(words));
    }
    assert_alive(m);
}

static void malformed_descriptors_come_back(void **state)
{
    struct machine *m = *state;
    struct vring_desc *desc = descs(m, 0);
    struct vring_desc *table = (struct vring_desc *)(m->ram + TABLE_AT);
    const uint64_t at = RAM_BASE + REQUEST_AT, table_at = RAM_BASE + TABLE_AT;
    const uint16_t next = VRING_DESC_F_NEXT, indirect = VRING_DESC_F_INDIRECT;

    table[0] = (struct vring_desc){table_at, 16, indirect, 0};
    const struct vring_desc firsts[] = {
        {at, 24, next, 0},          /* a loop */
        {at, 24, next, QUEUE_SIZE}, /* beyond the table */
        {at, 24, next, 0xffff},
        {0, 24, 0, 0}, /* no memory */
        {RAM_BASE + RAM_SIZE - 8, 24, 0, 0},
        {UINT64_MAX - 7, 24, 0, 0},
        {at, 0xffffffff, 0, 0},          /* a request of 4 GiB */
        {at, 24, VRING_DESC_F_WRITE, 0}, /* nothing to read */
        {table_at, 16, indirect, 0},     /* indirect within indirect */
        {table_at, 15, indirect, 0},
        {table_at, 0, indirect, 0},
        {table_at, 0xfffffff0, indirect, 0},
        {0, 16, indirect, 0},
        {table_at, 16, indirect | next, 1},
    };
    for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
        desc[0] = firsts[i];
        offer(m, 0, 0);
        await(m, 0);
        assert_alive(m);
    }
    /* An answer where there is no memory, and one before its request. */
    const struct virtio_gpu_ctrl_hdr info = {.type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO};
    memcpy(m->ram + REQUEST_AT, &info, sizeof(info));
    desc[0] = (struct vring_desc){at, sizeof(info), next, 1};
    desc[1] = (struct vring_desc){64, 4096, VRING_DESC_F_WRITE, 0};
    offer(m, 0, 0);
    assert_int_equal(await(m, 0), 0);
    desc[0] = (struct vring_desc){RAM_BASE + ANSWER_AT, 4096, VRING_DESC_F_WRITE | next, 1};
    desc[1] = (struct vring_desc){at, sizeof(info), 0, 0};
    offer(m, 0, 0);
    assert_int_equal(await(m, 0), 0);
    assert_alive(m);
}

static void pixels_stay_within_bounds(void **state)
{
    struct machine *m = *state;
    const struct virtio_gpu_resource_create_2d create = {.hdr.type =
                                                             VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
                                                         .resource_id = 1,
                                                         .format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
                                                         .width = 33,
                                                         .height = 7};
    assert_int_equal(request(m, 0, &create, sizeof(create)), VIRTIO_GPU_RESP_OK_NODATA);
    assert_int_equal(request(m, 0, &create, sizeof(create)),
                     VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    assert_int_equal(attach(m, 1, PAGES_AT, 1), VIRTIO_GPU_RESP_OK_NODATA);
    static const struct {
        struct virtio_gpu_rect r;
        uint64_t offset;
        bool good;
    } cases[] = {
        {{0, 0, 33, 7}, 0, true},           {{1, 1, 32, 6}, 136, true},
        {{0, 0, 34, 7}, 0, false},          {{1, 0, 33, 7}, 0, false},
        {{0, 1, 33, 7}, 0, false},          {{0, 0, 33, 7}, 4096, false},
        {{0, 0, 33, 7}, UINT64_MAX, false}, {{0xffffffff, 0, 2, 1}, 0, false},
        {{0, 0xffffffff, 1, 2}, 0, false},  {{0, 0, 33, 7}, 3500, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct virtio_gpu_transfer_to_host_2d transfer = {
            .hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
            .r = cases[i].r,
            .offset = cases[i].offset,
            .resource_id = 1};
        const uint32_t answer = request(m, 0, &transfer, sizeof(transfer));
        assert_int_equal(answer == VIRTIO_GPU_RESP_OK_NODATA, cases[i].good);
    }
}

/* ---- Contexts */

#define RING_PAGES ((VD_RING_DATA_OFFSET + VD_RING_DATA_SIZE) / 4096)
#define RING_AT    (PAGES_AT + 0x100000)
#define PAGE_AT    (PAGES_AT + 0x300000)

/* Byte `offset` of a resource whose pages lie in reverse. */
static uint8_t *reversed(struct machine *m, uint32_t at, uint32_t pages, uint32_t offset)
{
    return m->ram + at + (pages - 1 - offset / 4096) * 4096 + offset % 4096;
}

static void connect_context(struct machine *m, uint32_t context)
{
    assert_int_equal(create_context(m, context), VIRTIO_GPU_RESP_OK_NODATA);
    const struct {
        uint32_t id, pages, at;
    } parts[] = {{10, RING_PAGES, RING_AT}, {11, 1, PAGE_AT}};
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(create_buffer(m, parts[i].id, parts[i].pages * 4096),
                         VIRTIO_GPU_RESP_OK_NODATA);
        assert_int_equal(attach(m, parts[i].id, parts[i].at, parts[i].pages),
                         VIRTIO_GPU_RESP_OK_NODATA);
        assert_int_equal(simple(m, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, context, parts[i].id),
                         VIRTIO_GPU_RESP_OK_NODATA);
        register_shm(m, context, parts[i].id, 1 + i);
        _Atomic uint32_t *status = (_Atomic uint32_t *)reversed(m, parts[i].at, parts[i].pages, 0);
        assert_int_equal(atomic_load(status), VD_VIRTIO_GPU_REGISTERED);
        atomic_store(status, 0);
    }
    const struct {
        struct vd_record record;
        struct vd_setup setup;
    } setup = {{sizeof(setup), VD_OP_SETUP, 0}, {VD_PROTOCOL_VERSION, 1, 2, 0}};
    assert_int_equal(submit(m, context, &setup, sizeof(setup)), VIRTIO_GPU_RESP_OK_NODATA);
}

/* Waits like a client: parked by the device, which looks at the word. */
static void wait_for_change(struct machine *m, uint32_t context, uint32_t shm, uint32_t offset,
                            _Atomic uint32_t *word, uint32_t value)
{
    for (int i = 0; atomic_load(word) == value; i++) {
        assert_in_range(i, 0, 20);
        const struct vd_virtio_gpu_wait wait = {
            .record = {.size = sizeof(wait), .opcode = VD_VIRTIO_GPU_WAIT},
            .shm = shm,
            .offset = offset,
            .value = value,
            .thread = 1};
        assert_int_equal(submit(m, context, &wait, sizeof(wait)), VIRTIO_GPU_RESP_OK_NODATA);
    }
}

/* The worker reads and writes the very pages that the guest looks at. */
static void guest_and_worker_share_pages(void **state)
{
    struct machine *m = *state;
    connect_context(m, 1);
    struct vd_ring *ring = (struct vd_ring *)reversed(m, RING_AT, RING_PAGES, 0);
    uint8_t *data = reversed(m, RING_AT, RING_PAGES, VD_RING_DATA_OFFSET);
    struct vd_reply *reply = (struct vd_reply *)reversed(m, RING_AT, RING_PAGES, 0x80000);
    const struct vd_reply_request where = {.shm = 1, .offset = 0x80000};
    for (uint64_t number = 1; number <= 3; number++) {
        memset(reply, 0, sizeof(*reply));
        fake_fill(data + (number - 1) * 64, 64, FAKE_ECHO, &where, 0, number);
        reply->state = VD_REPLY_WAITING;
        atomic_store(&ring->tail, number * 64);
        if (atomic_exchange(&ring->consumer_sleeps, 0)) {
            const struct vd_virtio_gpu_wake wake = {
                .record = {.size = sizeof(wake), .opcode = VD_VIRTIO_GPU_WAKE},
                .shm = 1,
                .offset = offsetof(struct vd_ring, consumer_sleeps)};
            assert_int_equal(submit(m, 1, &wake, sizeof(wake)), VIRTIO_GPU_RESP_OK_NODATA);
        }
        wait_for_change(m, 1, 1, 0x80000, (_Atomic uint32_t *)&reply->state, VD_REPLY_WAITING);
        assert_int_equal(reply->state, VD_REPLY_DONE);
        assert_int_equal(reply->value, number);
    }
    assert_int_equal(simple(m, VIRTIO_GPU_CMD_CTX_DESTROY, 1, 0), VIRTIO_GPU_RESP_OK_NODATA);
    /* Answered once the worker has let go of the pages. */
    assert_int_equal(simple(m, VIRTIO_GPU_CMD_RESOURCE_UNREF, 0, 10), VIRTIO_GPU_RESP_OK_NODATA);
    assert_int_equal(simple(m, VIRTIO_GPU_CMD_RESOURCE_UNREF, 0, 11), VIRTIO_GPU_RESP_OK_NODATA);
    assert_alive(m);
}

/* Gives the worker of context 1 something to die of. */
static void abort_worker(struct machine *m)
{
    struct vd_ring *ring = (struct vd_ring *)reversed(m, RING_AT, RING_PAGES, 0);
    fake_fill(reversed(m, RING_AT, RING_PAGES, VD_RING_DATA_OFFSET), 64, FAKE_ABORT, NULL, 0, 1);
    atomic_store(&ring->tail, 64);
    const struct vd_virtio_gpu_wake wake = {
        .record = {.size = sizeof(wake), .opcode = VD_VIRTIO_GPU_WAKE},
        .shm = 1,
        .offset = offsetof(struct vd_ring, consumer_sleeps)};
    atomic_store(&ring->consumer_sleeps, 0);
    submit(m, 1, &wake, sizeof(wake));
}

static void a_dead_worker_is_told(void **state)
{
    struct machine *m = *state;
    connect_context(m, 1);
    struct vd_completion *page = (struct vd_completion *)(m->ram + PAGE_AT);
    abort_worker(m);
    wait_for_change(m, 1, 2, 0, &page->lost, 0);
    /* And nobody else minds; a new context gets a new worker. */
    assert_int_equal(simple(m, VIRTIO_GPU_CMD_CTX_DESTROY, 1, 0), VIRTIO_GPU_RESP_OK_NODATA);
    simple(m, VIRTIO_GPU_CMD_RESOURCE_UNREF, 0, 10);
    simple(m, VIRTIO_GPU_CMD_RESOURCE_UNREF, 0, 11);
    memset(m->ram + PAGES_AT, 0, RAM_SIZE - PAGES_AT);
    connect_context(m, 1);
}

/* ---- The display */

/* What the device says to QEMU's display (docs/interop/vhost-user-gpu.rst). */
enum display_message {
    DISPLAY_GET_FEATURES = 1,
    DISPLAY_SET_FEATURES = 2,
    DISPLAY_GET_INFO = 3,
    DISPLAY_CURSOR_POS = 4,
    DISPLAY_CURSOR_POS_HIDE = 5,
    DISPLAY_CURSOR_UPDATE = 6,
    DISPLAY_SCANOUT = 7,
    DISPLAY_UPDATE = 8,
    DISPLAY_GET_EDID = 11,
};

struct display_header {
    uint32_t request, flags, size;
};

/* The next message has to be this one, with so many bytes. */
static void expect_display(int display, uint32_t request, void *payload, uint32_t size)
{
    struct display_header header;
    assert_int_equal(recv(display, &header, sizeof(header), MSG_WAITALL), sizeof(header));
    assert_int_equal(header.request, request);
    assert_int_equal(header.size, size);
    if (size > 0) {
        assert_int_equal(recv(display, payload, size, MSG_WAITALL), size);
    }
}

static void answer_display(int display, uint32_t request, const void *payload, uint32_t size)
{
    const struct display_header header = {.request = request, .flags = 4, .size = size};
    assert_int_equal(send(display, &header, sizeof(header), 0), sizeof(header));
    assert_int_equal(send(display, payload, size, 0), size);
}

/* The display's protocol features: EDIDs. */
static int connect_display(struct machine *m)
{
    const uint64_t features = 1;
    int sockets[2];
    const struct timeval limit = {.tv_sec = TIMEOUT_MS / 1000};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    send_message(m, GPU_SET_SOCKET, "", 0, sockets[1]);
    close(sockets[1]);
    expect_display(sockets[0], DISPLAY_GET_FEATURES, NULL, 0);
    answer_display(sockets[0], DISPLAY_GET_FEATURES, &features, sizeof(features));
    uint64_t taken;
    expect_display(sockets[0], DISPLAY_SET_FEATURES, &taken, sizeof(taken));
    return sockets[0];
}

#define CURSOR_SIDE 64u

struct cursor_message {
    uint32_t scanout, x, y, hot_x, hot_y;
    uint32_t pixels[CURSOR_SIDE * CURSOR_SIDE];
};

static uint32_t cursor(struct machine *m, uint32_t type, uint32_t resource, uint32_t x, uint32_t y)
{
    const struct virtio_gpu_update_cursor update = {
        .hdr.type = type,
        .pos = {.scanout_id = 0, .x = x, .y = y},
        .resource_id = resource,
        .hot_x = 3,
        .hot_y = 5,
    };
    return request(m, 1, &update, sizeof(update));
}

/* QEMU's pictures of a display have no cursor, so this is where one is looked at. */
static void the_cursor_is_shown_as_it_is(void **state)
{
    struct machine *m = *state;
    const int display = connect_display(m);
    const struct virtio_gpu_resource_create_2d create = {.hdr.type =
                                                             VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
                                                         .resource_id = 7,
                                                         .format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,
                                                         .width = CURSOR_SIDE,
                                                         .height = CURSOR_SIDE};
    assert_int_equal(request(m, 0, &create, sizeof(create)), VIRTIO_GPU_RESP_OK_NODATA);
    assert_int_equal(attach(m, 7, PAGES_AT, 4), VIRTIO_GPU_RESP_OK_NODATA);
    for (uint32_t i = 0; i < CURSOR_SIDE * CURSOR_SIDE; i++) {
        const uint32_t pixel = i * UINT32_C(0x01030507);
        memcpy(reversed(m, PAGES_AT, 4, i * 4), &pixel, sizeof(pixel));
    }
    const struct virtio_gpu_transfer_to_host_2d transfer = {.hdr.type =
                                                                VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
                                                            .r = {0, 0, CURSOR_SIDE, CURSOR_SIDE},
                                                            .resource_id = 7};
    assert_int_equal(request(m, 0, &transfer, sizeof(transfer)), VIRTIO_GPU_RESP_OK_NODATA);

    cursor(m, VIRTIO_GPU_CMD_UPDATE_CURSOR, 7, 100, 200);
    struct cursor_message shown;
    expect_display(display, DISPLAY_CURSOR_UPDATE, &shown, sizeof(shown));
    assert_int_equal(shown.x, 100);
    assert_int_equal(shown.y, 200);
    assert_int_equal(shown.hot_x, 3);
    assert_int_equal(shown.hot_y, 5);
    for (uint32_t i = 0; i < CURSOR_SIDE * CURSOR_SIDE; i++) {
        assert_int_equal(shown.pixels[i], i * UINT32_C(0x01030507));
    }
    uint32_t position[3];
    expect_display(display, DISPLAY_CURSOR_POS, position, sizeof(position));

    cursor(m, VIRTIO_GPU_CMD_MOVE_CURSOR, 7, 1001, 603);
    expect_display(display, DISPLAY_CURSOR_POS, position, sizeof(position));
    assert_int_equal(position[1], 1001);
    assert_int_equal(position[2], 603);

    cursor(m, VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 1, 2);
    expect_display(display, DISPLAY_CURSOR_UPDATE, &shown, sizeof(shown));
    assert_int_equal(shown.pixels[1], 0);
    expect_display(display, DISPLAY_CURSOR_POS_HIDE, position, sizeof(position));
    close(display);
    assert_alive(m);
}

static uint32_t picture(struct machine *m, uint32_t shm, uint64_t offset, uint32_t pitch,
                        uint32_t width, uint32_t height)
{
    const struct vd_virtio_gpu_picture record = {
        .record = {.size = sizeof(record), .opcode = VD_VIRTIO_GPU_PICTURE},
        .shm = shm,
        .pitch = pitch,
        .offset = offset,
        .width = width,
        .height = height,
    };
    return submit(m, 1, &record, sizeof(record));
}

static uint32_t show_ring(struct machine *m, uint32_t width, uint32_t height)
{
    const struct virtio_gpu_set_scanout set = {
        .hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT, .r = {0, 0, width, height}, .resource_id = 10};
    return request(m, 0, &set, sizeof(set));
}

/* Shared memory as a scanout: rows where the client says that they are, and never beyond its pages. */
static void shared_memory_is_shown_where_it_lies(void **state)
{
    struct machine *m = *state;
    const uint32_t bytes = RING_PAGES * 4096u;
    connect_context(m, 1);
    const int display = connect_display(m);
    assert_int_not_equal(show_ring(m, 5, 3), VIRTIO_GPU_RESP_OK_NODATA);

    const struct {
        uint32_t shm;
        uint64_t offset;
        uint32_t pitch, width, height;
    } wrong[] = {
        {3, 0, 20, 5, 3},          {1, bytes, 20, 5, 3},           {1, bytes - 59, 20, 5, 3},
        {1, UINT64_MAX, 20, 5, 3}, {1, UINT64_MAX - 59, 20, 5, 3}, {1, 0, 19, 5, 3},
        {1, 0, bytes, 5, 3},       {1, 0, UINT32_MAX, 5, 16384},   {1, 0, 20, 0, 3},
        {1, 0, 20, 5, 0},          {1, 0, 4, UINT32_MAX, 1},       {1, 0, 20, 5, UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(picture(m, wrong[i].shm, wrong[i].offset, wrong[i].pitch, wrong[i].width,
                                 wrong[i].height),
                         VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    }
    assert_int_equal(picture(m, 1, bytes - 60, 20, 5, 3), VIRTIO_GPU_RESP_OK_NODATA);

    /* Across the border of two pages that do not lie side by side. */
    const uint32_t at = 0x81000 - 60, pitch = 44;
    for (uint32_t i = 0; i < 15; i++) {
        const uint32_t pixel = 0xff000000 | (i + 1);
        memcpy(reversed(m, RING_AT, RING_PAGES, at + i / 5 * pitch + i % 5 * 4), &pixel, 4);
    }
    assert_int_equal(picture(m, 1, at, pitch, 5, 3), VIRTIO_GPU_RESP_OK_NODATA);
    assert_int_not_equal(show_ring(m, 6, 3), VIRTIO_GPU_RESP_OK_NODATA);
    assert_int_equal(show_ring(m, 5, 3), VIRTIO_GPU_RESP_OK_NODATA);
    uint32_t size[3];
    expect_display(display, DISPLAY_SCANOUT, size, sizeof(size));
    assert_int_equal(size[1], 5);
    assert_int_equal(size[2], 3);
    struct {
        uint32_t scanout, x, y, width, height;
        uint32_t pixels[15];
    } update;
    expect_display(display, DISPLAY_UPDATE, &update, sizeof(update));
    for (uint32_t i = 0; i < 15; i++) {
        assert_int_equal(update.pixels[i], 0xff000000 | (i + 1));
    }
    close(display);
    assert_alive(m);
}

/* QEMU's answer to a question of the guest's last life is not taken for one to this life's. */
static void a_late_answer_is_nobodys(void **state)
{
    struct machine *m = *state;
    const int display = connect_display(m);
    const struct virtio_gpu_cmd_get_edid get_edid = {.hdr.type = VIRTIO_GPU_CMD_GET_EDID};
    const struct virtio_gpu_ctrl_hdr get_info = {.type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO};
    uint32_t scanout;
    offer_request(m, 0, &get_edid, sizeof(get_edid), 1);
    expect_display(display, DISPLAY_GET_EDID, &scanout, sizeof(scanout));
    stop_control_queue(m);
    start_queues(m);
    offer_request(m, 0, &get_info, sizeof(get_info), 1);
    /* It has been read when this is answered. */
    assert_int_equal(create_context(m, 1), VIRTIO_GPU_RESP_OK_NODATA);
    /* An EDID is longer than the other answer, and all of this one's bytes would be modes. */
    struct virtio_gpu_resp_edid edid;
    memset(&edid, 0xee, sizeof(edid));
    answer_display(display, DISPLAY_GET_EDID, &edid, sizeof(edid));
    expect_display(display, DISPLAY_GET_INFO, NULL, 0);
    const struct virtio_gpu_resp_display_info info = {.pmodes[0] = {.r = {0, 0, 1001, 603}}};
    answer_display(display, DISPLAY_GET_INFO, &info, sizeof(info));
    assert_int_equal(await(m, 0), sizeof(info));
    const struct virtio_gpu_resp_display_info *answer = (void *)(m->ram + ANSWER_AT + 0x8000);
    assert_int_equal(answer->hdr.type, VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
    assert_int_equal(answer->pmodes[0].r.width, 1001);
    assert_int_equal(answer->pmodes[0].r.height, 603);
    close(display);
    assert_alive(m);
}

/* ---- Watches */

static void offer_watch(struct machine *m, uint16_t slot)
{
    const struct {
        struct virtio_gpu_cmd_submit submit;
        struct vd_virtio_gpu_watch watch;
    } command = {
        .submit = {.hdr = {.type = VIRTIO_GPU_CMD_SUBMIT_3D,
                           .flags = VIRTIO_GPU_FLAG_FENCE,
                           .fence_id = slot,
                           .ctx_id = 1},
                   .size = sizeof(command.watch)},
        .watch = {.record = {.size = sizeof(command.watch), .opcode = VD_VIRTIO_GPU_WATCH}},
    };
    offer_request(m, 0, &command, sizeof(command), slot);
}

/* The number of the fence that the answer in this slot signals. */
static uint64_t signalled(const struct machine *m, uint16_t slot)
{
    return ((const struct virtio_gpu_ctrl_hdr *)(m->ram + ANSWER_AT + slot * 0x8000))->fence_id;
}

/* A watch is kept: not answered by time as a wait is, but by the next one, and by the worker's
 * death. Without a worker there is nothing to watch. */
static void a_watch_ends_with_the_worker(void **state)
{
    struct machine *m = *state;
    struct pollfd call = {.fd = m->call[0], .events = POLLIN};
    assert_int_equal(create_context(m, 1), VIRTIO_GPU_RESP_OK_NODATA);
    offer_watch(m, 1);
    await(m, 0);
    assert_int_equal(simple(m, VIRTIO_GPU_CMD_CTX_DESTROY, 1, 0), VIRTIO_GPU_RESP_OK_NODATA);

    connect_context(m, 1);
    eventfd_t count;
    eventfd_read(m->call[0], &count);
    offer_watch(m, 2);
    assert_int_equal(poll(&call, 1, 2500), 0);
    offer_watch(m, 3);
    await(m, 0);
    assert_int_equal(signalled(m, 2), 2);
    assert_int_equal(signalled(m, 3), 0);

    struct vd_completion *page = (struct vd_completion *)(m->ram + PAGE_AT);
    abort_worker(m);
    await(m, 0);
    assert_int_equal(signalled(m, 3), 3);
    assert_int_equal(atomic_load(&page->lost), 1);
    offer_watch(m, 4);
    await(m, 0);
}

static void others_resources_are_out_of_reach(void **state)
{
    struct machine *m = *state;
    assert_int_equal(create_context(m, 1), VIRTIO_GPU_RESP_OK_NODATA);
    assert_int_equal(create_context(m, 2), VIRTIO_GPU_RESP_OK_NODATA);
    assert_int_equal(create_buffer(m, 5, 4096), VIRTIO_GPU_RESP_OK_NODATA);
    /* Not attached, and not there at all. */
    assert_int_equal(register_shm(m, 1, 5, 1), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    assert_int_equal(register_shm(m, 1, 6, 1), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    assert_int_equal(simple(m, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, 2, 5),
                     VIRTIO_GPU_RESP_OK_NODATA);
    /* Attached to another context; without pages; without an id. */
    assert_int_equal(register_shm(m, 1, 5, 1), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    assert_int_equal(register_shm(m, 2, 5, 1), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(attach(m, 5, PAGES_AT, 1), VIRTIO_GPU_RESP_OK_NODATA);
    assert_int_equal(register_shm(m, 2, 5, 0), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(register_shm(m, 2, 5, VD_VIRTIO_GPU_SHM_MAX + 1),
                     VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    /* A context's words belong to it alone. */
    register_shm(m, 2, 5, 1);
    const struct vd_virtio_gpu_wake wake = {
        .record = {.size = sizeof(wake), .opcode = VD_VIRTIO_GPU_WAKE}, .shm = 1};
    assert_int_equal(submit(m, 1, &wake, sizeof(wake)), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(submit(m, 2, &wake, sizeof(wake)), VIRTIO_GPU_RESP_OK_NODATA);
    assert_int_equal(submit(m, 3, &wake, sizeof(wake)), VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID);
    assert_alive(m);
}

/* What is parked never fills the queue, and does not stay when the queue is stopped. */
static void many_waits_do_not_fill_the_queue(void **state)
{
    struct machine *m = *state;
    connect_context(m, 1);
    struct {
        struct virtio_gpu_cmd_submit submit;
        struct vd_virtio_gpu_wait wait;
    } command = {
        .submit = {.hdr = {.type = VIRTIO_GPU_CMD_SUBMIT_3D,
                           .flags = VIRTIO_GPU_FLAG_FENCE,
                           .ctx_id = 1},
                   .size = sizeof(command.wait)},
        .wait = {.record = {.size = sizeof(command.wait), .opcode = VD_VIRTIO_GPU_WAIT}, .shm = 2},
    };
    /* More waits than a context may have parked: the oldest come back. */
    for (uint16_t i = 0; i < 30; i++) {
        command.wait.thread = i;
        command.submit.hdr.fence_id = i;
        offer_request(m, 0, &command, sizeof(command), (uint16_t)(1 + i % 31));
    }
    for (int i = 0; i < 6; i++) {
        await(m, 0);
    }
    /* The rest when the frontend stops the queue. */
    stop_control_queue(m);
    for (int i = 0; i < 24; i++) {
        await(m, 0);
    }
    /* And a guest that begins anew finds nothing of the last one. */
    memset(m->ram + PAGES_AT, 0, RAM_SIZE - PAGES_AT);
    start_queues(m);
    connect_context(m, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
        TEST(every_length_is_answered),         TEST(nonsense_is_survived),
        TEST(malformed_descriptors_come_back),  TEST(pixels_stay_within_bounds),
        TEST(guest_and_worker_share_pages),     TEST(a_dead_worker_is_told),
        TEST(the_cursor_is_shown_as_it_is),     TEST(shared_memory_is_shown_where_it_lies),
        TEST(a_watch_ends_with_the_worker),     TEST(others_resources_are_out_of_reach),
        TEST(many_waits_do_not_fill_the_queue), TEST(a_late_answer_is_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
