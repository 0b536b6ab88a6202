/* SPDX-License-Identifier: MIT */
#include "vtest.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/pass_fds.h"

#include "log.h"

#define INPUT_SIZE (sizeof(struct vtest_header) + VTEST_PAYLOAD_MAX)

struct vds_vtest {
    int fd;
    struct vds_vtest_session session;
    size_t input_size;
    uint8_t input[INPUT_SIZE];
};

struct vds_vtest *vds_vtest_create(int fd, struct vds_shm_table *shm,
                                   const struct vds_vtest_listener *listener, void *data)
{
    struct vds_vtest *vtest = calloc(1, sizeof(*vtest));
    if (!vtest)
        return NULL;
    vtest->fd = fd;
    vds_vtest_session_init(&vtest->session, shm, listener, data);
    return vtest;
}

void vds_vtest_destroy(struct vds_vtest *vtest)
{
    if (!vtest)
        return;
    vds_vtest_session_finish(&vtest->session);
    free(vtest);
}

static bool output_pending(const struct vds_vtest *vtest)
{
    return vds_vtest_output_pending(&vtest->session);
}

short vds_vtest_events(const struct vds_vtest *vtest)
{
    return output_pending(vtest) ? POLLOUT : POLLIN;
}

/* Handles the messages that have arrived completely, up to one that makes an answer. */
static bool handle_input(struct vds_vtest *vtest)
{
    size_t used = 0;
    bool ok = true;
    while (ok && !output_pending(vtest)) {
        struct vtest_header header;
        uint32_t size;
        if (vtest->input_size - used < sizeof(header))
            break;
        memcpy(&header, vtest->input + used, sizeof(header));
        const struct vds_vtest_message *message = vds_vtest_check(&vtest->session, &header, &size);
        if (!message) {
            ok = false;
            break;
        }
        if (vtest->input_size - used - sizeof(header) < size)
            break;
        ok = vds_vtest_handle(&vtest->session, message, vtest->input + used + sizeof(header), size);
        used += sizeof(header) + size;
    }
    memmove(vtest->input, vtest->input + used, vtest->input_size - used);
    vtest->input_size -= used;
    return ok;
}

/* ---- The socket */

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* The descriptor travels with one byte of its own, so that a reader of the answer can not swallow
 * it. */
static ssize_t send_fd(int socket, int fd)
{
    const char byte = 0;
    return vd_send_fds(socket, &byte, 1, &fd, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Sends what the socket takes. */
static enum vds_vtest_status flush_output(struct vds_vtest *vtest)
{
    struct vds_vtest_output *output = &vtest->session.output;
    while (output_pending(vtest)) {
        const bool bytes = output->sent < output->size;
        const ssize_t sent = bytes ? send(vtest->fd, output->bytes + output->sent,
                                          output->size - output->sent, MSG_NOSIGNAL | MSG_DONTWAIT)
                                   : send_fd(vtest->fd, output->fd);
        if (sent < 0) {
            if (would_block())
                return VDS_VTEST_OPEN;
            if (errno == EPIPE || errno == ECONNRESET)
                return VDS_VTEST_CLOSED;
            vds_log(VDS_LOG_ERROR, "can not send to the client: %s", strerror(errno));
            return VDS_VTEST_FAILED;
        }
        if (bytes) {
            output->sent += (size_t)sent;
        } else {
            close(output->fd);
            output->fd = -1;
        }
    }
    return VDS_VTEST_OPEN;
}

/* Keeps the descriptor that came with a message. False: there is one already that no message has
 * asked for. */
static bool keep_fd(struct vds_vtest *vtest, int fd)
{
    if (vtest->session.input_fd >= 0) {
        vds_log(VDS_LOG_WARNING, "protocol error: a descriptor that belongs to no message");
        close(fd);
        return false;
    }
    vtest->session.input_fd = fd;
    return true;
}

/* Reads once. *more: there was something. */
static enum vds_vtest_status fill_input(struct vds_vtest *vtest, bool *more)
{
    int fd;
    unsigned count;
    *more = false;
    const ssize_t received =
        vd_receive_fds(vtest->fd, vtest->input + vtest->input_size, INPUT_SIZE - vtest->input_size,
                       &fd, 1, &count, MSG_DONTWAIT);
    if (received > 0) {
        if (count > 0 && !keep_fd(vtest, fd))
            return VDS_VTEST_FAILED;
        vtest->input_size += (size_t)received;
        *more = true;
        return VDS_VTEST_OPEN;
    }
    if (received < 0 && would_block())
        return VDS_VTEST_OPEN;
    if (received < 0 && errno != ECONNRESET) {
        vds_log(VDS_LOG_ERROR, "can not read from the client: %s", strerror(errno));
        return VDS_VTEST_FAILED;
    }
    if (vtest->input_size > 0) {
        vds_log(VDS_LOG_WARNING, "protocol error: the connection ends within a message (%zu bytes)",
                vtest->input_size);
        return VDS_VTEST_FAILED;
    }
    return VDS_VTEST_CLOSED;
}

/* Serves what has been read, until the rest is no whole message or an answer can not leave: who does
 * not read is not served. */
static enum vds_vtest_status serve_input(struct vds_vtest *vtest)
{
    for (;;) {
        const enum vds_vtest_status status = flush_output(vtest);
        if (status != VDS_VTEST_OPEN || output_pending(vtest))
            return status;
        if (!handle_input(vtest))
            return VDS_VTEST_FAILED;
        if (!output_pending(vtest))
            return VDS_VTEST_OPEN;
    }
}

enum vds_vtest_status vds_vtest_process(struct vds_vtest *vtest)
{
    enum vds_vtest_status status = serve_input(vtest);
    if (status != VDS_VTEST_OPEN || output_pending(vtest))
        return status;
    /* One read a call, so that a client that never stops does not keep us from other events. */
    bool more;
    status = fill_input(vtest, &more);
    return status == VDS_VTEST_OPEN && more ? serve_input(vtest) : status;
}
