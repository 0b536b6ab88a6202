/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: what a client writes to its vtest socket. The first byte of the input decides how
 * far the handshake has come before the rest arrives, and which descriptors come with that.
 */
#include <assert.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/pass_fds.h"
#include "opcodes.h"
#include "protocol/vtest.h"
#include "server/context.h"
#include "server/log.h"
#include "server/vtest.h"

#include "seeds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void named(void *data, const char *name)
{
    (void)data;
    for (; *name; name++)
        if (*name < ' ' || *name > '~')
            abort();
}

static bool context_init(void *data)
{
    (void)data;
    return true;
}

static bool setup(void *data, const struct vd_setup *setup)
{
    (void)data;
    (void)setup;
    return true;
}

static const struct vds_vtest_listener listener = {
    .named = named,
    .context_init = context_init,
    .setup = setup,
};

/* Reads and drops the answers. */
static void drain(int socket)
{
    static uint8_t bytes[65536];
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    for (;;) {
        struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
        struct msghdr message = {
            .msg_iov = &iov,
            .msg_iovlen = 1,
            .msg_control = &control,
            .msg_controllen = sizeof(control),
        };
        if (recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
            return;
        const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        if (header) {
            int fd;
            memcpy(&fd, CMSG_DATA(header), sizeof(fd));
            close(fd);
        }
    }
}

/* How far the handshake has come. */
enum stage {
    STAGE_NEW,
    STAGE_NAMED,
    STAGE_CONTEXT,
    STAGE_COUNT
};

enum attached {
    NOTHING,
    SHARED_MEMORY, /* as a server accepts it */
    A_FILE,        /* that may shrink */
    A_SOCKET,
    ONE_EACH, /* with each of two parts */
    ATTACHED_COUNT
};

#define FILE_SIZE 8192

static int make_file(enum attached attached)
{
    if (attached == A_SOCKET)
        return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, FILE_SIZE) < 0)
        abort();
    if (attached != A_FILE)
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
    return fd;
}

/* Sends what the socket takes, with such a descriptor. Returns bytes. */
static size_t send_some(int socket, const void *bytes, size_t size, enum attached attached)
{
    const int fd = attached == NOTHING ? -1 : make_file(attached);
    const ssize_t sent =
        vd_send_fds(socket, bytes, size, &fd, fd >= 0, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (fd >= 0)
        close(fd);
    return sent > 0 ? (size_t)sent : 0;
}

static enum vds_vtest_status feed(struct vds_vtest *vtest, int socket, const void *bytes,
                                  size_t size, enum attached attached)
{
    enum vds_vtest_status status = VDS_VTEST_OPEN;
    for (size_t sent = 0; sent < size && status == VDS_VTEST_OPEN;) {
        const size_t part = attached == ONE_EACH ? 1 : size - sent;
        sent += send_some(socket, (const uint8_t *)bytes + sent, part, attached);
        attached = attached == ONE_EACH ? SHARED_MEMORY : NOTHING;
        status = vds_vtest_process(vtest);
        drain(socket);
    }
    return status;
}

/* ---- Seeds */

/* A message: whole, cut short, with more behind it, and with each of its words changed. */
static void message(enum stage stage, enum attached attached, uint32_t command, const void *payload,
                    uint32_t size)
{
    struct {
        uint8_t first;
        uint8_t bytes[512];
    } seed = {.first = (uint8_t)(stage + STAGE_COUNT * attached)};
    const uint32_t unit = command == VTEST_CREATE_RENDERER ? 1 : 4;
    const struct vtest_header header = {.length = size / unit, .command = command};
    const uint32_t whole = (uint32_t)sizeof(header) + size;
    memcpy(seed.bytes, &header, sizeof(header));
    if (size > 0)
        memcpy(seed.bytes + sizeof(header), payload, size);
    write_seed(&seed, whole);
    write_seed(&seed, 1 + whole);
    write_variants(&seed, 1 + whole + unit, 1);
}

void make_seeds(void)
{
    static const uint32_t version = VTEST_PROTOCOL_VERSION, capset = VD_CAPSET_ID, one = 1;
    static const uint32_t of_capset[] = {VD_CAPSET_ID, VD_PROTOCOL_VERSION}, nothing[2];
    static const struct vtest_create_blob blob = {
        .type = VTEST_BLOB_GUEST, .flags = VTEST_BLOB_MAPPABLE, .size_lo = 4096};
    static const struct vtest_give_shm part = {.size_lo = FILE_SIZE};
    static const struct {
        uint32_t count;
        struct vtest_submit_batch batch;
        struct vd_record record;
        struct vd_setup setup;
    } submission = {
        .count = 1,
        .batch = {.cmd_offset = 9, .cmd_size = 6},
        .record = {.size = 24, .opcode = VD_OP_SETUP},
        .setup = {.protocol_version = VD_PROTOCOL_VERSION, .ring_shm = 1, .completion_shm = 2},
    };
    static_assert(offsetof(__typeof__(submission), record) == 36, "9 words");
    for (enum stage stage = STAGE_NEW; stage < STAGE_COUNT; stage++) {
        message(stage, NOTHING, VTEST_CREATE_RENDERER, "fuz\n", 4);
        message(stage, NOTHING, VTEST_PING_PROTOCOL_VERSION, NULL, 0);
        message(stage, NOTHING, VTEST_RESOURCE_BUSY_WAIT, nothing, sizeof(nothing));
        message(stage, NOTHING, VTEST_PROTOCOL_VERSION_CMD, &version, sizeof(version));
        message(stage, NOTHING, VTEST_GET_CAPSET, of_capset, sizeof(of_capset));
        message(stage, NOTHING, VTEST_CONTEXT_INIT, &capset, sizeof(capset));
        message(stage, NOTHING, VTEST_RESOURCE_CREATE_BLOB, &blob, sizeof(blob));
        message(stage, NOTHING, VTEST_RESOURCE_UNREF, &one, sizeof(one));
        message(stage, NOTHING, VTEST_SUBMIT_CMD2, &submission, sizeof(submission));
        message(stage, NOTHING, VTEST_VIADUCT_TAKE_FD, &one, sizeof(one));
    }
    for (enum attached attached = NOTHING; attached < ATTACHED_COUNT; attached++) {
        message(STAGE_CONTEXT, attached, VTEST_VIADUCT_GIVE_FD, NULL, 0);
        message(STAGE_CONTEXT, attached, VTEST_VIADUCT_GIVE_SHM, &part, sizeof(part));
    }
    /* What was made is used, too. */
    static const struct {
        uint8_t first;
        struct vtest_header create;
        struct vtest_create_blob blob;
        struct vtest_header unref;
        uint32_t id;
    } __attribute__((packed)) made = {STAGE_CONTEXT,
                                      {6, VTEST_RESOURCE_CREATE_BLOB},
                                      {.type = VTEST_BLOB_GUEST, .size_lo = 4096},
                                      {1, VTEST_RESOURCE_UNREF},
                                      1};
    static const struct {
        uint8_t first;
        struct vtest_header give, take;
        uint32_t id;
    } __attribute__((packed)) given = {STAGE_CONTEXT + STAGE_COUNT * A_SOCKET,
                                       {0, VTEST_VIADUCT_GIVE_FD},
                                       {1, VTEST_VIADUCT_TAKE_FD},
                                       1};
    write_seed(&made, sizeof(made));
    write_seed(&given, sizeof(given));
}

/* ---- The target */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct {
        struct vtest_header create;
        char name[4];
        struct vtest_header init;
        uint32_t capset;
    } prefix = {
        .create = {.length = 4, .command = VTEST_CREATE_RENDERER},
        .name = "fuzz",
        .init = {.length = 1, .command = VTEST_CONTEXT_INIT},
        .capset = VD_CAPSET_ID,
    };
    static const size_t lengths[] = {
        [STAGE_NAMED] = offsetof(__typeof__(prefix), init),
        [STAGE_CONTEXT] = sizeof(prefix),
    };
    int sockets[2];
    if (size == 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) < 0)
        return 0;
    vds_log_set_level(VDS_LOG_ERROR);
    struct vds_shm_table *shm = vds_shm_table_create();
    struct vds_vtest *vtest = vds_vtest_create(sockets[1], shm, &listener, NULL);
    enum vds_vtest_status status =
        feed(vtest, sockets[0], &prefix, lengths[data[0] % STAGE_COUNT], NOTHING);
    if (status == VDS_VTEST_OPEN)
        status = feed(vtest, sockets[0], data + 1, size - 1,
                      (enum attached)(data[0] / STAGE_COUNT % ATTACHED_COUNT));
    close(sockets[0]);
    while (status == VDS_VTEST_OPEN)
        status = vds_vtest_process(vtest);
    vds_vtest_destroy(vtest);
    vds_shm_table_destroy(shm);
    close(sockets[1]);
    return 0;
}
