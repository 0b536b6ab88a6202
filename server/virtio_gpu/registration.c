/* SPDX-License-Identifier: MIT */
#include "registration.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"
#include "protocol/virtio_gpu.h"

#include "guest_memory.h"

#define PAGE UINT64_C(4096)

/* How long a worker may hold what the guest wants to free. */
#define RELEASE_MS 10000u

enum state {
    ADDING,
    READY,
    REMOVING,
};

struct vg_registration {
    struct vg_registration *next;
    struct vg_resource *resource; /* counted among its users */
    uint32_t shm;
    uint64_t token;
    enum state state;
    bool vital;
    uint64_t deadline;          /* while REMOVING */
    struct vg_command *command; /* answered when no longer ADDING */
};

void vg_registrations_init(struct vg_registrations *registrations, struct vg_worker_link *link)
{
    *registrations = (struct vg_registrations){.link = link};
}

/* ---- Searches */

static struct vg_registration *find(const struct vg_registrations *registrations, uint32_t shm)
{
    struct vg_registration *registration = registrations->first;
    while (registration && (registration->shm != shm || registration->state == REMOVING))
        registration = registration->next;
    return registration;
}

static struct vg_registration *find_token(const struct vg_registrations *registrations,
                                          uint64_t token)
{
    struct vg_registration *registration = registrations->first;
    while (registration && registration->token != token)
        registration = registration->next;
    return registration;
}

struct vg_resource *vg_registrations_find(const struct vg_registrations *registrations,
                                          uint32_t shm)
{
    const struct vg_registration *registration = find(registrations, shm);
    return registration ? registration->resource : NULL;
}

_Atomic uint32_t *vg_registrations_word(const struct vg_registrations *registrations, uint32_t shm,
                                        uint64_t offset)
{
    const struct vg_resource *resource = vg_registrations_find(registrations, shm);
    return resource ? vg_resource_word(resource, offset) : NULL;
}

void vg_registrations_set_vital(struct vg_registrations *registrations, uint32_t shm)
{
    struct vg_registration *registration = find(registrations, shm);
    if (registration)
        registration->vital = true;
}

/* ---- Adding */

/* Sends the resource's pages to the worker: where they lie in which files. */
static bool send_add(const struct vg_worker_link *link, const struct vg_registration *registration)
{
    const struct vg_memory *memory = vg_resource_memory(registration->resource);
    uint32_t count;
    uint64_t size;
    const struct vg_segment *segments = vg_resource_pages(registration->resource, &count, &size);
    const size_t bytes = count * sizeof(struct vg_extent);
    int fds[VG_LINK_FDS_MAX];
    unsigned fd_count = 1;
    const struct vg_region *regions[VG_LINK_FDS_MAX];

    fds[0] = memfd_create("extents", MFD_CLOEXEC);
    if (fds[0] < 0)
        return false;
    bool ok = false;
    struct vg_extent *extents = MAP_FAILED;
    if (ftruncate(fds[0], (off_t)bytes) < 0)
        goto close_file;
    extents = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
    if (extents == MAP_FAILED)
        goto close_file;
    for (uint32_t i = 0; i < count; i++) {
        const struct vg_segment *segment = &segments[i];
        const struct vg_region *region = vg_memory_region(memory, segment->address);
        if (!region || segment->size > region->size - (segment->address - region->guest))
            goto unmap;
        unsigned file = 1;
        while (file < fd_count && regions[file] != region)
            file++;
        if (file == fd_count) {
            if (fd_count == VG_LINK_FDS_MAX)
                goto unmap;
            regions[fd_count] = region;
            fds[fd_count++] = region->fd;
        }
        const uint64_t offset = region->offset + (segment->address - region->guest);
        if (offset % PAGE != 0 || segment->size % PAGE != 0)
            goto unmap;
        extents[i] = (struct vg_extent){offset, segment->size, file - 1, 0};
    }
    const struct vg_link_message message = {
        .type = VG_LINK_ADD,
        .shm = registration->shm,
        .token = registration->token,
        .size = size,
        .extent_count = count,
    };
    ok = vg_worker_link_send(link, &message, fds, fd_count);
unmap:
    munmap(extents, bytes);
close_file:
    close(fds[0]);
    return ok;
}

bool vg_registrations_add(struct vg_registrations *registrations, struct vg_resource *resource,
                          uint32_t shm, struct vg_command *command)
{
    struct vg_registration *registration = malloc(sizeof(*registration));
    if (!registration)
        return false;
    *registration = (struct vg_registration){
        .next = registrations->first,
        .resource = resource,
        .shm = shm,
        .token = ++registrations->last_token,
        .state = ADDING,
        .command = command,
    };
    if (!send_add(registrations->link, registration)) {
        free(registration);
        return false;
    }
    registrations->first = registration;
    vg_resource_use(resource);
    return true;
}

static void finish_adding(struct vg_registration *registration,
                          enum vd_virtio_gpu_registration status)
{
    if (!registration->command)
        return;
    _Atomic uint32_t *word = vg_resource_word(registration->resource, 0);
    if (word)
        atomic_store(word, status);
    vg_command_respond_type(registration->command, VIRTIO_GPU_RESP_OK_NODATA);
    registration->command = NULL;
}

/* ---- Removing */

/* The worker has nothing mapped for it (any more). */
static void drop(struct vg_registrations *registrations, struct vg_registration *registration)
{
    struct vg_registration **link = &registrations->first;
    while (*link != registration)
        link = &(*link)->next;
    *link = registration->next;
    finish_adding(registration, VD_VIRTIO_GPU_REFUSED);
    vg_resource_unuse(registration->resource);
    free(registration);
}

void vg_registrations_remove(struct vg_registrations *registrations,
                             const struct vg_resource *resource)
{
    for (struct vg_registration *r = registrations->first; r; r = r->next) {
        if (r->resource != resource || r->state == REMOVING)
            continue;
        r->state = REMOVING;
        r->deadline = vd_clock_ms() + RELEASE_MS;
        const struct vg_link_message message = {
            .type = VG_LINK_REMOVE, .shm = r->shm, .token = r->token};
        if (!vg_worker_link_send(registrations->link, &message, NULL, 0))
            vg_worker_link_kill(registrations->link);
        if (r->vital)
            vg_worker_link_end(registrations->link);
    }
}

void vg_registrations_clear(struct vg_registrations *registrations)
{
    while (registrations->first)
        drop(registrations, registrations->first);
}

void vg_registrations_answered(struct vg_registrations *registrations,
                               const struct vg_link_message *message)
{
    struct vg_registration *registration = find_token(registrations, message->token);
    if (!registration)
        return;
    switch (message->type) {
    case VG_LINK_ADDED:
        if (registration->state == ADDING)
            registration->state = READY;
        finish_adding(registration, VD_VIRTIO_GPU_REGISTERED);
        break;
    case VG_LINK_REFUSED:
    case VG_LINK_REMOVED:
        drop(registrations, registration);
        break;
    default:
        break;
    }
}

/* ---- Time */

uint64_t vg_registrations_deadline(const struct vg_registrations *registrations)
{
    uint64_t deadline = 0;
    for (const struct vg_registration *r = registrations->first; r; r = r->next)
        if (r->state == REMOVING && vg_resource_is_freeing(r->resource) &&
            (!deadline || r->deadline < deadline))
            deadline = r->deadline;
    return deadline;
}

void vg_registrations_postpone(struct vg_registrations *registrations, uint64_t deadline)
{
    for (struct vg_registration *r = registrations->first; r; r = r->next)
        r->deadline = deadline;
}
