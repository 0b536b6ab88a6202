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
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sealed.h"

#include "icd/log.h"
#include "icd/spare_descriptor.h"
#include "icd/transport.h"

#include "vtest_handshake.h"
#include "vtest_socket.h"

struct vtest {
    struct vdc_transport base;
    struct vdc_vtest_socket wire;
    pthread_mutex_t lock; /* around a request and its answer */
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

static void destroy(struct vdc_transport *transport)
{
    struct vtest *vtest = downcast(transport);
    /* Not shutdown(): the socket may be a forked child's copy. */
    if (vtest->wire.fd >= 0)
        close(vtest->wire.fd);
    pthread_mutex_destroy(&vtest->lock);
    free(vtest);
}

/* After a lost or senseless answer nobody knows where the next one begins. Hanging up tells the
 * server, and whoever watches. */
static VkResult give_up(struct vtest *vtest)
{
    shutdown(vtest->wire.fd, SHUT_RDWR);
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
    if (vdc_vtest_send_dwords(&vtest->wire, VTEST_RESOURCE_CREATE_BLOB, &blob, sizeof(blob)) ||
        vdc_vtest_receive_answer(&vtest->wire, VTEST_RESOURCE_CREATE_BLOB, id, sizeof(*id)))
        return give_up(vtest);
    if (*id == 0)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    vdc_spare_descriptor_use();
    return vdc_vtest_receive_fd(&vtest->wire, fd) ? give_up(vtest) : VK_SUCCESS;
}

static void release_blob(struct vtest *vtest, uint32_t id)
{
    pthread_mutex_lock(&vtest->lock);
    vdc_vtest_send_dwords(&vtest->wire, VTEST_RESOURCE_UNREF, &id, sizeof(id));
    pthread_mutex_unlock(&vtest->lock);
}

/* False: the server has released it again. */
static bool map_blob(struct vtest *vtest, uint32_t id, int fd, uint64_t offset, uint64_t size,
                     struct vdc_shm *shm)
{
    void *map = MAP_FAILED;
    if (fd >= 0 && size <= SIZE_MAX / 2)
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
    /* Of a file that is too small, or becomes it, the first byte beyond kills this process. */
    if (fd >= 0 && vd_sealed_size(fd) < size) {
        vdc_log("the server gives memory that can shrink, or is too small");
        close(fd);
        return give_up(vtest);
    }
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
    if (shm->fd >= 0)
        close(shm->fd);
    release_blob(downcast(transport), shm->id);
    *shm = (struct vdc_shm){.fd = -1};
}

/* The answer to either way of giving one is its id. */
static VkResult give(struct vtest *vtest, const struct vtest_header *message, int fd, uint32_t *id)
{
    pthread_mutex_lock(&vtest->lock);
    const int error =
        vdc_vtest_send_fd(&vtest->wire, message, sizeof(*message) + 4 * message->length, fd);
    VkResult result;
    if (error == EBADF || error == ETOOMANYREFS)
        result = VK_ERROR_INVALID_EXTERNAL_HANDLE; /* nothing was sent */
    else if (error || vdc_vtest_receive_answer(&vtest->wire, message->command, id, sizeof(*id)))
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
    if (vdc_vtest_send_dwords(&vtest->wire, VTEST_VIADUCT_TAKE_FD, &id, sizeof(id)) ||
        vdc_vtest_receive_answer(&vtest->wire, VTEST_VIADUCT_TAKE_FD, &answer, sizeof(answer)) ||
        answer != id || vdc_vtest_receive_fd(&vtest->wire, fd))
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
    const int error = vdc_vtest_send_parts(&vtest->wire, parts, 3);
    pthread_mutex_unlock(&vtest->lock);
    return error ? VK_ERROR_DEVICE_LOST : VK_SUCCESS;
}

/* ---- Sleeping and waking */

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
static void watch(struct vdc_transport *transport, const _Atomic uint32_t *lost)
{
    (void)lost;
    /* Not POLLIN: answers are none of our business. */
    struct pollfd source = {.fd = downcast(transport)->wire.fd, .events = POLLRDHUP};
    while (poll(&source, 1, -1) < 0) {
    }
}

/* Nothing is read any more when a connection ends; what is given back is still written. */
static void unwatch(struct vdc_transport *transport)
{
    shutdown(downcast(transport)->wire.fd, SHUT_RD);
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
    .unwatch = unwatch,
};

VkResult vdc_vtest_connect(struct vdc_transport **transport)
{
    struct vtest *vtest = calloc(1, sizeof(*vtest));
    if (!vtest)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    vtest->base.ops = &ops;
    pthread_mutex_init(&vtest->lock, NULL);
    if (!vdc_vtest_handshake(&vtest->wire, &vtest->base.capset)) {
        destroy(&vtest->base);
        return VK_ERROR_INCOMPATIBLE_DRIVER;
    }
    *transport = &vtest->base;
    return VK_SUCCESS;
}
