/* SPDX-License-Identifier: MIT */
#include "link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/pass_fds.h"
#include "server/futex.h"
#include "server/log.h"
#include "server/map_aligned.h"

struct vg_link {
    int fd;
    struct vds_shm_table *shm;
    const struct vds_vtest_listener *listener;
    void *data;
};

struct vg_link *vg_link_create(int fd, struct vds_shm_table *shm,
                               const struct vds_vtest_listener *listener, void *data)
{
    struct vg_link *link = malloc(sizeof(*link));
    if (!link)
        return NULL;
    *link = (struct vg_link){.fd = fd, .shm = shm, .listener = listener, .data = data};
    return link;
}

void vg_link_destroy(struct vg_link *link)
{
    free(link);
}

static void tell(const struct vg_link *link, enum vg_link_type type, uint64_t token)
{
    const struct vg_link_message message = {.type = type, .token = token};
    /* The device reads at once, or is gone. */
    ssize_t sent;
    do {
        sent = send(link->fd, &message, sizeof(message), MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
}

/* From whichever thread had the last reference. */
static void released(void *data, uint64_t token)
{
    tell(data, VG_LINK_REMOVED, token);
}

/* One contiguous mapping of the extents, or NULL with errno set. */
static uint8_t *map_extents(const struct vg_extent *extents, uint32_t count, uint64_t size,
                            const int *files, unsigned file_count)
{
    uint8_t *map = vds_reserve_aligned(size);
    if (!map)
        return NULL;
    uint64_t at = 0;
    int error = EINVAL;
    for (uint32_t i = 0; i < count; i++) {
        const struct vg_extent *extent = &extents[i];
        if (extent->file >= file_count || extent->size > size - at || extent->size == 0)
            goto fail;
        if (mmap(map + at, extent->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                 files[extent->file], (off_t)extent->offset) == MAP_FAILED) {
            error = errno;
            goto fail;
        }
        at += extent->size;
    }
    if (at == size)
        return map;
fail:
    munmap(map, size);
    errno = error;
    return NULL;
}

static bool add(struct vg_link *link, const struct vg_link_message *message, const int *fds,
                unsigned fd_count)
{
    const size_t bytes = message->extent_count * sizeof(struct vg_extent);
    struct stat file;
    if (fd_count < 2 || bytes == 0 || fstat(fds[0], &file) < 0 || (size_t)file.st_size < bytes)
        return false;
    struct vg_extent *extents = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fds[0], 0);
    if (extents == MAP_FAILED)
        return false;
    uint8_t *map =
        map_extents(extents, message->extent_count, message->size, fds + 1, fd_count - 1);
    munmap(extents, bytes);
    if (!map) {
        vds_log(VDS_LOG_WARNING, "guest memory of %llu bytes in %u pieces can not be mapped: %m",
                (unsigned long long)message->size, message->extent_count);
        return false;
    }
    vds_log(VDS_LOG_DEBUG, "shared memory %u: %llu bytes of the guest in %u pieces", message->shm,
            (unsigned long long)message->size, message->extent_count);
    const struct vds_shm_release release = {released, link, message->token};
    if (!vds_shm_add_mapped(link->shm, message->shm, map, message->size, &release)) {
        vds_log(VDS_LOG_WARNING, "protocol error: shared memory %u is there already", message->shm);
        munmap(map, message->size);
        return false;
    }
    return true;
}

static bool handle(struct vg_link *link, struct vg_link_message *message, int *fds,
                   unsigned fd_count)
{
    switch ((enum vg_link_type)message->type) {
    case VG_LINK_HELLO:
        message->name[sizeof(message->name) - 1] = '\0';
        link->listener->named(link->data, message->name[0] ? message->name : "unnamed");
        if (fd_count == 1) {
            vds_wake_notify(fds[0]);
            fds[0] = -1;
        }
        return link->listener->context_init(link->data);
    case VG_LINK_ADD:
        tell(link, add(link, message, fds, fd_count) ? VG_LINK_ADDED : VG_LINK_REFUSED,
             message->token);
        return true;
    case VG_LINK_REMOVE:
        vds_shm_remove(link->shm, message->shm);
        return true;
    case VG_LINK_SETUP:
        return link->listener->setup(link->data, &message->setup);
    case VG_LINK_END:
    case VG_LINK_ADDED:
    case VG_LINK_REFUSED:
    case VG_LINK_REMOVED:
        break;
    }
    return false;
}

enum vds_vtest_status vg_link_process(struct vg_link *link)
{
    for (;;) {
        struct vg_link_message message;
        int fds[VG_LINK_FDS_MAX];
        unsigned fd_count;
        const ssize_t received = vd_receive_fds(link->fd, &message, sizeof(message), fds,
                                                VG_LINK_FDS_MAX, &fd_count, MSG_DONTWAIT);
        if (received < 0 && errno == EAGAIN)
            return VDS_VTEST_OPEN;
        if (received == 0 || (received < 0 && errno == ECONNRESET))
            return VDS_VTEST_CLOSED;
        if (received != sizeof(message)) {
            vds_log(VDS_LOG_ERROR, "a message of the device can not be read");
            return VDS_VTEST_FAILED;
        }
        if (message.type == VG_LINK_END)
            return VDS_VTEST_CLOSED;
        const bool ok = handle(link, &message, fds, fd_count);
        for (unsigned i = 0; i < fd_count; i++)
            if (fds[i] >= 0)
                close(fds[i]);
        if (!ok)
            return VDS_VTEST_FAILED;
    }
}
