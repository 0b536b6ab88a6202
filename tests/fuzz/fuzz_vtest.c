/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: what a client writes to its vtest socket. The first byte of the input decides how
 * far the handshake has come before the rest arrives.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/vtest.h"
#include "server/context.h"
#include "server/log.h"
#include "server/vtest.h"

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

static enum vds_vtest_status feed(struct vds_vtest *vtest, int socket, const void *bytes,
                                  size_t size)
{
    enum vds_vtest_status status = VDS_VTEST_OPEN;
    for (size_t sent = 0; sent < size && status == VDS_VTEST_OPEN;) {
        const ssize_t result =
            send(socket, (const uint8_t *)bytes + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += result > 0 ? (size_t)result : 0;
        status = vds_vtest_process(vtest);
        drain(socket);
    }
    return status;
}

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
    int sockets[2];
    if (size == 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) < 0)
        return 0;
    vds_log_set_level(VDS_LOG_ERROR);
    struct vds_shm_table *shm = vds_shm_table_create();
    struct vds_vtest *vtest = vds_vtest_create(sockets[1], shm, &listener, NULL);
    enum vds_vtest_status status = VDS_VTEST_OPEN;
    switch (data[0] % 3) {
    case 1:
        status = feed(vtest, sockets[0], &prefix, offsetof(__typeof__(prefix), init));
        break;
    case 2:
        status = feed(vtest, sockets[0], &prefix, sizeof(prefix));
        break;
    }
    if (status == VDS_VTEST_OPEN)
        status = feed(vtest, sockets[0], data + 1, size - 1);
    close(sockets[0]);
    while (status == VDS_VTEST_OPEN)
        status = vds_vtest_process(vtest);
    vds_vtest_destroy(vtest);
    vds_shm_table_destroy(shm);
    close(sockets[1]);
    return 0;
}
