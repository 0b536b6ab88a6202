/* SPDX-License-Identifier: MIT */
#include "fence_payload.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/sealed.h"

#include "connection/pending_signals.h"
#include "opcodes.h"

struct vdc_fence_payload {
    struct vdc_connection *connection;
    struct vdc_shm shm;
    struct vd_fence_file *file; /* its beginning */
    struct vdc_pending_signal pending;
};

static struct vdc_fence_payload *payload_alloc(struct vdc_connection *connection)
{
    struct vdc_fence_payload *payload = calloc(1, sizeof(*payload));
    if (payload)
        payload->connection = connection;
    return payload;
}

static void payload_map(struct vdc_fence_payload *payload)
{
    payload->file = payload->shm.map;
    payload->pending.file = payload->file;
}

VkResult vdc_fence_payload_create(struct vdc_connection *connection, bool signaled,
                                  struct vdc_fence_payload **out)
{
    struct vdc_fence_payload *payload = payload_alloc(connection);
    if (!payload)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    const VkResult result =
        vdc_link_shm_create_file(&connection->link, sizeof(*payload->file), &payload->shm);
    if (result != VK_SUCCESS) {
        free(payload);
        return result;
    }
    payload_map(payload);
    payload->file->magic = VD_FENCE_MAGIC;
    atomic_store(&payload->file->state, signaled ? VD_FENCE_SIGNALED : VD_FENCE_UNSIGNALED);
    *out = payload;
    return VK_SUCCESS;
}

/* The file is looked at before it is mapped: reading never kills, whatever the descriptor is. */
static bool is_ours(int fd)
{
    uint64_t magic;
    return vd_sealed_size(fd) == (uint64_t)sysconf(_SC_PAGESIZE) &&
           pread(fd, &magic, sizeof(magic), 0) == sizeof(magic) && magic == VD_FENCE_MAGIC;
}

VkResult vdc_fence_payload_import(struct vdc_connection *connection, int fd,
                                  struct vdc_fence_payload **out)
{
    if (!is_ours(fd))
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    struct vdc_fence_payload *payload = payload_alloc(connection);
    if (!payload)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    const VkResult result =
        vdc_link_shm_import(&connection->link, fd, 0, vd_sealed_size(fd), &payload->shm);
    if (result != VK_SUCCESS) {
        free(payload);
        return result;
    }
    payload_map(payload);
    *out = payload;
    return VK_SUCCESS;
}

void vdc_fence_payload_destroy(struct vdc_fence_payload *payload)
{
    if (!payload)
        return;
    vdc_pending_signal_remove(payload->connection->pending_signals, &payload->pending);
    vdc_link_shm_destroy(&payload->connection->link, &payload->shm);
    free(payload);
}

int vdc_fence_payload_export(const struct vdc_fence_payload *payload)
{
    return fcntl(payload->shm.fd, F_DUPFD_CLOEXEC, 0);
}

bool vdc_fence_payload_is_signaled(const struct vdc_fence_payload *payload)
{
    /* acquire: what the host wrote before. */
    return atomic_load_explicit(&payload->file->state, memory_order_acquire) == VD_FENCE_SIGNALED;
}

void vdc_fence_payload_reset(struct vdc_fence_payload *payload)
{
    /* Nobody is going to signal it. */
    atomic_store(&payload->file->signaler, 0);
    uint32_t signaled = VD_FENCE_SIGNALED; /* else somebody may sleep, and wants to be woken */
    atomic_compare_exchange_strong(&payload->file->state, &signaled, VD_FENCE_UNSIGNALED);
}

void vdc_fence_payload_signal(struct vdc_fence_payload *payload)
{
    if (vd_fence_mark(&payload->file->state))
        vdc_link_wake(&payload->connection->link, &payload->file->state);
}

/* If this cannot be sent, neither can the submission that follows: the connection is lost. */
static void send(struct vdc_fence_payload *payload, uint64_t queue, uint64_t number)
{
    const struct {
        struct vd_record record;
        struct vd_signal_fence args;
    } command = {
        .record = {.size = sizeof(command), .opcode = VD_OP_SIGNAL_FENCE},
        .args =
            {
                .queue = queue,
                .number = number,
                .state = vd_shm_pointer(payload->shm.id, offsetof(struct vd_fence_file, state)),
            },
    };
    vdc_ring_post(payload->connection->ring, &command.record);
}

void vdc_fence_payload_expect(struct vdc_fence_payload *payload, uint64_t queue, uint64_t number)
{
    vdc_pending_signal_add(payload->connection->pending_signals, &payload->pending);
    send(payload, queue, number);
}

void vdc_fence_payload_withdraw(struct vdc_fence_payload *payload, uint64_t queue)
{
    atomic_store(&payload->file->signaler, 0);
    send(payload, queue, 0);
}

struct vdc_futex_word vdc_fence_payload_await(struct vdc_fence_payload *payload)
{
    _Atomic uint32_t *state = &payload->file->state;
    uint32_t seen = VD_FENCE_UNSIGNALED;
    atomic_compare_exchange_strong(state, &seen, VD_FENCE_AWAITED);
    return (struct vdc_futex_word){state, VD_FENCE_AWAITED};
}
