/* SPDX-License-Identifier: MIT */
#include "vtest_socket.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/pass_fds.h"

/* Waits for input until the deadline. */
static int await_input(const struct vdc_vtest_socket *wire)
{
    while (wire->deadline != VDC_VTEST_NO_DEADLINE) {
        const uint64_t now = vd_clock_ns();
        if (now >= wire->deadline)
            return ETIMEDOUT;
        struct pollfd source = {.fd = wire->fd, .events = POLLIN};
        const int timeout = (int)((wire->deadline - now + 999999) / 1000000);
        const int ready = poll(&source, 1, timeout);
        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR)
            return errno;
    }
    return 0;
}

int vdc_vtest_receive(const struct vdc_vtest_socket *wire, void *bytes, size_t size)
{
    uint8_t *at = bytes;
    while (size > 0) {
        const int error = await_input(wire);
        if (error)
            return error;
        const ssize_t received = recv(wire->fd, at, size, 0);
        if (received == 0)
            return ECONNRESET;
        if (received < 0) {
            if (errno == EINTR)
                continue;
            return errno;
        }
        at += received;
        size -= (size_t)received;
    }
    return 0;
}

int vdc_vtest_receive_fd(const struct vdc_vtest_socket *wire, int *fd)
{
    char byte;
    unsigned count;
    *fd = -1;
    const int error = await_input(wire);
    if (error)
        return error;
    const ssize_t received = vd_receive_fds(wire->fd, &byte, 1, fd, 1, &count, 0);
    if (received <= 0)
        return received < 0 ? errno : ECONNRESET;
    return 0;
}

int vdc_vtest_send_parts(const struct vdc_vtest_socket *wire, struct iovec *parts, size_t count)
{
    while (count > 0) {
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
        const ssize_t result = sendmsg(wire->fd, &message, MSG_NOSIGNAL);
        if (result < 0) {
            if (errno == EINTR)
                continue;
            return errno == EAGAIN || errno == EWOULDBLOCK ? ETIMEDOUT : errno;
        }
        size_t sent = (size_t)result;
        while (count > 0 && sent >= parts->iov_len) {
            sent -= parts->iov_len;
            parts++;
            count--;
        }
        if (count > 0) {
            parts->iov_base = (uint8_t *)parts->iov_base + sent;
            parts->iov_len -= sent;
        }
    }
    return 0;
}

int vdc_vtest_send(const struct vdc_vtest_socket *wire, uint32_t command, uint32_t length,
                   const void *payload, size_t size)
{
    struct vtest_header header = {.length = length, .command = command};
    struct iovec parts[] = {
        {.iov_base = &header, .iov_len = sizeof(header)},
        {.iov_base = (void *)payload, .iov_len = size},
    };
    return vdc_vtest_send_parts(wire, parts, size > 0 ? 2 : 1);
}

int vdc_vtest_send_dwords(const struct vdc_vtest_socket *wire, uint32_t command,
                          const void *payload, size_t size)
{
    return vdc_vtest_send(wire, command, (uint32_t)(size / 4), payload, size);
}

int vdc_vtest_receive_answer(const struct vdc_vtest_socket *wire, uint32_t command, void *payload,
                             size_t size)
{
    struct vtest_header header;
    const int error = vdc_vtest_receive(wire, &header, sizeof(header));
    if (error)
        return error;
    if (header.command != command || header.length != size / 4)
        return EPROTO;
    return vdc_vtest_receive(wire, payload, size);
}

int vdc_vtest_send_fd(const struct vdc_vtest_socket *wire, const void *message, size_t size, int fd)
{
    ssize_t sent;
    do {
        sent = vd_send_fds(wire->fd, message, size, &fd, 1, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno;
    /* The descriptor went with the first byte. */
    struct iovec rest = {.iov_base = (uint8_t *)message + sent, .iov_len = size - (size_t)sent};
    return rest.iov_len ? vdc_vtest_send_parts(wire, &rest, 1) : 0;
}
