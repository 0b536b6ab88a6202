/* SPDX-License-Identifier: MIT
 *
 * The frontend waits for each answer, so these are the one thing that is written without caring
 * whether that blocks.
 */
#include "vhost_user.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_gpu.h>

#include "common/pass_fds.h"
#include "server/log.h"

#define FDS_MAX 32

enum request {
    GET_FEATURES = 1,
    SET_FEATURES = 2,
    SET_OWNER = 3,
    RESET_OWNER = 4,
    SET_MEM_TABLE = 5,
    SET_VRING_NUM = 8,
    SET_VRING_ADDR = 9,
    SET_VRING_BASE = 10,
    GET_VRING_BASE = 11,
    SET_VRING_KICK = 12,
    SET_VRING_CALL = 13,
    SET_VRING_ERR = 14,
    GET_PROTOCOL_FEATURES = 15,
    SET_PROTOCOL_FEATURES = 16,
    GET_QUEUE_NUM = 17,
    SET_VRING_ENABLE = 18,
    SET_BACKEND_REQ_FD = 21,
    GET_CONFIG = 24,
    SET_CONFIG = 25,
    GPU_SET_SOCKET = 33,
    RESET_DEVICE = 34,
};

#define FLAGS_VERSION    1u
#define FLAGS_REPLY      4u
#define FLAGS_NEED_REPLY 8u

#define FEATURE(bit)           (UINT64_C(1) << (bit))
#define F_PROTOCOL_FEATURES    30
#define PROTOCOL_F_REPLY_ACK   3
#define PROTOCOL_F_BACKEND_REQ 5
#define PROTOCOL_F_CONFIG      9

#define DEVICE_FEATURES                                                        \
    (FEATURE(VIRTIO_GPU_F_VIRGL) | FEATURE(VIRTIO_GPU_F_EDID) |                \
     FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | FEATURE(VIRTIO_RING_F_EVENT_IDX) | \
     FEATURE(F_PROTOCOL_FEATURES) | FEATURE(VIRTIO_F_VERSION_1))
/* QEMU offers the guest more than we do, and tells us what the guest took of all that. These make no
 * difference to us: what they are about is between QEMU and the guest, or in what we do anyway. */
#define F_NOTIFY_ON_EMPTY 24
#define F_LOG_ALL         26
#define F_ANY_LAYOUT      27
#define F_ORDER_PLATFORM  36
#define F_SR_IOV          37
#define F_RING_RESET      40
#define HARMLESS_FEATURES                                                      \
    (FEATURE(F_NOTIFY_ON_EMPTY) | FEATURE(F_LOG_ALL) | FEATURE(F_ANY_LAYOUT) | \
     FEATURE(F_ORDER_PLATFORM) | FEATURE(F_SR_IOV) | FEATURE(F_RING_RESET))
#define PROTOCOL_FEATURES \
    (FEATURE(PROTOCOL_F_REPLY_ACK) | FEATURE(PROTOCOL_F_BACKEND_REQ) | FEATURE(PROTOCOL_F_CONFIG))

struct header {
    uint32_t request;
    uint32_t flags;
    uint32_t size;
};
static_assert(sizeof(struct header) == 12, "vhost-user is wire format");

struct ring_state {
    uint32_t index;
    uint32_t number;
};

struct ring_address {
    uint32_t index;
    uint32_t flags;
    uint64_t desc, used, avail, log;
};
static_assert(sizeof(struct ring_address) == 40, "vhost-user is wire format");

struct region {
    uint64_t guest, size, user, offset;
};

struct memory_table {
    uint32_t count;
    uint32_t padding;
    struct region regions[FDS_MAX];
};

#define CONFIG_MAX 256

struct config {
    uint32_t offset, size, flags;
    uint8_t bytes[CONFIG_MAX];
};

union payload {
    uint64_t u64;
    struct ring_state state;
    struct ring_address address;
    struct memory_table memory;
    struct config config;
};

struct message {
    struct header header;
    union payload payload;
    int fds[FDS_MAX]; /* those that are taken become -1 */
    unsigned fd_count;
};

struct vg_vhost_user {
    struct vg_source source;
    struct vg_loop *loop;
    struct vg_gpu *gpu;
    struct kick {
        struct vg_source source;
        struct vg_vhost_user *vhost_user;
        unsigned index; /* of the queue */
    } kicks[VG_QUEUES];
    bool failed;
    int backend_fd; /* for messages to the frontend, of which we have none: kept open */
    uint64_t features, protocol_features;
};

/* ---- Bytes */

static bool receive(int socket, struct message *message)
{
    const ssize_t received = vd_receive_fds(socket, &message->header, sizeof(message->header),
                                            message->fds, FDS_MAX, &message->fd_count, MSG_WAITALL);
    if (received != sizeof(message->header)) {
        if (received != 0)
            vds_log(VDS_LOG_ERROR, "the frontend's message can not be read: %m");
        return false;
    }
    if (message->header.size > sizeof(message->payload)) {
        vds_log(VDS_LOG_ERROR, "message %u of the frontend has %u bytes", message->header.request,
                message->header.size);
        return false;
    }
    memset(&message->payload, 0, sizeof(message->payload));
    if (message->header.size > 0 && recv(socket, &message->payload, message->header.size,
                                         MSG_WAITALL) != (ssize_t)message->header.size) {
        vds_log(VDS_LOG_ERROR, "the frontend's message is cut off");
        return false;
    }
    return true;
}

static bool reply(int socket, const struct message *message, const void *payload, uint32_t size)
{
    const struct header header = {message->header.request, FLAGS_VERSION | FLAGS_REPLY, size};
    uint8_t bytes[sizeof(header) + sizeof(union payload)];
    memcpy(bytes, &header, sizeof(header));
    memcpy(bytes + sizeof(header), payload, size);
    size_t sent = 0;
    while (sent < sizeof(header) + size) {
        const ssize_t part = send(socket, bytes + sent, sizeof(header) + size - sent, MSG_NOSIGNAL);
        if (part < 0 && errno != EINTR) {
            vds_log(VDS_LOG_ERROR, "can not answer the frontend: %m");
            return false;
        }
        sent += part > 0 ? (size_t)part : 0;
    }
    return true;
}

static int take_fd(struct message *message)
{
    if (message->fd_count == 0)
        return -1;
    const int fd = message->fds[0];
    message->fds[0] = -1;
    return fd;
}

/* ---- Queues */

static void kicked(struct vg_source *source, uint32_t events)
{
    (void)events;
    struct kick *kick = (struct kick *)source;
    static_assert(offsetof(struct kick, source) == 0, "it begins with its source");
    eventfd_t count;
    eventfd_read(source->fd, &count);
    vg_gpu_process_queue(kick->vhost_user->gpu, kick->index);
}

static void remap_queues(struct vg_gpu *gpu)
{
    for (unsigned i = 0; i < VG_QUEUES; i++)
        vg_queue_map(vg_gpu_queue(gpu, i), vg_gpu_memory(gpu));
}

static void drop_kick(struct vg_vhost_user *vhost_user, unsigned index)
{
    struct vg_queue *queue = vg_gpu_queue(vhost_user->gpu, index);
    if (queue->kick >= 0) {
        vg_loop_unwatch(vhost_user->loop, &vhost_user->kicks[index].source);
        close(queue->kick);
        queue->kick = -1;
    }
}

static void stop_queue(struct vg_vhost_user *vhost_user, unsigned index)
{
    struct vg_queue *queue = vg_gpu_queue(vhost_user->gpu, index);
    if (index == VG_QUEUE_CONTROL && queue->started)
        vg_gpu_stop(vhost_user->gpu);
    queue->started = false;
    drop_kick(vhost_user, index);
}

/* ---- Messages. False: the connection has to end; a line is in the log. */

enum answer {
    ANSWER_FAIL,
    ANSWER_NONE,    /* nothing but the acknowledgement that may have been asked for */
    ANSWER_PAYLOAD, /* the payload, of header.size bytes */
};

static enum answer set_mem_table(struct vg_vhost_user *vhost_user, struct message *message)
{
    struct vg_memory *memory = vg_gpu_memory(vhost_user->gpu);
    const struct memory_table *table = &message->payload.memory;
    if (table->count > FDS_MAX || table->count != message->fd_count ||
        message->header.size <
            offsetof(struct memory_table, regions) + table->count * sizeof(table->regions[0])) {
        vds_log(VDS_LOG_ERROR, "a memory table of %u regions with %u descriptors", table->count,
                message->fd_count);
        return ANSWER_FAIL;
    }
    vg_memory_finish(memory);
    remap_queues(vhost_user->gpu); /* they are nowhere, also where the new memory can not be had */
    for (uint32_t i = 0; i < table->count; i++) {
        const struct vg_region region = {
            .guest = table->regions[i].guest,
            .size = table->regions[i].size,
            .user = table->regions[i].user,
            .offset = table->regions[i].offset,
            .fd = message->fds[i],
        };
        if (!vg_memory_add(memory, &region)) {
            vds_log(VDS_LOG_ERROR, "the guest's memory can not be mapped: %m");
            return ANSWER_FAIL;
        }
        message->fds[i] = -1;
    }
    remap_queues(vhost_user->gpu);
    return ANSWER_NONE;
}

/* Of features that were not offered, one that changes what lies in the guest's memory would make the
 * guest wait for ever. */
static enum answer set_features(struct vg_vhost_user *vhost_user, uint64_t features)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {
        {VIRTIO_F_RING_PACKED, " (packed virtqueues: packed=on)"},
        {VIRTIO_F_IOMMU_PLATFORM, " (an IOMMU: iommu_platform=on)"},
        {VIRTIO_F_IN_ORDER, " (in order: in_order=on)"},
        {VIRTIO_GPU_F_RESOURCE_BLOB, " (blob resources: blob=on)"},
    };
    const uint64_t foreign = features & ~(DEVICE_FEATURES | HARMLESS_FEATURES);
    if (!foreign) {
        vhost_user->features = features;
        return ANSWER_NONE;
    }
    const char *name = "";
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !*name; i++)
        if (foreign & FEATURE(names[i].bit))
            name = names[i].name;
    vds_log(VDS_LOG_ERROR,
            "the guest's device has virtio features that this server does not offer: %#llx%s",
            (unsigned long long)foreign, name);
    return ANSWER_FAIL;
}

static enum answer set_vring_kick(struct vg_vhost_user *vhost_user, struct message *message)
{
    struct vg_gpu *gpu = vhost_user->gpu;
    const unsigned index = message->payload.u64 & 0xff;
    if (index >= VG_QUEUES)
        return ANSWER_FAIL;
    drop_kick(vhost_user, index);
    struct vg_queue *queue = vg_gpu_queue(gpu, index);
    queue->kick = take_fd(message);
    queue->started = true;
    queue->broken = false;
    queue->event_index = (vhost_user->features & FEATURE(VIRTIO_RING_F_EVENT_IDX)) != 0;
    if (!(vhost_user->features & FEATURE(F_PROTOCOL_FEATURES)))
        queue->enabled = true;
    vg_queue_map(queue, vg_gpu_memory(gpu));
    if (!queue->desc) {
        vds_log(VDS_LOG_WARNING, "queue %u lies outside of the guest's memory", index);
    } else {
        queue->next_used = queue->used->idx;
        queue->signalled = queue->next_used;
    }
    if (queue->kick >= 0) {
        struct kick *kick = &vhost_user->kicks[index];
        *kick = (struct kick){{.ready = kicked, .fd = queue->kick}, vhost_user, index};
        if (!vg_loop_watch(vhost_user->loop, &kick->source, EPOLLIN))
            return ANSWER_FAIL;
        eventfd_write(queue->kick, 1); /* something may be there already */
    }
    return ANSWER_NONE;
}

static enum answer get_config(struct message *message)
{
    struct config *config = &message->payload.config;
    struct virtio_gpu_config values = {.num_scanouts = 1, .num_capsets = 1};
    const uint32_t size = config->size;
    if (size > CONFIG_MAX || message->header.size < offsetof(struct config, bytes) + size)
        return ANSWER_FAIL;
    memset(config->bytes, 0, sizeof(config->bytes));
    if (config->offset < sizeof(values)) {
        const uint32_t left = (uint32_t)sizeof(values) - config->offset;
        memcpy(config->bytes, (uint8_t *)&values + config->offset, size < left ? size : left);
    }
    return ANSWER_PAYLOAD;
}

/* The payload is zero behind what was sent. */
static enum answer handle(struct vg_vhost_user *vhost_user, struct message *message)
{
    struct vg_gpu *gpu = vhost_user->gpu;
    union payload *payload = &message->payload;
    struct vg_queue *queue = NULL;

    switch (message->header.request) {
    case SET_VRING_NUM:
    case SET_VRING_ADDR:
    case SET_VRING_BASE:
    case GET_VRING_BASE:
    case SET_VRING_ENABLE:
        if (payload->state.index >= VG_QUEUES)
            return ANSWER_FAIL;
        queue = vg_gpu_queue(gpu, payload->state.index);
        break;
    default:
        break;
    }

    switch (message->header.request) {
    case GET_FEATURES:
        payload->u64 = DEVICE_FEATURES;
        message->header.size = sizeof(payload->u64);
        return ANSWER_PAYLOAD;
    case SET_FEATURES:
        return set_features(vhost_user, payload->u64);
    case GET_PROTOCOL_FEATURES:
        payload->u64 = PROTOCOL_FEATURES;
        message->header.size = sizeof(payload->u64);
        return ANSWER_PAYLOAD;
    case SET_PROTOCOL_FEATURES:
        vhost_user->protocol_features = payload->u64;
        return ANSWER_NONE;
    case GET_QUEUE_NUM:
        payload->u64 = VG_QUEUES;
        message->header.size = sizeof(payload->u64);
        return ANSWER_PAYLOAD;
    case SET_OWNER:
        return ANSWER_NONE;
    case RESET_OWNER:
    case RESET_DEVICE:
        vg_gpu_reset(gpu);
        return ANSWER_NONE;
    case SET_MEM_TABLE:
        return set_mem_table(vhost_user, message);
    case SET_VRING_NUM:
        queue->size = payload->state.number;
        vg_queue_map(queue, vg_gpu_memory(gpu)); /* which may not hold as many */
        return ANSWER_NONE;
    case SET_VRING_ADDR:
        queue->desc_user = payload->address.desc;
        queue->avail_user = payload->address.avail;
        queue->used_user = payload->address.used;
        vg_queue_map(queue, vg_gpu_memory(gpu));
        return ANSWER_NONE;
    case SET_VRING_BASE:
        queue->next_avail = (uint16_t)payload->state.number;
        /* A driver that begins anew, after a reset of the guest; else one that goes on. */
        if (payload->state.index == VG_QUEUE_CONTROL && queue->next_avail == 0)
            vg_gpu_reset(gpu);
        return ANSWER_NONE;
    case GET_VRING_BASE:
        stop_queue(vhost_user, payload->state.index);
        payload->state.number = queue->next_avail;
        message->header.size = sizeof(payload->state);
        return ANSWER_PAYLOAD;
    case SET_VRING_KICK:
        return set_vring_kick(vhost_user, message);
    case SET_VRING_CALL:
        if ((payload->u64 & 0xff) >= VG_QUEUES)
            return ANSWER_FAIL;
        queue = vg_gpu_queue(gpu, payload->u64 & 0xff);
        if (queue->call >= 0)
            close(queue->call);
        queue->call = take_fd(message);
        return ANSWER_NONE;
    case SET_VRING_ERR:
        return ANSWER_NONE;
    case SET_VRING_ENABLE:
        queue->enabled = payload->state.number != 0;
        if (queue->enabled && queue->kick >= 0)
            eventfd_write(queue->kick, 1);
        return ANSWER_NONE;
    case SET_BACKEND_REQ_FD:
        if (vhost_user->backend_fd >= 0)
            close(vhost_user->backend_fd);
        vhost_user->backend_fd = take_fd(message);
        return ANSWER_NONE;
    case GET_CONFIG:
        return get_config(message);
    case SET_CONFIG:
        return ANSWER_NONE; /* events_clear, and there are no events of ours */
    case GPU_SET_SOCKET:
        vg_gpu_connect_display(gpu, take_fd(message));
        return ANSWER_NONE;
    default:
        vds_log(VDS_LOG_ERROR, "message %u of the frontend is not known", message->header.request);
        return ANSWER_FAIL;
    }
}

static void ready(struct vg_source *source, uint32_t events)
{
    (void)events;
    struct vg_vhost_user *vhost_user = (struct vg_vhost_user *)source;
    static_assert(offsetof(struct vg_vhost_user, source) == 0, "it begins with its source");
    struct message message;
    if (!receive(source->fd, &message)) {
        vhost_user->failed = true;
        return;
    }
    const enum answer answer = handle(vhost_user, &message);
    bool ok = true;
    switch (answer) {
    case ANSWER_FAIL:
        vds_log(VDS_LOG_ERROR, "message %u of the frontend makes no sense", message.header.request);
        ok = false;
        break;
    case ANSWER_PAYLOAD:
        ok = reply(source->fd, &message, &message.payload, message.header.size);
        break;
    case ANSWER_NONE:
        if ((message.header.flags & FLAGS_NEED_REPLY) &&
            (vhost_user->protocol_features & FEATURE(PROTOCOL_F_REPLY_ACK))) {
            const uint64_t success = 0;
            ok = reply(source->fd, &message, &success, sizeof(success));
        }
        break;
    }
    for (unsigned i = 0; i < message.fd_count; i++)
        if (message.fds[i] >= 0)
            close(message.fds[i]);
    if (!ok)
        vhost_user->failed = true;
}

struct vg_vhost_user *vg_vhost_user_create(struct vg_loop *loop, struct vg_gpu *gpu, int socket)
{
    struct vg_vhost_user *vhost_user = calloc(1, sizeof(*vhost_user));
    if (!vhost_user)
        return NULL;
    vhost_user->source = (struct vg_source){.ready = ready, .fd = socket};
    vhost_user->loop = loop;
    vhost_user->gpu = gpu;
    vhost_user->backend_fd = -1;
    if (!vg_loop_watch(loop, &vhost_user->source, EPOLLIN)) {
        free(vhost_user);
        return NULL;
    }
    return vhost_user;
}

void vg_vhost_user_destroy(struct vg_vhost_user *vhost_user)
{
    if (!vhost_user)
        return;
    if (vhost_user->backend_fd >= 0)
        close(vhost_user->backend_fd);
    free(vhost_user);
}

bool vg_vhost_user_is_open(const struct vg_vhost_user *vhost_user)
{
    return !vhost_user->failed;
}
