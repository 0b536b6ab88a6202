/* SPDX-License-Identifier: MIT */
#include "display_socket.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/log.h"

struct header {
    uint32_t request;
    uint32_t flags;
    uint32_t size;
};
static_assert(sizeof(struct header) + VG_DISPLAY_ANSWER_MAX ==
                  sizeof(((struct vg_display_socket *)NULL)->input),
              "the longest answer fits");

/* ---- Out */

void *vg_display_socket_put(struct vg_display_socket *socket, uint32_t request, size_t size)
{
    const size_t whole = socket->output_size + sizeof(struct header) + size;
    if (whole > socket->output_capacity) {
        uint8_t *output = realloc(socket->output, whole);
        if (!output)
            return NULL;
        socket->output = output;
        socket->output_capacity = whole;
    }
    const struct header header = {.request = request, .size = (uint32_t)size};
    memcpy(socket->output + socket->output_size, &header, sizeof(header));
    void *payload = socket->output + socket->output_size + sizeof(header);
    socket->output_size = whole;
    return payload;
}

void vg_display_socket_put_copy(struct vg_display_socket *socket, uint32_t request,
                                const void *bytes, size_t size)
{
    void *payload = vg_display_socket_put(socket, request, size);
    if (payload)
        memcpy(payload, bytes, size);
}

void vg_display_socket_take_back(struct vg_display_socket *socket, size_t size)
{
    socket->output_size -= sizeof(struct header) + size;
}

static void lose(struct vg_display_socket *socket)
{
    vg_display_socket_close(socket);
    socket->listener->closed(socket->data);
}

static void watch_writing(struct vg_display_socket *socket, bool writing)
{
    if (socket->writing != writing) {
        socket->writing = writing;
        vg_loop_change(socket->loop, &socket->source, EPOLLIN | (writing ? EPOLLOUT : 0));
    }
}

void vg_display_socket_pump(struct vg_display_socket *socket)
{
    while (socket->source.fd >= 0) {
        if (socket->output_sent == socket->output_size) {
            socket->output_size = 0;
            socket->output_sent = 0;
            socket->listener->fill(socket->data);
            if (socket->output_size == 0) {
                watch_writing(socket, false);
                return;
            }
        }
        const ssize_t sent =
            send(socket->source.fd, socket->output + socket->output_sent,
                 socket->output_size - socket->output_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN) {
            watch_writing(socket, true);
            return;
        }
        if (sent < 0) {
            lose(socket);
            return;
        }
        socket->output_sent += (size_t)sent;
    }
}

/* ---- In */

/* False: what QEMU says makes no sense. */
static bool take_messages(struct vg_display_socket *socket)
{
    struct header header;
    while (socket->input_size >= sizeof(header)) {
        memcpy(&header, socket->input, sizeof(header));
        if (header.size > VG_DISPLAY_ANSWER_MAX)
            return false;
        const size_t whole = sizeof(header) + header.size;
        if (socket->input_size < whole)
            break;
        if (!socket->listener->received(socket->data, header.request,
                                        socket->input + sizeof(header), header.size)) {
            vds_log(VDS_LOG_ERROR, "QEMU's display answers %u with %u bytes", header.request,
                    header.size);
            return false;
        }
        memmove(socket->input, socket->input + whole, socket->input_size - whole);
        socket->input_size -= whole;
    }
    return true;
}

/* False: the display is gone. */
static bool receive(struct vg_display_socket *socket)
{
    for (;;) {
        const ssize_t received = recv(socket->source.fd, socket->input + socket->input_size,
                                      sizeof(socket->input) - socket->input_size, MSG_DONTWAIT);
        if (received < 0 && errno == EINTR)
            continue;
        if (received < 0 && errno == EAGAIN)
            return true;
        if (received <= 0)
            return false;
        socket->input_size += (size_t)received;
        if (!take_messages(socket))
            return false;
    }
}

static void ready(struct vg_source *source, uint32_t events)
{
    struct vg_display_socket *socket = (struct vg_display_socket *)source;
    static_assert(offsetof(struct vg_display_socket, source) == 0, "it begins with its source");
    if ((events & ~(uint32_t)EPOLLOUT) && !receive(socket)) {
        lose(socket);
        return;
    }
    vg_display_socket_pump(socket);
}

/* ---- Life */

void vg_display_socket_init(struct vg_display_socket *socket, struct vg_loop *loop,
                            const struct vg_display_socket_listener *listener, void *data)
{
    *socket = (struct vg_display_socket){
        .source = {.ready = ready, .fd = -1},
        .loop = loop,
        .listener = listener,
        .data = data,
    };
}

void vg_display_socket_finish(struct vg_display_socket *socket)
{
    vg_display_socket_close(socket);
    free(socket->output);
    socket->output = NULL;
}

bool vg_display_socket_is_open(const struct vg_display_socket *socket)
{
    return socket->source.fd >= 0;
}

void vg_display_socket_open(struct vg_display_socket *socket, int fd)
{
    vg_display_socket_close(socket);
    socket->source.fd = fd;
    vg_loop_watch(socket->loop, &socket->source, EPOLLIN);
}

void vg_display_socket_close(struct vg_display_socket *socket)
{
    if (socket->source.fd >= 0) {
        vg_loop_unwatch(socket->loop, &socket->source);
        close(socket->source.fd);
        socket->source.fd = -1;
    }
    socket->writing = false;
    socket->output_size = 0;
    socket->output_sent = 0;
    socket->input_size = 0;
}
