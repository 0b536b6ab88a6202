/* SPDX-License-Identifier: MIT */
#include "vtest_handshake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/default_socket.h"
#include "common/environment.h"

#include "icd/log.h"
#include "icd/program_name.h"
#include "icd/transport.h"

#include "vtest_owner.h"

/* A server that does not answer for so long counts as none. */
#define HANDSHAKE_SECONDS 5

/* Blobs, and all that we ask for, exist since this version of vtest. */
#define VTEST_VERSION_MIN 3u

/* Tests let the driver speak another version, to see it refused. */
#define TEST_VERSION_ENV "VIADUCT_TEST_PROTOCOL_VERSION"

/* Each step logs why it fails. */
struct handshake {
    struct vdc_vtest_socket *wire;
    struct vd_capset *capset;
    struct sockaddr_un address;
    const char *path; /* in it */
};

static bool failed(const struct handshake *h, const char *step, int error)
{
    vdc_log_reason(error == ETIMEDOUT ? "socket-silent" : "socket-senseless", h->path,
                   "the server at %s does not answer as a Viaduct server (%s: %s)", h->path, step,
                   error == ETIMEDOUT    ? "no answer"
                   : error == ECONNRESET ? "it hung up"
                                         : strerror(error));
    return false;
}

static uint32_t our_protocol_version(void)
{
    const char *text = vd_getenv(TEST_VERSION_ENV);
    return text ? (uint32_t)strtoul(text, NULL, 10) : VD_PROTOCOL_VERSION;
}

static void set_send_timeout(const struct handshake *h, time_t seconds)
{
    const struct timeval timeout = {.tv_sec = seconds};
    setsockopt(h->wire->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
}

static bool connect_to(struct handshake *h, const char *path)
{
    if (strlen(path) >= sizeof(h->address.sun_path)) {
        vdc_log_reason("socket-long", path, "%s is too long for a socket: %s", VTEST_SOCKET_ENV,
                       path);
        return false;
    }
    h->address.sun_family = AF_UNIX;
    strcpy(h->address.sun_path, path);
    h->path = h->address.sun_path;
    int result;
    do {
        result = connect(h->wire->fd, (const struct sockaddr *)&h->address, sizeof(h->address));
    } while (result < 0 && errno == EINTR && vd_clock_ns() < h->wire->deadline);
    if (result < 0) {
        vdc_log_reason(errno == ENOENT || errno == ENOTDIR ? "socket-absent"
                       : errno == EACCES || errno == EPERM ? "socket-denied"
                       : errno == ECONNREFUSED             ? "socket-stale"
                       : errno == EAGAIN                   ? "socket-silent"
                                                           : "socket-error",
                       h->path, "no server at %s: %s", h->path, strerror(errno));
    }
    return result == 0 && vdc_vtest_owner_is_trusted(h->wire->fd, h->path);
}

static bool open_socket(struct handshake *h)
{
    h->wire->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (h->wire->fd < 0) {
        vdc_log_reason("socket-error", "", "no socket: %s", strerror(errno));
        return false;
    }
    set_send_timeout(h, HANDSHAKE_SECONDS); /* bounds connect(), too */
    const char *named = vd_getenv(VTEST_SOCKET_ENV);
    if (named)
        return connect_to(h, named);
    struct vd_default_socket sockets[VD_DEFAULT_SOCKETS_MAX];
    const unsigned count = vd_default_sockets(sockets);
    for (unsigned i = 0; i < count; i++)
        if (connect_to(h, sockets[i].path))
            return true;
    return false;
}

static bool introduce(const struct handshake *h)
{
    char name[64];
    vdc_program_name(name, sizeof(name));
    const size_t size = strlen(name) + 1;
    const int error = vdc_vtest_send(h->wire, VTEST_CREATE_RENDERER, (uint32_t)size, name, size);
    return !error || failed(h, "introduction", error);
}

/* A server that is too old for the ping answers only what follows it. */
static bool ping(const struct handshake *h)
{
    static const uint32_t busy_wait[2] = {0, 0};
    struct vtest_header header;
    uint32_t busy;
    int error = vdc_vtest_send_dwords(h->wire, VTEST_PING_PROTOCOL_VERSION, NULL, 0);
    if (!error)
        error =
            vdc_vtest_send_dwords(h->wire, VTEST_RESOURCE_BUSY_WAIT, busy_wait, sizeof(busy_wait));
    if (!error)
        error = vdc_vtest_receive(h->wire, &header, sizeof(header));
    if (!error && (header.command != VTEST_PING_PROTOCOL_VERSION || header.length != 0))
        error = EPROTO;
    if (!error)
        error = vdc_vtest_receive_answer(h->wire, VTEST_RESOURCE_BUSY_WAIT, &busy, sizeof(busy));
    return !error || failed(h, "ping", error);
}

static bool negotiate(const struct handshake *h)
{
    uint32_t version = VTEST_PROTOCOL_VERSION;
    int error =
        vdc_vtest_send_dwords(h->wire, VTEST_PROTOCOL_VERSION_CMD, &version, sizeof(version));
    if (!error)
        error = vdc_vtest_receive_answer(h->wire, VTEST_PROTOCOL_VERSION_CMD, &version,
                                         sizeof(version));
    if (error)
        return failed(h, "vtest version", error);
    if (version < VTEST_VERSION_MIN) {
        vdc_log_reason("socket-foreign", h->path,
                       "the server at %s speaks vtest %u, this driver needs %u", h->path, version,
                       VTEST_VERSION_MIN);
        return false;
    }
    return true;
}

static bool get_capset(const struct handshake *h)
{
    struct vd_capset *capset = h->capset;
    const uint32_t ours = our_protocol_version();
    const uint32_t request[2] = {VD_CAPSET_ID, ours};
    struct vtest_header header;
    uint32_t valid;
    int error = vdc_vtest_send_dwords(h->wire, VTEST_GET_CAPSET, request, sizeof(request));
    if (!error)
        error = vdc_vtest_receive(h->wire, &header, sizeof(header));
    if (!error && (header.command != VTEST_GET_CAPSET || header.length < 1))
        error = EPROTO;
    if (!error)
        error = vdc_vtest_receive(h->wire, &valid, sizeof(valid));
    if (!error && !valid) {
        vdc_log_reason("socket-foreign", h->path, "the server at %s is not Viaduct's", h->path);
        return false;
    }
    /* The version comes first, for what follows it may be anything where it is not ours. */
    uint32_t theirs = 0;
    if (!error && header.length < (sizeof(valid) + sizeof(theirs)) / 4)
        error = EPROTO;
    if (!error)
        error = vdc_vtest_receive(h->wire, &theirs, sizeof(theirs));
    if (!error && theirs != ours) {
        vdc_log_reason("socket-version", h->path,
                       "the server at %s speaks Viaduct protocol %u, this driver %u", h->path,
                       theirs, ours);
        return false;
    }
    if (!error && header.length != (sizeof(valid) + sizeof(*capset)) / 4)
        error = EPROTO;
    if (!error) {
        capset->protocol_version = theirs;
        error = vdc_vtest_receive(h->wire, (uint8_t *)capset + sizeof(theirs),
                                  sizeof(*capset) - sizeof(theirs));
    }
    if (!error && !vdc_capset_is_valid(capset))
        error = EPROTO;
    return !error || failed(h, "capset", error);
}

static bool init_context(const struct handshake *h)
{
    const uint32_t id = VD_CAPSET_ID;
    const int error = vdc_vtest_send_dwords(h->wire, VTEST_CONTEXT_INIT, &id, sizeof(id));
    return !error || failed(h, "context", error);
}

bool vdc_vtest_handshake(struct vdc_vtest_socket *wire, struct vd_capset *capset)
{
    struct handshake h = {.wire = wire, .capset = capset};
    wire->fd = -1;
    wire->deadline = vd_clock_ns() + HANDSHAKE_SECONDS * VD_NS_PER_S;
    if (!open_socket(&h) || !introduce(&h) || !ping(&h) || !negotiate(&h) || !get_capset(&h) ||
        !init_context(&h)) {
        if (wire->fd >= 0)
            close(wire->fd);
        wire->fd = -1;
        return false;
    }
    wire->deadline = VDC_VTEST_NO_DEADLINE;
    set_send_timeout(&h, 0);
    vdc_log("connected to %s", h.path);
    return true;
}
