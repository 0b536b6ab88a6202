/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: a virtio-gpu device between a guest, its workers and QEMU's display, all of which say
 * what the input wants. The input is a list of steps: what is to be done, the size of what follows,
 * and that many bytes.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/virtio_gpu.h>

#include "server/log.h"
#include "server/virtio_gpu/gpu.h"
#include "server/virtio_gpu/link.h"
#include "server/virtio_gpu/loop.h"
#include "server/virtio_gpu/spawn.h"

#include "../unit/virtio_gpu_commands.h"
#include "virtio_gpu_steps.h"

#define USER UINT64_C(0x7f0000000000) /* in QEMU */

/* Where things lie in the guest's memory. Its pages are all the rest, and all of this. */
#define QUEUE_SIZE 16u
#define QUEUE_AT   0x1000u /* of the first queue; the second one's behind it */
#define QUEUE_STEP 0x1000u
#define AVAIL_AT   0x400u
#define USED_AT    0x800u
#define REQUEST_AT 0x4000u
#define ANSWER_AT  0x5000u

#define WORKERS_MAX 4

struct fuzz {
    struct vg_loop loop;
    struct vg_gpu *gpu;
    uint8_t *ram;
    uint16_t offered[VG_QUEUES];
    int spawn;   /* the device's way to the listener */
    int spawned; /* our end of it */
    int display;
    int workers[WORKERS_MAX];
    unsigned worker_count;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- The other ends */

/* Keeps the sockets of workers that the device has asked for. */
static void take_workers(struct fuzz *f)
{
    for (;;) {
        struct vg_spawn spawn;
        union {
            struct cmsghdr align;
            char space[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec part = {&spawn, sizeof(spawn)};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof(control)};
        if (recvmsg(f->spawned, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
            return;
        const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        int fd = -1;
        if (header)
            memcpy(&fd, CMSG_DATA(header), sizeof(fd));
        if (fd >= 0 && f->worker_count < WORKERS_MAX)
            f->workers[f->worker_count++] = fd;
        else if (fd >= 0)
            close(fd);
    }
}

/* Reads and drops what the device says; its descriptors with it. */
static void drain(int socket)
{
    static uint8_t bytes[1 << 16];
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * VG_LINK_FDS_MAX)];
    } control;
    for (;;) {
        struct iovec part = {bytes, sizeof(bytes)};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof(control)};
        if (recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
            return;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
            for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
                int fd;
                memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
                close(fd);
            }
        }
    }
}

/* Lets the device do what there is to do. */
static void settle(struct fuzz *f)
{
    for (int i = 0; i < 64 && vg_loop_turn(&f->loop, 0) == 1; i++) {
        take_workers(f);
        drain(f->display);
        for (unsigned worker = 0; worker < f->worker_count; worker++)
            drain(f->workers[worker]);
    }
    vg_gpu_expire(f->gpu);
}

static void end_workers(struct fuzz *f)
{
    take_workers(f);
    while (f->worker_count)
        close(f->workers[--f->worker_count]);
    settle(f);
}

/* ---- The guest */

static void offer(struct fuzz *f, unsigned queue, uint16_t head)
{
    uint8_t *avail = f->ram + QUEUE_AT + queue * QUEUE_STEP + AVAIL_AT;
    const uint16_t place = f->offered[queue]++ % QUEUE_SIZE;
    memcpy(avail + 4 + place * sizeof(head), &head, sizeof(head));
    memcpy(avail + 2, &f->offered[queue], sizeof(uint16_t));
    vg_gpu_process_queue(f->gpu, queue);
}

static void request(struct fuzz *f, unsigned queue, const void *bytes, size_t size)
{
    struct vring_desc *desc = (struct vring_desc *)(f->ram + QUEUE_AT + queue * QUEUE_STEP);
    memcpy(f->ram + REQUEST_AT, bytes, size);
    desc[0] = (struct vring_desc){RAM_BASE + REQUEST_AT, (uint32_t)size, VRING_DESC_F_NEXT, 1};
    desc[1] = (struct vring_desc){RAM_BASE + ANSWER_AT, 0x1000, VRING_DESC_F_WRITE, 0};
    offer(f, queue, 0);
}

static void command(struct fuzz *f, const uint8_t *bytes, size_t size)
{
    uint8_t whole[sizeof(struct virtio_gpu_ctrl_hdr) + 256] = {0};
    const uint32_t type = commands[bytes[0] % COMMAND_COUNT];
    memcpy(whole, &type, sizeof(type));
    whole[offsetof(struct virtio_gpu_ctrl_hdr, flags)] = bytes[0] >> 7;
    whole[offsetof(struct virtio_gpu_ctrl_hdr, ctx_id)] = size > 1 ? bytes[1] % 4 : 0;
    if (size > 2)
        memcpy(whole + sizeof(struct virtio_gpu_ctrl_hdr), bytes + 2, size - 2);
    /* Whole commands need the right size more often than chance gives it to them. */
    request(f, 0, whole, sizeof(whole));
}

static void submit(struct fuzz *f, const uint8_t *bytes, size_t size)
{
    struct {
        struct virtio_gpu_cmd_submit submit;
        uint8_t record[256];
    } whole = {.submit = {.hdr = {.type = VIRTIO_GPU_CMD_SUBMIT_3D,
                                  .flags = VIRTIO_GPU_FLAG_FENCE,
                                  .ctx_id = bytes[0] % 4},
                          .size = (uint32_t)size - 1}};
    memcpy(whole.record, bytes + 1, size - 1);
    request(f, 0, &whole, sizeof(whole.submit) + size - 1);
}

static void overwrite(struct fuzz *f, uint32_t at, const uint8_t *bytes, size_t size)
{
    memcpy(f->ram + at, bytes, size);
}

/* ---- The machine */

static void start(struct fuzz *f)
{
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
        abort();
    f->spawn = sockets[0];
    f->spawned = sockets[1];
    f->gpu = vg_loop_init(&f->loop) ? vg_gpu_create(&f->loop, f->spawn) : NULL;
    const int fd = memfd_create("ram", MFD_CLOEXEC);
    struct vg_region region = {RAM_BASE, RAM_SIZE, USER, 0, fd, NULL};
    if (!f->gpu || fd < 0 || ftruncate(fd, RAM_SIZE) < 0 ||
        !vg_memory_add(vg_gpu_memory(f->gpu), &region) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) < 0)
        abort();
    f->ram = vg_gpu_memory(f->gpu)->regions[0].map;
    f->display = sockets[1];
    for (unsigned i = 0; i < VG_QUEUES; i++) {
        struct vg_queue *queue = vg_gpu_queue(f->gpu, i);
        const uint64_t at = USER + QUEUE_AT + i * QUEUE_STEP;
        queue->size = QUEUE_SIZE;
        queue->desc_user = at;
        queue->avail_user = at + AVAIL_AT;
        queue->used_user = at + USED_AT;
        queue->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        queue->enabled = true;
        queue->started = true;
        vg_queue_map(queue, vg_gpu_memory(f->gpu));
    }
    vg_gpu_connect_display(f->gpu, sockets[0]);
}

static void finish(struct fuzz *f)
{
    end_workers(f);
    vg_gpu_destroy(f->gpu);
    vg_loop_finish(&f->loop);
    close(f->spawn);
    close(f->spawned);
    close(f->display);
}

static void do_step(struct fuzz *f, enum step step, const uint8_t *bytes, size_t size)
{
    switch (step) {
    case STEP_REQUEST:
        request(f, 0, bytes, size);
        break;
    case STEP_COMMAND:
        if (size > 0)
            command(f, bytes, size);
        break;
    case STEP_CURSOR:
        request(f, 1, bytes, size);
        break;
    case STEP_SUBMIT:
        if (size > 0)
            submit(f, bytes, size);
        break;
    case STEP_DESCRIPTORS:
        overwrite(f, QUEUE_AT, bytes, size);
        offer(f, 0, size > 0 ? bytes[0] : 0);
        break;
    case STEP_AVAILABLE:
        overwrite(f, QUEUE_AT + AVAIL_AT, bytes, size);
        vg_gpu_process_queue(f->gpu, 0);
        break;
    case STEP_MEMORY:
        if (size > 1)
            overwrite(f, (uint32_t)bytes[0] << 12, bytes + 1, size - 1);
        break;
    case STEP_WORKER:
        if (f->worker_count > 0) {
            struct vg_link_message message = {0};
            memcpy(&message, bytes, size < sizeof(message) ? size : sizeof(message));
            send(f->workers[f->worker_count - 1], &message, sizeof(message),
                 MSG_DONTWAIT | MSG_NOSIGNAL);
        }
        break;
    case STEP_WORKER_DIES:
        if (f->worker_count > 0)
            close(f->workers[--f->worker_count]);
        break;
    case STEP_DISPLAY:
        send(f->display, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case STEP_RESET:
        end_workers(f);
        vg_gpu_reset(f->gpu);
        break;
    case STEP_COUNT:
        break;
    }
    take_workers(f);
    settle(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz fuzz = {0};
    vds_log_set_level(VDS_LOG_ERROR);
    start(&fuzz);
    while (size >= 2) {
        const enum step step = (enum step)(data[0] % STEP_COUNT);
        size_t length = data[1];
        data += 2;
        size -= 2;
        if (length > size)
            length = size;
        do_step(&fuzz, step, data, length);
        data += length;
        size -= length;
    }
    finish(&fuzz);
    return 0;
}
