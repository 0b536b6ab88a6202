/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/virtio_gpu.h>

#include "common/pass_fds.h"
#include "protocol/virtio_gpu.h"

#include "opcodes.h"
#include "server/listener.h"
#include "server/virtio_gpu/device.h"

void machine_send(struct machine *m, uint32_t request, const void *payload, uint32_t size, int fd)
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

void machine_start_queues(struct machine *m)
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
        machine_send(m, SET_VRING_NUM, number, sizeof(number), -1);
        machine_send(m, SET_VRING_BASE, base, sizeof(base), -1);
        machine_send(m, SET_VRING_ADDR, &address, sizeof(address), -1);
        machine_send(m, SET_VRING_CALL, &index, sizeof(index), m->call[q]);
        machine_send(m, SET_VRING_KICK, &index, sizeof(index), m->kick[q]);
        machine_send(m, SET_VRING_ENABLE, enable, sizeof(enable), -1);
    }
}

void machine_stop_control_queue(struct machine *m)
{
    const uint32_t stop[2] = {0, 0};
    uint8_t answer[20];
    machine_send(m, GET_VRING_BASE, stop, sizeof(stop), -1);
    assert_int_equal(recv(m->socket, answer, sizeof(answer), MSG_WAITALL), sizeof(answer));
}

int machine_set_up(void **state)
{
    struct machine *m = calloc(1, sizeof(*m));
    int sockets[2];
    if (!m || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) < 0)
        return -1;
    m->seed = 1;
    m->server = fork();
    if (m->server == 0) {
        close(sockets[0]);
        const struct vds_listener_options options = {
            .fd = sockets[1], .socket_fd = -1, .ready_fd = -1, .run_device = vg_device_run};
        _exit(vds_listener_run(&options));
    }
    close(sockets[1]);
    m->socket = sockets[0];
    m->memory = memfd_create("ram", MFD_CLOEXEC);
    if (ftruncate(m->memory, RAM_SIZE) < 0)
        return -1;
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
    machine_send(m, SET_OWNER, "", 0, -1);
    machine_send(m, SET_FEATURES, &features, sizeof(features), -1);
    machine_send(m, SET_MEM_TABLE, &table, sizeof(table), m->memory);
    machine_start_queues(m);
    *state = m;
    return 0;
}

int machine_tear_down(void **state)
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

struct vring_desc *machine_descs(struct machine *m, unsigned queue)
{
    return (struct vring_desc *)(m->ram + place(queue, 0));
}

void machine_offer(struct machine *m, unsigned queue, uint16_t head)
{
    volatile uint16_t *avail = (volatile uint16_t *)(m->ram + place(queue, 1));
    avail[2 + m->avail[queue] % QUEUE_SIZE] = head;
    atomic_thread_fence(memory_order_seq_cst);
    avail[1] = ++m->avail[queue];
    eventfd_write(m->kick[queue], 1);
}

uint32_t machine_await(struct machine *m, unsigned queue)
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

void machine_offer_request(struct machine *m, unsigned queue, const void *request, uint32_t size,
                           uint16_t slot)
{
    struct vring_desc *desc = machine_descs(m, queue) + 2 * slot;
    const uint32_t at = REQUEST_AT + slot * 0x1000, answer = ANSWER_AT + slot * 0x8000;
    memcpy(m->ram + at, request, size);
    memset(m->ram + answer, 0, 64);
    desc[0] = (struct vring_desc){RAM_BASE + at, size, VRING_DESC_F_NEXT, (uint16_t)(2 * slot + 1)};
    desc[1] = (struct vring_desc){RAM_BASE + answer, 0x8000, VRING_DESC_F_WRITE, 0};
    machine_offer(m, queue, (uint16_t)(2 * slot));
}

uint32_t machine_request(struct machine *m, unsigned queue, const void *bytes, uint32_t size)
{
    machine_offer_request(m, queue, bytes, size, 0);
    const uint32_t written = machine_await(m, queue);
    return written >= sizeof(struct virtio_gpu_ctrl_hdr) ? *(uint32_t *)(m->ram + ANSWER_AT) : 0;
}

uint32_t machine_simple(struct machine *m, uint32_t type, uint32_t context, uint32_t id)
{
    const struct {
        struct virtio_gpu_ctrl_hdr hdr;
        uint32_t id, padding;
    } command = {.hdr = {.type = type, .ctx_id = context}, .id = id};
    return machine_request(m, 0, &command, sizeof(command));
}

void machine_assert_alive(struct machine *m)
{
    const struct virtio_gpu_ctrl_hdr info = {.type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO};
    assert_int_equal(machine_request(m, 0, &info, sizeof(info)), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
}

uint32_t machine_create_context(struct machine *m, uint32_t id)
{
    const struct virtio_gpu_ctx_create create = {
        .hdr = {.type = VIRTIO_GPU_CMD_CTX_CREATE, .ctx_id = id}, .debug_name = "test"};
    return machine_request(m, 0, &create, sizeof(create));
}

uint32_t machine_create_buffer(struct machine *m, uint32_t id, uint32_t size)
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
    return machine_request(m, 0, &create, sizeof(create));
}

uint32_t machine_attach(struct machine *m, uint32_t id, uint32_t at, uint32_t pages)
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
    return machine_request(
        m, 0, bytes, (uint32_t)(sizeof(attach) + pages * sizeof(struct virtio_gpu_mem_entry)));
}

uint32_t machine_submit(struct machine *m, uint32_t context, const void *record, uint32_t size)
{
    uint8_t bytes[256];
    const struct virtio_gpu_cmd_submit submit = {.hdr = {.type = VIRTIO_GPU_CMD_SUBMIT_3D,
                                                         .flags = VIRTIO_GPU_FLAG_FENCE,
                                                         .fence_id = 1,
                                                         .ctx_id = context},
                                                 .size = size};
    memcpy(bytes, &submit, sizeof(submit));
    memcpy(bytes + sizeof(submit), record, size);
    return machine_request(m, 0, bytes, (uint32_t)sizeof(submit) + size);
}

uint32_t machine_register_shm(struct machine *m, uint32_t context, uint32_t resource, uint32_t shm)
{
    const struct vd_virtio_gpu_register record = {
        .record = {.size = sizeof(record), .opcode = VD_VIRTIO_GPU_REGISTER},
        .resource = resource,
        .shm = shm};
    return machine_submit(m, context, &record, sizeof(record));
}

uint8_t *machine_reversed(struct machine *m, uint32_t at, uint32_t pages, uint32_t offset)
{
    return m->ram + at + (pages - 1 - offset / 4096) * 4096 + offset % 4096;
}

void machine_connect_context(struct machine *m, uint32_t context)
{
    assert_int_equal(machine_create_context(m, context), VIRTIO_GPU_RESP_OK_NODATA);
    const struct {
        uint32_t id, pages, at;
    } parts[] = {{10, RING_PAGES, RING_AT}, {11, 1, PAGE_AT}};
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(machine_create_buffer(m, parts[i].id, parts[i].pages * 4096),
                         VIRTIO_GPU_RESP_OK_NODATA);
        assert_int_equal(machine_attach(m, parts[i].id, parts[i].at, parts[i].pages),
                         VIRTIO_GPU_RESP_OK_NODATA);
        assert_int_equal(
            machine_simple(m, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, context, parts[i].id),
            VIRTIO_GPU_RESP_OK_NODATA);
        machine_register_shm(m, context, parts[i].id, 1 + i);
        _Atomic uint32_t *status =
            (_Atomic uint32_t *)machine_reversed(m, parts[i].at, parts[i].pages, 0);
        assert_int_equal(atomic_load(status), VD_VIRTIO_GPU_REGISTERED);
        atomic_store(status, 0);
    }
    const struct {
        struct vd_record record;
        struct vd_setup setup;
    } setup = {{sizeof(setup), VD_OP_SETUP, 0}, {VD_PROTOCOL_VERSION, 1, 2, 0}};
    assert_int_equal(machine_submit(m, context, &setup, sizeof(setup)), VIRTIO_GPU_RESP_OK_NODATA);
}
