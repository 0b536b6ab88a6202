/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: messages of vhost-user, and the virtqueues that they set up. The input is a list of messages:
 * the request, flags, what descriptor comes along, the size of the payload and that many bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/pass_fds.h"
#include "server/log.h"
#include "server/virtio_gpu/gpu.h"
#include "server/virtio_gpu/loop.h"
#include "server/virtio_gpu/vhost_user.h"

#include "seeds.h"

#define RAM_SIZE (1u << 20)
#define RAM_BASE UINT64_C(0x100000000)
#define USER     UINT64_C(0x7f0000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum attached {
    NOTHING,
    MEMORY,
    EVENT,
    SOCKET,
    TWO,
    ATTACHED_COUNT
};

struct fuzz {
    struct vg_loop loop;
    struct vg_gpu *gpu;
    struct vg_vhost_user *vhost_user;
    int socket, spawn, display;
    int memory, event;
};

static void drain(int socket)
{
    char bytes[4096];
    while (recv(socket, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
}

static void settle(struct fuzz *f)
{
    for (int i = 0; i < 32 && vg_loop_turn(&f->loop, 0) == 1; i++) {
        drain(f->socket);
        drain(f->display);
    }
}

static void say(struct fuzz *f, uint32_t request, uint32_t flags, enum attached attached,
                const void *payload, uint32_t size)
{
    struct {
        uint32_t request, flags, size;
        uint8_t payload[2048];
    } message = {request, flags, size, {0}};
    int pair[2] = {-1, -1}, fds[2];
    unsigned count = 0;
    memcpy(message.payload, payload, size);
    switch (attached) {
    case MEMORY:
        fds[count++] = f->memory;
        break;
    case EVENT:
        fds[count++] = f->event;
        break;
    case SOCKET:
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0)
            fds[count++] = pair[0];
        break;
    case TWO:
        fds[count++] = f->memory;
        fds[count++] = f->event;
        break;
    case NOTHING:
    case ATTACHED_COUNT:
        break;
    }
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(fds))];
    } control = {0};
    struct iovec part = {&message, 12 + size};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (count) {
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    }
    sendmsg(f->socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (pair[0] >= 0) {
        close(pair[0]);
        close(f->display);
        f->display = pair[1];
    }
    settle(f);
}

/* What QEMU says first: memory, and one queue. */
static void set_up(struct fuzz *f)
{
    const struct {
        uint32_t count, padding;
        uint64_t guest, size, user, offset;
    } table = {1, 0, RAM_BASE, RAM_SIZE, USER, 0};
    const struct {
        uint32_t index, flags;
        uint64_t desc, used, avail, log;
    } address = {0, 0, USER + 0x1000, USER + 0x1800, USER + 0x1400, 0};
    const uint32_t number[2] = {0, 16}, base[2] = {0, 0}, enable[2] = {0, 1};
    const uint64_t queue = 0;
    say(f, 5, 1, MEMORY, &table, sizeof(table));
    say(f, 8, 1, NOTHING, number, sizeof(number));
    say(f, 10, 1, NOTHING, base, sizeof(base));
    say(f, 9, 1, NOTHING, &address, sizeof(address));
    say(f, 12, 1, EVENT, &queue, sizeof(queue));
    say(f, 18, 1, NOTHING, enable, sizeof(enable));
}

/* ---- Seeds */

#define REQUESTS    40u
#define NEED_ANSWER 9u

struct step {
    uint8_t request, flags, attached, size;
    uint8_t payload[64];
} __attribute__((packed));

/* Every request, with payloads of all sizes that there are, first as one that comes alone, then behind what QEMU
 * says first. */
static void make_requests(void)
{
    static const uint64_t payload[] = {UINT64_C(1) << 32 | 1, UINT64_C(0x150000001), USER + 0x1000,
                                       USER + 0x1800, USER + 0x1400};
    static const uint8_t sizes[] = {0, 8, 20, 40};
    for (uint8_t request = 0; request < REQUESTS; request++) {
        for (uint8_t attached = NOTHING; attached < ATTACHED_COUNT; attached++) {
            for (size_t i = 0; i < sizeof(sizes); i++) {
                struct {
                    uint8_t set_up;
                    struct step features, step;
                } __attribute__((packed)) seed = {
                    .set_up = attached & 1,
                    .features = {16, 1, NOTHING, sizeof(seed.features.payload), {8}},
                    .step = {request, NEED_ANSWER, attached, sizes[i], {0}},
                };
                if (i != 2)
                    memcpy(seed.step.payload, payload, sizes[i]);
                write_seed(&seed, sizeof(seed) - sizeof(seed.step.payload) + sizes[i]);
                seed.set_up = 1;
                write_seed(&seed, sizeof(seed) - sizeof(seed.step.payload) + sizes[i]);
            }
        }
    }
}

/* Features that are offered, some that are not, and parts of the configuration. */
static void make_numbers(void)
{
    for (uint8_t bit = 0; bit < 64; bit++) {
        const uint64_t features = UINT64_C(1) << bit | UINT64_C(1) << 32;
        struct step seed = {2, 1, NOTHING, sizeof(features), {0}};
        struct {
            uint8_t set_up;
            struct step step;
        } __attribute__((packed)) whole = {bit & 1, seed};
        memcpy(whole.step.payload, &features, sizeof(features));
        write_seed(&whole, 5 + sizeof(features));
        const uint32_t config[] = {bit, 16, 0};
        whole.step = (struct step){24, 1, NOTHING, 12 + 16, {0}};
        memcpy(whole.step.payload, config, sizeof(config));
        write_seed(&whole, 5 + 12 + 16);
    }
}

/* A request of the guest's driver, in a chain of descriptors of these flags. */
static void make_guest(uint16_t first_flags, uint16_t second_flags)
{
    const struct {
        uint64_t address;
        uint32_t size;
        uint16_t flags, next;
    } chain[] = {{RAM_BASE + 0x1200, 24, first_flags, 1},
                 {RAM_BASE + 0x1300, 24, second_flags, 2},
                 {RAM_BASE + 0x2000, 4096, 2, 0}};
    const uint32_t request[] = {0x100};
    const uint16_t available[] = {0, 1, 0};
    struct {
        uint8_t set_up;
        uint8_t table[4], descriptors[sizeof(chain)];
        uint8_t header[4], bytes[sizeof(request)];
        uint8_t offer[4], ring[sizeof(available)];
    } seed = {1,   {128, 0, 0, sizeof(chain)},     {0}, {130, 0, 0, sizeof(request)},
              {0}, {132, 0, 0, sizeof(available)}, {0}};
    memcpy(seed.descriptors, chain, sizeof(chain));
    memcpy(seed.bytes, request, sizeof(request));
    memcpy(seed.ring, available, sizeof(available));
    write_variants(&seed, sizeof(seed), 1);
}

void make_seeds(void)
{
    make_requests();
    make_numbers();
    for (uint16_t flags = 0; flags < 8; flags++) {
        make_guest(flags, 1);
        make_guest(1, flags);
    }
}

/* ---- The target */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = {.display = -1};
    int sockets[2], spawn[2];
    vds_log_set_level(VDS_LOG_ERROR);
    if (size < 1 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, spawn) < 0)
        return 0;
    f.socket = sockets[0];
    f.spawn = spawn[0];
    f.memory = memfd_create("ram", MFD_CLOEXEC);
    f.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    f.gpu = vg_loop_init(&f.loop) ? vg_gpu_create(&f.loop, spawn[1]) : NULL;
    f.vhost_user = f.gpu ? vg_vhost_user_create(&f.loop, f.gpu, sockets[1]) : NULL;
    if (!f.vhost_user || f.memory < 0 || ftruncate(f.memory, RAM_SIZE) < 0)
        abort();
    uint8_t *ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f.memory, 0);
    if (data[0] & 1)
        set_up(&f);
    data++;
    size--;
    while (size >= 4 && vg_vhost_user_is_open(f.vhost_user)) {
        const uint32_t request = data[0];
        size_t length = data[3];
        const uint8_t *bytes = data + 4;
        if (length > size - 4)
            length = size - 4;
        if (request >= 128) { /* the guest writes, and kicks */
            memcpy(ram + 0x1000 + (request & 15) * 0x100, bytes, length);
            eventfd_write(f.event, 1);
            settle(&f);
        } else {
            say(&f, request % 40, data[1] & 15, (enum attached)(data[2] % ATTACHED_COUNT), bytes,
                (uint32_t)length);
        }
        data = bytes + length;
        size -= 4 + length;
    }
    vg_vhost_user_destroy(f.vhost_user);
    vg_gpu_destroy(f.gpu);
    vg_loop_finish(&f.loop);
    munmap(ram, RAM_SIZE);
    close(f.memory);
    close(f.event);
    close(f.socket);
    close(sockets[1]);
    close(f.spawn);
    close(spawn[1]);
    if (f.display >= 0)
        close(f.display);
    return 0;
}
