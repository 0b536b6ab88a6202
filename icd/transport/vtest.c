/* SPDX-License-Identifier: MIT
 *
 * The transport over a vtest socket to a server on the same machine. The socket carries the handshake,
 * makes shared memory, and hangs up when one side goes; everything else is shared memory and
 * futexes.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/time_types.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/default_socket.h"
#include "common/environment.h"
#include "common/pass_fds.h"
#include "protocol/vtest.h"

#include "icd/log.h"
#include "icd/transport.h"

/* A server that does not answer for so long counts as none. */
#define HANDSHAKE_SECONDS 5

/* Blobs, and all that we ask for, exist since this version of vtest. */
#define VTEST_VERSION_MIN 3u

/* Tests let the driver speak another version, to see it refused. */
#define TEST_VERSION_ENV "VIADUCT_TEST_PROTOCOL_VERSION"

#define NO_DEADLINE UINT64_MAX

struct vtest {
    struct vdc_transport base;
    int fd;
    pthread_mutex_t lock; /* around a request and its answer */
    const char *path;
    uint64_t deadline; /* of the handshake, ns; NO_DEADLINE after it */
    struct sockaddr_un address;
};

static struct vtest *downcast(struct vdc_transport *transport)
{
    static_assert(offsetof(struct vtest, base) == 0, "a vtest begins with its transport");
    return (struct vtest *)transport;
}

static uint64_t round_to_pages(uint64_t size)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    return (size + page - 1) & ~(page - 1);
}

/* ---- Bytes. 0, or an errno value; 0 is never "some of it". */

/* Waits for input until the handshake's deadline. */
static int await_input(const struct vtest *vtest)
{
    while (vtest->deadline != NO_DEADLINE) {
        const uint64_t now = vd_clock_ns();
        if (now >= vtest->deadline)
            return ETIMEDOUT;
        struct pollfd source = {.fd = vtest->fd, .events = POLLIN};
        const int timeout = (int)((vtest->deadline - now + 999999) / 1000000);
        const int ready = poll(&source, 1, timeout);
        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR)
            return errno;
    }
    return 0;
}

static int receive_bytes(const struct vtest *vtest, void *bytes, size_t size)
{
    uint8_t *at = bytes;
    while (size > 0) {
        const int error = await_input(vtest);
        if (error)
            return error;
        const ssize_t received = recv(vtest->fd, at, size, 0);
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

/* The one-byte message that follows an answer. *fd is -1 when this process has no descriptor left
 * to receive it with. */
static int receive_fd(const struct vtest *vtest, int *fd)
{
    char byte;
    unsigned count;
    *fd = -1;
    const int error = await_input(vtest);
    if (error)
        return error;
    const ssize_t received = vd_receive_fds(vtest->fd, &byte, 1, fd, 1, &count, 0);
    if (received <= 0)
        return received < 0 ? errno : ECONNRESET;
    return 0;
}

static int send_parts(const struct vtest *vtest, struct iovec *parts, size_t count)
{
    while (count > 0) {
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
        const ssize_t result = sendmsg(vtest->fd, &message, MSG_NOSIGNAL);
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

/* ---- Messages */

/* `length` goes into the header as it is: it counts bytes for one command, dwords for others. */
static int send_message(const struct vtest *vtest, uint32_t command, uint32_t length,
                        const void *payload, size_t size)
{
    struct vtest_header header = {.length = length, .command = command};
    struct iovec parts[] = {
        {.iov_base = &header, .iov_len = sizeof(header)},
        {.iov_base = (void *)payload, .iov_len = size},
    };
    return send_parts(vtest, parts, size > 0 ? 2 : 1);
}

static int send_dwords(const struct vtest *vtest, uint32_t command, const void *payload,
                       size_t size)
{
    return send_message(vtest, command, (uint32_t)(size / 4), payload, size);
}

/* An answer to `command` with exactly `size` bytes. */
static int receive_answer(const struct vtest *vtest, uint32_t command, void *payload, size_t size)
{
    struct vtest_header header;
    const int error = receive_bytes(vtest, &header, sizeof(header));
    if (error)
        return error;
    if (header.command != command || header.length != size / 4)
        return EPROTO;
    return receive_bytes(vtest, payload, size);
}

/* ---- The handshake. Each step logs why it fails. */

static bool failed(const struct vtest *vtest, const char *step, int error)
{
    vdc_log_reason(error == ETIMEDOUT ? "socket-silent" : "socket-senseless", vtest->path,
                   "the server at %s does not answer as a Viaduct server (%s: %s)", vtest->path,
                   step,
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

static void set_send_timeout(const struct vtest *vtest, time_t seconds)
{
    const struct timeval timeout = {.tv_sec = seconds};
    setsockopt(vtest->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
}

static bool connect_to(struct vtest *vtest, const char *path)
{
    if (strlen(path) >= sizeof(vtest->address.sun_path)) {
        vdc_log_reason("socket-long", path, "%s is too long for a socket: %s", VTEST_SOCKET_ENV,
                       path);
        return false;
    }
    vtest->address.sun_family = AF_UNIX;
    strcpy(vtest->address.sun_path, path);
    vtest->path = vtest->address.sun_path;
    int result;
    do {
        result =
            connect(vtest->fd, (const struct sockaddr *)&vtest->address, sizeof(vtest->address));
    } while (result < 0 && errno == EINTR && vd_clock_ns() < vtest->deadline);
    if (result < 0) {
        vdc_log_reason(errno == ENOENT || errno == ENOTDIR ? "socket-absent"
                       : errno == EACCES || errno == EPERM ? "socket-denied"
                       : errno == ECONNREFUSED             ? "socket-stale"
                       : errno == EAGAIN                   ? "socket-silent"
                                                           : "socket-error",
                       vtest->path, "no server at %s: %s", vtest->path, strerror(errno));
    }
    return result == 0;
}

static bool open_socket(struct vtest *vtest)
{
    vtest->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (vtest->fd < 0) {
        vdc_log_reason("socket-error", "", "no socket: %s", strerror(errno));
        return false;
    }
    set_send_timeout(vtest, HANDSHAKE_SECONDS); /* bounds connect(), too */
    const char *named = vd_getenv(VTEST_SOCKET_ENV);
    if (named)
        return connect_to(vtest, named);
    struct vd_default_socket sockets[VD_DEFAULT_SOCKETS_MAX];
    const unsigned count = vd_default_sockets(sockets);
    for (unsigned i = 0; i < count; i++)
        if (connect_to(vtest, sockets[i].path))
            return true;
    return false;
}

static bool introduce(const struct vtest *vtest)
{
    const char *name = program_invocation_short_name;
    const size_t size = strlen(name) + 1;
    const int error = send_message(vtest, VTEST_CREATE_RENDERER, (uint32_t)size, name, size);
    return !error || failed(vtest, "introduction", error);
}

/* A server that is too old for the ping answers only what follows it. */
static bool ping(const struct vtest *vtest)
{
    static const uint32_t busy_wait[2] = {0, 0};
    struct vtest_header header;
    uint32_t busy;
    int error = send_dwords(vtest, VTEST_PING_PROTOCOL_VERSION, NULL, 0);
    if (!error)
        error = send_dwords(vtest, VTEST_RESOURCE_BUSY_WAIT, busy_wait, sizeof(busy_wait));
    if (!error)
        error = receive_bytes(vtest, &header, sizeof(header));
    if (!error && (header.command != VTEST_PING_PROTOCOL_VERSION || header.length != 0))
        error = EPROTO;
    if (!error)
        error = receive_answer(vtest, VTEST_RESOURCE_BUSY_WAIT, &busy, sizeof(busy));
    return !error || failed(vtest, "ping", error);
}

static bool negotiate(const struct vtest *vtest)
{
    uint32_t version = VTEST_PROTOCOL_VERSION;
    int error = send_dwords(vtest, VTEST_PROTOCOL_VERSION_CMD, &version, sizeof(version));
    if (!error)
        error = receive_answer(vtest, VTEST_PROTOCOL_VERSION_CMD, &version, sizeof(version));
    if (error)
        return failed(vtest, "vtest version", error);
    if (version < VTEST_VERSION_MIN) {
        vdc_log_reason("socket-foreign", vtest->path,
                       "the server at %s speaks vtest %u, this driver needs %u", vtest->path,
                       version, VTEST_VERSION_MIN);
        return false;
    }
    return true;
}

static bool get_capset(struct vtest *vtest)
{
    struct vd_capset *capset = &vtest->base.capset;
    const uint32_t ours = our_protocol_version();
    const uint32_t request[2] = {VD_CAPSET_ID, ours};
    struct vtest_header header;
    uint32_t valid;
    int error = send_dwords(vtest, VTEST_GET_CAPSET, request, sizeof(request));
    if (!error)
        error = receive_bytes(vtest, &header, sizeof(header));
    if (!error && (header.command != VTEST_GET_CAPSET || header.length < 1))
        error = EPROTO;
    if (!error)
        error = receive_bytes(vtest, &valid, sizeof(valid));
    if (!error && !valid) {
        vdc_log_reason("socket-foreign", vtest->path, "the server at %s is not Viaduct's",
                       vtest->path);
        return false;
    }
    /* The version comes first, for what follows it may be anything where it is not ours. */
    uint32_t theirs = 0;
    if (!error && header.length < (sizeof(valid) + sizeof(theirs)) / 4)
        error = EPROTO;
    if (!error)
        error = receive_bytes(vtest, &theirs, sizeof(theirs));
    if (!error && theirs != ours) {
        vdc_log_reason("socket-version", vtest->path,
                       "the server at %s speaks Viaduct protocol %u, this driver %u", vtest->path,
                       theirs, ours);
        return false;
    }
    if (!error && header.length != (sizeof(valid) + sizeof(*capset)) / 4)
        error = EPROTO;
    if (!error) {
        capset->protocol_version = theirs;
        error = receive_bytes(vtest, (uint8_t *)capset + sizeof(theirs),
                              sizeof(*capset) - sizeof(theirs));
    }
    if (!error && !vdc_capset_is_valid(capset))
        error = EPROTO;
    return !error || failed(vtest, "capset", error);
}

static bool init_context(const struct vtest *vtest)
{
    const uint32_t id = VD_CAPSET_ID;
    const int error = send_dwords(vtest, VTEST_CONTEXT_INIT, &id, sizeof(id));
    return !error || failed(vtest, "context", error);
}

/* ---- The transport's functions */

static void destroy(struct vdc_transport *transport)
{
    struct vtest *vtest = downcast(transport);
    /* Not shutdown(): the socket may be a forked child's copy. */
    if (vtest->fd >= 0)
        close(vtest->fd);
    pthread_mutex_destroy(&vtest->lock);
    free(vtest);
}

/* After a lost or senseless answer nobody knows where the next one begins. Hanging up tells the
 * server, and whoever watches. */
static VkResult give_up(struct vtest *vtest)
{
    shutdown(vtest->fd, SHUT_RDWR);
    return VK_ERROR_DEVICE_LOST;
}

static VkResult request_blob(struct vtest *vtest, uint64_t size, uint32_t *id, int *fd)
{
    const struct vtest_create_blob blob = {
        .type = VTEST_BLOB_GUEST,
        .flags = VTEST_BLOB_MAPPABLE | VTEST_BLOB_SHAREABLE,
        .size_lo = (uint32_t)size,
        .size_hi = (uint32_t)(size >> 32),
    };
    if (send_dwords(vtest, VTEST_RESOURCE_CREATE_BLOB, &blob, sizeof(blob)) ||
        receive_answer(vtest, VTEST_RESOURCE_CREATE_BLOB, id, sizeof(*id)))
        return give_up(vtest);
    if (*id == 0)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    return receive_fd(vtest, fd) ? give_up(vtest) : VK_SUCCESS;
}

static void release_blob(struct vtest *vtest, uint32_t id)
{
    pthread_mutex_lock(&vtest->lock);
    send_dwords(vtest, VTEST_RESOURCE_UNREF, &id, sizeof(id));
    pthread_mutex_unlock(&vtest->lock);
}

/* False: the server has released it again. */
static bool map_blob(struct vtest *vtest, uint32_t id, int fd, uint64_t offset, uint64_t size,
                     struct vdc_shm *shm)
{
    void *map = MAP_FAILED;
    if (fd >= 0)
        map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
    if (map == MAP_FAILED) {
        release_blob(vtest, id);
        return false;
    }
    *shm = (struct vdc_shm){.id = id, .size = size, .map = map, .fd = fd};
    return true;
}

static VkResult shm_create(struct vdc_transport *transport, uint64_t size, struct vdc_shm *shm)
{
    struct vtest *vtest = downcast(transport);
    uint32_t id = 0;
    int fd = -1;

    if (size == 0 || size > SIZE_MAX / 2)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    size = round_to_pages(size);
    pthread_mutex_lock(&vtest->lock);
    const VkResult result = request_blob(vtest, size, &id, &fd);
    pthread_mutex_unlock(&vtest->lock);
    if (result != VK_SUCCESS)
        return result;
    if (!map_blob(vtest, id, fd, 0, size, shm)) {
        if (fd >= 0)
            close(fd);
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    return VK_SUCCESS;
}

static void shm_destroy(struct vdc_transport *transport, struct vdc_shm *shm)
{
    munmap(shm->map, shm->size);
    close(shm->fd);
    release_blob(downcast(transport), shm->id);
    *shm = (struct vdc_shm){.fd = -1};
}

/* A message of its own kind, with the descriptor. */
static int send_fd(const struct vtest *vtest, const void *message, size_t size, int fd)
{
    ssize_t sent;
    do {
        sent = vd_send_fds(vtest->fd, message, size, &fd, 1, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno;
    /* The descriptor went with the first byte. */
    struct iovec rest = {.iov_base = (uint8_t *)message + sent, .iov_len = size - (size_t)sent};
    return rest.iov_len ? send_parts(vtest, &rest, 1) : 0;
}

/* The answer to either way of giving one is its id. */
static VkResult give(struct vtest *vtest, const struct vtest_header *message, int fd, uint32_t *id)
{
    pthread_mutex_lock(&vtest->lock);
    const int error = send_fd(vtest, message, sizeof(*message) + 4 * message->length, fd);
    VkResult result;
    if (error == EBADF || error == ETOOMANYREFS)
        result = VK_ERROR_INVALID_EXTERNAL_HANDLE; /* nothing was sent */
    else if (error || receive_answer(vtest, message->command, id, sizeof(*id)))
        result = give_up(vtest);
    else
        result = *id ? VK_SUCCESS : VK_ERROR_OUT_OF_HOST_MEMORY;
    pthread_mutex_unlock(&vtest->lock);
    return result;
}

static VkResult fd_give(struct vdc_transport *transport, int fd, uint32_t *id)
{
    const struct vtest_header message = {.command = VTEST_VIADUCT_GIVE_FD};
    return give(downcast(transport), &message, fd, id);
}

static VkResult shm_import(struct vdc_transport *transport, int fd, uint64_t offset, uint64_t size,
                           struct vdc_shm *shm)
{
    struct vtest *vtest = downcast(transport);
    const struct {
        struct vtest_header header;
        struct vtest_give_shm part;
    } message = {
        .header = {.length = sizeof(message.part) / 4, .command = VTEST_VIADUCT_GIVE_SHM},
        .part =
            {
                .offset_lo = (uint32_t)offset,
                .offset_hi = (uint32_t)(offset >> 32),
                .size_lo = (uint32_t)size,
                .size_hi = (uint32_t)(size >> 32),
            },
    };
    uint32_t id = 0;
    const VkResult result = give(vtest, &message.header, fd, &id);
    if (result != VK_SUCCESS)
        return result;
    return map_blob(vtest, id, fd, offset, size, shm) ? VK_SUCCESS : VK_ERROR_OUT_OF_HOST_MEMORY;
}

static VkResult fd_take(struct vdc_transport *transport, uint32_t id, int *fd)
{
    struct vtest *vtest = downcast(transport);
    uint32_t answer;
    VkResult result = VK_SUCCESS;
    *fd = -1;
    pthread_mutex_lock(&vtest->lock);
    if (send_dwords(vtest, VTEST_VIADUCT_TAKE_FD, &id, sizeof(id)) ||
        receive_answer(vtest, VTEST_VIADUCT_TAKE_FD, &answer, sizeof(answer)) || answer != id ||
        receive_fd(vtest, fd))
        result = give_up(vtest);
    else if (*fd < 0)
        result = VK_ERROR_TOO_MANY_OBJECTS;
    pthread_mutex_unlock(&vtest->lock);
    return result;
}

static VkResult submit(struct vdc_transport *transport, const void *record, size_t size)
{
    struct vtest *vtest = downcast(transport);
    struct {
        uint32_t batch_count;
        struct vtest_submit_batch batch;
    } prefix = {
        .batch_count = 1,
        .batch = {.cmd_offset = sizeof(prefix) / 4, .cmd_size = (uint32_t)(size / 4)},
    };
    struct vtest_header header = {
        .length = (uint32_t)((sizeof(prefix) + size) / 4),
        .command = VTEST_SUBMIT_CMD2,
    };
    struct iovec parts[] = {
        {.iov_base = &header, .iov_len = sizeof(header)},
        {.iov_base = &prefix, .iov_len = sizeof(prefix)},
        {.iov_base = (void *)record, .iov_len = size},
    };
    pthread_mutex_lock(&vtest->lock);
    const int error = send_parts(vtest, parts, 3);
    pthread_mutex_unlock(&vtest->lock);
    return error ? VK_ERROR_DEVICE_LOST : VK_SUCCESS;
}

/* Neither futex call is private: the other side is another process. */

static void wake(struct vdc_transport *transport, _Atomic uint32_t *address)
{
    (void)transport;
    syscall(SYS_futex, address, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void wait(struct vdc_transport *transport, _Atomic uint32_t *address, uint32_t value,
                 uint64_t timeout_ns)
{
    (void)transport;
    /* The kernel's idea of a timespec for this call, whatever time_t is. A longer wait than the
     * cap is an early return. */
    const uint64_t cap = VD_NS_PER_S * 3600 * 24;
    const uint64_t bounded = timeout_ns < cap ? timeout_ns : cap;
    const struct {
        long seconds;
        long nanoseconds;
    } timeout = {(long)(bounded / VD_NS_PER_S), (long)(bounded % VD_NS_PER_S)};
    syscall(SYS_futex, address, FUTEX_WAIT, value, timeout_ns == UINT64_MAX ? NULL : &timeout, NULL,
            0);
}

/* futex_waitv() is new in Linux 5.16, filters of system calls may not know it, and it takes so many
 * words at most. Where it fails, sleeping on the first word alone is cut into slices. */
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449 /* musl 1.2.3 has no name for it */
#endif
#define WORDS_MAX     FUTEX_WAITV_MAX
#define LOOK_AGAIN_NS (VD_NS_PER_S / 1000)

static void wait_any(struct vdc_transport *transport, const struct vdc_futex_word *words,
                     uint32_t count, uint64_t timeout_ns)
{
    struct futex_waitv entries[WORDS_MAX];
    for (uint32_t i = 0; i < count && i < WORDS_MAX; i++) {
        entries[i] = (struct futex_waitv){
            .val = words[i].value,
            .uaddr = (uintptr_t)words[i].address,
            .flags = FUTEX_32,
        };
    }
    const uint64_t now = vd_clock_ns();
    const uint64_t until = timeout_ns < INT64_MAX - now ? now + timeout_ns : INT64_MAX;
    const struct __kernel_timespec deadline = {
        .tv_sec = (int64_t)(until / VD_NS_PER_S),
        .tv_nsec = (long long)(until % VD_NS_PER_S),
    };
    if (count > WORDS_MAX ||
        (syscall(SYS_futex_waitv, entries, count, 0, &deadline, CLOCK_MONOTONIC) < 0 &&
         (errno == ENOSYS || errno == EPERM))) {
        wait(transport, words[0].address, words[0].value,
             timeout_ns < LOOK_AGAIN_NS ? timeout_ns : LOOK_AGAIN_NS);
    }
}

/* The worker's end closes with it, however it ends. */
static bool watch(struct vdc_transport *transport, const _Atomic uint32_t *lost, int stop_fd)
{
    (void)lost;
    struct pollfd sources[] = {
        /* Not POLLIN: answers are none of our business. */
        {.fd = downcast(transport)->fd, .events = POLLRDHUP},
        {.fd = stop_fd, .events = POLLIN},
    };
    while (poll(sources, 2, -1) < 0) {
    }
    return sources[1].revents == 0;
}

static const struct vdc_transport_ops ops = {
    .name = "vtest",
    .same_kernel = true,
    .destroy = destroy,
    .shm_create = shm_create,
    .shm_destroy = shm_destroy,
    .shm_import = shm_import,
    .fd_give = fd_give,
    .fd_take = fd_take,
    .submit = submit,
    .wake = wake,
    .wait = wait,
    .wait_any = wait_any,
    .watch = watch,
};

VkResult vdc_vtest_connect(struct vdc_transport **transport)
{
    struct vtest *vtest = calloc(1, sizeof(*vtest));
    if (!vtest)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    vtest->base.ops = &ops;
    vtest->fd = -1;
    vtest->deadline = vd_clock_ns() + HANDSHAKE_SECONDS * VD_NS_PER_S;
    pthread_mutex_init(&vtest->lock, NULL);

    if (!open_socket(vtest) || !introduce(vtest) || !ping(vtest) || !negotiate(vtest) ||
        !get_capset(vtest) || !init_context(vtest)) {
        destroy(&vtest->base);
        return VK_ERROR_INCOMPATIBLE_DRIVER;
    }
    vtest->deadline = NO_DEADLINE;
    set_send_timeout(vtest, 0);
    vdc_log("connected to %s", vtest->path);
    *transport = &vtest->base;
    return VK_SUCCESS;
}
