/* SPDX-License-Identifier: MIT
 *
 * The transport out of a virtual machine: the stock virtio-gpu driver of the guest's kernel, through its
 * render node. Shared memory is guest pages of a buffer resource. EXECBUFFER carries little records
 * (protocol/virtio_gpu.h): it is the doorbell, and its out-fence is how a thread sleeps. A fence
 * here is only ever a hint: the kernel signals it together with any later one.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <drm.h>
#include <virtgpu_drm.h>

#include "common/clock.h"
#include "protocol/virtio_gpu.h"

#include "icd/log.h"
#include "icd/transport.h"

#include "virtgpu_node.h"

/* A resource of this target and format is a plain buffer. */
#define TARGET_BUFFER 0
#define FORMAT_R8     64
#define BIND_CUSTOM   (1u << 17)

/* The device answers every wait within two seconds, and every registration within ten: who waits
 * longer waits for a dead one. */
#define DEAD_SECONDS 15
/* The watcher's fence is signalled by anybody's later one: while the guest is busy, it arms the next
 * one no sooner than this after the last. */
#define WATCH_MS 100

struct mapping {
    uint8_t *map;
    uint64_t size;
    uint32_t handle;
};

struct virtgpu {
    struct vdc_transport base;
    int fd;
    /* Polls hung-up once the other end is closed, which is when the device is found dead. */
    int alive[2];
    _Atomic bool dead;

    pthread_rwlock_t lock;
    struct mapping *mappings; /* by id; map NULL: free */
    uint32_t capacity;
};

static struct virtgpu *downcast(struct vdc_transport *transport)
{
    static_assert(offsetof(struct virtgpu, base) == 0, "a virtgpu begins with its transport");
    return (struct virtgpu *)transport;
}

/* ---- Submissions */

/* *fence, unless NULL, becomes a descriptor to poll. */
static bool execute(const struct virtgpu *virtgpu, const void *record, size_t size, int *fence)
{
    struct drm_virtgpu_execbuffer execbuffer = {
        .flags = fence ? VIRTGPU_EXECBUF_FENCE_FD_OUT : 0,
        .size = (uint32_t)size,
        .command = (uintptr_t)record,
        .fence_fd = -1,
    };
    if (vdc_drm_ioctl(virtgpu->fd, DRM_IOCTL_VIRTGPU_EXECBUFFER, &execbuffer) < 0) {
        vdc_log("virtio-gpu takes no commands: %s", strerror(errno));
        return false;
    }
    if (fence)
        *fence = execbuffer.fence_fd;
    return true;
}

static void declare_dead(struct virtgpu *virtgpu)
{
    if (!atomic_exchange(&virtgpu->dead, true)) {
        vdc_log("virtio-gpu does not answer");
        shutdown(virtgpu->alive[1], SHUT_RDWR);
    }
}

/* Until the fence signals or the time is over; closes it. False: it did not signal. */
static bool await_fence(int fence, uint64_t timeout_ns)
{
    struct pollfd source = {.fd = fence, .events = POLLIN};
    const struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / VD_NS_PER_S),
                                     .tv_nsec = (long)(timeout_ns % VD_NS_PER_S)};
    const int ready = ppoll(&source, 1, &timeout, NULL);
    const bool interrupted = ready < 0 && errno == EINTR;
    close(fence);
    return ready > 0 || interrupted;
}

static void wait_for_word(struct virtgpu *virtgpu, uint32_t shm, uint32_t offset, uint32_t value,
                          uint64_t timeout_ns)
{
    const struct vd_virtio_gpu_wait record = {
        .record = {.size = sizeof(record), .opcode = VD_VIRTIO_GPU_WAIT},
        .shm = shm,
        .offset = offset,
        .value = value,
        .thread = (uint32_t)syscall(SYS_gettid),
    };
    const uint64_t limit = DEAD_SECONDS * VD_NS_PER_S;
    int fence;
    if (atomic_load(&virtgpu->dead) || !execute(virtgpu, &record, sizeof(record), &fence)) {
        /* Nothing to sleep on, and the caller looks again and again. */
        const struct timespec pause = {.tv_nsec = 1000000};
        nanosleep(&pause, NULL);
        return;
    }
    if (!await_fence(fence, timeout_ns < limit ? timeout_ns : limit) && timeout_ns >= limit)
        declare_dead(virtgpu);
}

/* ---- Shared memory */

/* A free id, or 0. Under the lock. */
static uint32_t take_id(struct virtgpu *virtgpu)
{
    for (uint32_t id = 1; id < virtgpu->capacity; id++)
        if (!virtgpu->mappings[id].map)
            return id;
    const uint32_t capacity = virtgpu->capacity ? virtgpu->capacity * 2 : 64;
    const uint32_t id = virtgpu->capacity ? virtgpu->capacity : 1;
    if (id > VD_VIRTIO_GPU_SHM_MAX)
        return 0;
    struct mapping *mappings = realloc(virtgpu->mappings, capacity * sizeof(*mappings));
    if (!mappings)
        return 0;
    memset(mappings + virtgpu->capacity, 0,
           (capacity - virtgpu->capacity) * sizeof(struct mapping));
    virtgpu->mappings = mappings;
    virtgpu->capacity = capacity;
    return id;
}

static void close_handle(const struct virtgpu *virtgpu, uint32_t handle)
{
    struct drm_gem_close request = {.handle = handle};
    vdc_drm_ioctl(virtgpu->fd, DRM_IOCTL_GEM_CLOSE, &request);
}

static VkResult create_resource(const struct virtgpu *virtgpu, uint64_t size, uint32_t *handle,
                                uint32_t *resource, void **map)
{
    struct drm_virtgpu_resource_create create = {
        .target = TARGET_BUFFER,
        .format = FORMAT_R8,
        .bind = BIND_CUSTOM,
        .width = (uint32_t)size,
        .height = 1,
        .depth = 1,
        .array_size = 1,
        .size = (uint32_t)size,
    };
    if (vdc_drm_ioctl(virtgpu->fd, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE, &create) < 0) {
        vdc_log("no guest memory of %llu bytes: %s", (unsigned long long)size, strerror(errno));
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    }
    struct drm_virtgpu_map request = {.handle = create.bo_handle};
    *map = MAP_FAILED;
    if (vdc_drm_ioctl(virtgpu->fd, DRM_IOCTL_VIRTGPU_MAP, &request) == 0) {
        *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, virtgpu->fd,
                    (off_t)request.offset);
    }
    if (*map == MAP_FAILED) {
        close_handle(virtgpu, create.bo_handle);
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    *handle = create.bo_handle;
    *resource = create.res_handle;
    return VK_SUCCESS;
}

/* Until the worker has mapped it, which its first word tells. */
static VkResult register_resource(struct virtgpu *virtgpu, uint32_t resource, uint32_t id,
                                  _Atomic uint32_t *status)
{
    const struct vd_virtio_gpu_register record = {
        .record = {.size = sizeof(record), .opcode = VD_VIRTIO_GPU_REGISTER},
        .resource = resource,
        .shm = id,
    };
    const uint64_t deadline = vd_clock_ns() + DEAD_SECONDS * VD_NS_PER_S;
    int fence;
    if (atomic_load(&virtgpu->dead) || !execute(virtgpu, &record, sizeof(record), &fence))
        return VK_ERROR_DEVICE_LOST;
    await_fence(fence, DEAD_SECONDS * VD_NS_PER_S);
    while (atomic_load(status) == VD_VIRTIO_GPU_PENDING) {
        if (vd_clock_ns() > deadline) {
            declare_dead(virtgpu);
            return VK_ERROR_DEVICE_LOST;
        }
        wait_for_word(virtgpu, id, 0, VD_VIRTIO_GPU_PENDING, VD_NS_PER_S);
    }
    const bool registered = atomic_load(status) == VD_VIRTIO_GPU_REGISTERED;
    atomic_store(status, 0);
    return registered ? VK_SUCCESS : VK_ERROR_OUT_OF_DEVICE_MEMORY;
}

static void forget(struct virtgpu *virtgpu, uint32_t id)
{
    pthread_rwlock_wrlock(&virtgpu->lock);
    const struct mapping mapping = virtgpu->mappings[id];
    munmap(mapping.map, mapping.size);
    /* Before the id is free again: the device learns of both in this order. */
    close_handle(virtgpu, mapping.handle);
    virtgpu->mappings[id] = (struct mapping){0};
    pthread_rwlock_unlock(&virtgpu->lock);
}

static VkResult shm_create(struct vdc_transport *transport, uint64_t size, struct vdc_shm *shm)
{
    struct virtgpu *virtgpu = downcast(transport);
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    struct mapping mapping;
    uint32_t resource;
    void *map;

    if (size == 0 || size > UINT32_MAX - page)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    size = (size + page - 1) & ~(page - 1);
    VkResult result = create_resource(virtgpu, size, &mapping.handle, &resource, &map);
    if (result != VK_SUCCESS)
        return result;
    mapping.map = map;
    mapping.size = size;
    pthread_rwlock_wrlock(&virtgpu->lock);
    const uint32_t id = take_id(virtgpu);
    if (id)
        virtgpu->mappings[id] = mapping;
    pthread_rwlock_unlock(&virtgpu->lock);
    if (!id) {
        munmap(map, size);
        close_handle(virtgpu, mapping.handle);
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    result = register_resource(virtgpu, resource, id, map);
    if (result != VK_SUCCESS) {
        forget(virtgpu, id);
        return result;
    }
    *shm = (struct vdc_shm){.id = id, .size = size, .map = map, .fd = -1};
    return VK_SUCCESS;
}

static void shm_destroy(struct vdc_transport *transport, struct vdc_shm *shm)
{
    forget(downcast(transport), shm->id);
    *shm = (struct vdc_shm){.fd = -1};
}

/* Where in shared memory an address lies. */
static bool locate(struct virtgpu *virtgpu, const void *address, uint32_t *id, uint32_t *offset)
{
    const uintptr_t at = (uintptr_t)address;
    bool found = false;
    pthread_rwlock_rdlock(&virtgpu->lock);
    for (uint32_t i = 1; i < virtgpu->capacity && !found; i++) {
        const struct mapping *mapping = &virtgpu->mappings[i];
        if (mapping->map && at >= (uintptr_t)mapping->map &&
            at - (uintptr_t)mapping->map < mapping->size) {
            *id = i;
            *offset = (uint32_t)(at - (uintptr_t)mapping->map);
            found = true;
        }
    }
    pthread_rwlock_unlock(&virtgpu->lock);
    return found;
}

/* ---- The transport's other functions */

static void destroy(struct vdc_transport *transport)
{
    struct virtgpu *virtgpu = downcast(transport);
    if (virtgpu->fd >= 0)
        close(virtgpu->fd);
    for (int i = 0; i < 2; i++)
        if (virtgpu->alive[i] >= 0)
            close(virtgpu->alive[i]);
    pthread_rwlock_destroy(&virtgpu->lock);
    free(virtgpu->mappings);
    free(virtgpu);
}

static VkResult submit(struct vdc_transport *transport, const void *record, size_t size)
{
    return execute(downcast(transport), record, size, NULL) ? VK_SUCCESS : VK_ERROR_DEVICE_LOST;
}

static void wake(struct vdc_transport *transport, _Atomic uint32_t *address)
{
    struct virtgpu *virtgpu = downcast(transport);
    struct vd_virtio_gpu_wake record = {
        .record = {.size = sizeof(record), .opcode = VD_VIRTIO_GPU_WAKE}};
    if (!atomic_load(&virtgpu->dead) && locate(virtgpu, address, &record.shm, &record.offset))
        execute(virtgpu, &record, sizeof(record), NULL);
}

static void wait(struct vdc_transport *transport, _Atomic uint32_t *address, uint32_t value,
                 uint64_t timeout_ns)
{
    struct virtgpu *virtgpu = downcast(transport);
    uint32_t id, offset;
    if (atomic_load(address) == value && locate(virtgpu, address, &id, &offset))
        wait_for_word(virtgpu, id, offset, value, timeout_ns);
}

/* The device signals the fence of a VD_VIRTIO_GPU_WATCH when the worker is gone. */
static void watch(struct vdc_transport *transport, const _Atomic uint32_t *lost)
{
    const struct vd_virtio_gpu_watch record = {
        .record = {.size = sizeof(record), .opcode = VD_VIRTIO_GPU_WATCH}};
    struct virtgpu *virtgpu = downcast(transport);
    struct pollfd sources[] = {
        {.fd = virtgpu->alive[0], .events = POLLRDHUP},
        {.fd = -1, .events = POLLIN},
    };
    uint64_t arm_at = 0;
    while (!atomic_load(lost) && sources[0].revents == 0) {
        int timeout = -1;
        if (sources[1].fd < 0) {
            const uint64_t now = vd_clock_ns();
            if (now < arm_at) {
                timeout = (int)((arm_at - now) / 1000000 + 1);
            } else if (execute(virtgpu, &record, sizeof(record), &sources[1].fd)) {
                arm_at = now + WATCH_MS * UINT64_C(1000000);
                /* From here on a loss signals the fence: one that came before is seen now. */
                if (atomic_load(lost))
                    break;
            } else {
                declare_dead(virtgpu);
            }
        }
        for (int i = 0; i < 2; i++)
            sources[i].revents = 0;
        poll(sources, 2, timeout);
        if (sources[1].revents) {
            close(sources[1].fd);
            sources[1].fd = -1;
        }
    }
    if (sources[1].fd >= 0)
        close(sources[1].fd);
}

static void unwatch(struct vdc_transport *transport)
{
    shutdown(downcast(transport)->alive[1], SHUT_RDWR);
}

static int shm_export(struct vdc_transport *transport, uint32_t shm)
{
    struct virtgpu *virtgpu = downcast(transport);
    pthread_rwlock_rdlock(&virtgpu->lock);
    const uint32_t handle = virtgpu->mappings[shm].handle;
    pthread_rwlock_unlock(&virtgpu->lock);
    struct drm_prime_handle request = {.handle = handle, .flags = DRM_CLOEXEC | DRM_RDWR};
    return vdc_drm_ioctl(virtgpu->fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &request) == 0 ? request.fd
                                                                                   : -1;
}

static bool shm_set_layout(struct vdc_transport *transport, uint32_t shm, uint64_t offset,
                           uint32_t pitch, VkExtent2D extent)
{
    struct virtgpu *virtgpu = downcast(transport);
    const struct vd_virtio_gpu_scanout_layout record = {
        .record = {.size = sizeof(record), .opcode = VD_VIRTIO_GPU_SCANOUT_LAYOUT},
        .shm = shm,
        .pitch = pitch,
        .offset = offset,
        .width = extent.width,
        .height = extent.height,
    };
    int fence;
    if (atomic_load(&virtgpu->dead) || !execute(virtgpu, &record, sizeof(record), &fence))
        return false;
    /* The device answers in order, so here even an early signal is not too early: it can only be
     * that of a later command. */
    if (!await_fence(fence, DEAD_SECONDS * VD_NS_PER_S)) {
        declare_dead(virtgpu);
        return false;
    }
    return true;
}

static const struct vdc_transport_ops ops = {
    .name = "virtgpu",
    .destroy = destroy,
    .shm_create = shm_create,
    .shm_destroy = shm_destroy,
    .submit = submit,
    .wake = wake,
    .wait = wait,
    .watch = watch,
    .unwatch = unwatch,
    .shm_export = shm_export,
    .shm_set_layout = shm_set_layout,
};

VkResult vdc_virtgpu_connect(struct vdc_transport **transport)
{
    struct virtgpu *virtgpu = calloc(1, sizeof(*virtgpu));
    if (!virtgpu)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    virtgpu->base.ops = &ops;
    virtgpu->alive[0] = -1;
    virtgpu->alive[1] = -1;
    pthread_rwlock_init(&virtgpu->lock, NULL);
    virtgpu->fd = vdc_virtgpu_open(&virtgpu->base.capset);
    if (virtgpu->fd < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, virtgpu->alive) < 0) {
        destroy(&virtgpu->base);
        return VK_ERROR_INCOMPATIBLE_DRIVER;
    }
    vdc_log("connected to virtio-gpu");
    *transport = &virtgpu->base;
    return VK_SUCCESS;
}
