/* SPDX-License-Identifier: MIT
 *
 * The guest's contexts. One gets a worker when its process first registers shared memory; one that
 * never does, as each open descriptor of a compositor has it, costs nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/pass_fds.h"
#include "protocol/completion.h"
#include "protocol/virtio_gpu.h"

#include "opcodes.h"
#include "server/context.h"
#include "server/log.h"

#include "complaint.h"
#include "device.h"
#include "device_private.h"
#include "link.h"

#define PAGE UINT64_C(4096)

#define WORKERS_MAX  64u
#define ATTACHED_MAX 65536u

/* Parked commands take places in the guest's queue, which has 256. */
#define PARKED_MAX         96u
#define PARKED_CONTEXT_MAX 24u
#define PARKED_MS          2000u

/* How long a worker may hold what the guest wants to free, and take to end. */
#define RELEASE_MS 10000u
#define END_MS     3000u

enum registration_state {
    ADDING,
    READY,
    REMOVING,
};

/* A resource that the context's worker has mapped, or shall map, or shall forget. */
struct registration {
    struct registration *next;
    struct vg_resource *resource; /* counted in its users */
    uint32_t shm;
    uint64_t token;
    enum registration_state state;
    uint64_t deadline;          /* while REMOVING */
    struct vg_command *command; /* answered when no longer ADDING */
};

/* A parked VD_VIRTIO_GPU_WAIT. */
struct parked {
    struct parked *next;
    struct vg_command *command;
    struct vd_virtio_gpu_wait wait;
    uint64_t deadline;
};

struct vg_context {
    struct vg_context *next;
    struct vg_device *device;
    uint32_t id;
    char name[64];
    uint32_t *attached; /* ids of resources */
    uint32_t attached_count, attached_capacity;

    struct vg_source link; /* fd -1: no worker */
    struct vg_source wake;
    uint32_t worker;       /* its number */
    bool lost;             /* it had one */
    uint64_t end_deadline; /* it has been asked to end; 0: not */
    struct vd_setup setup; /* protocol_version 0: not yet */
    uint64_t last_token;
    struct registration *registrations;
    struct parked *parked; /* oldest first */
    uint32_t parked_count;
    struct vg_command *watch; /* answered when the worker is gone; NULL: nobody watches */
    uint32_t unfenced;        /* wake-ups in a row whose fence was left alone */
};

static struct vg_context *find(struct vg_device *device, uint32_t id)
{
    struct vg_context *context = device->contexts;
    while (context && context->id != id) {
        context = context->next;
    }
    return context;
}

static bool is_attached(const struct vg_context *context, uint32_t resource)
{
    for (uint32_t i = 0; i < context->attached_count; i++) {
        if (context->attached[i] == resource) {
            return true;
        }
    }
    return false;
}

static struct registration *find_shm(const struct vg_context *context, uint32_t shm)
{
    struct registration *registration = context->registrations;
    while (registration && (registration->shm != shm || registration->state == REMOVING)) {
        registration = registration->next;
    }
    return registration;
}

static struct registration *find_token(const struct vg_context *context, uint64_t token)
{
    struct registration *registration = context->registrations;
    while (registration && registration->token != token) {
        registration = registration->next;
    }
    return registration;
}

static _Atomic uint32_t *word_at(const struct vg_context *context, uint32_t shm, uint64_t offset)
{
    const struct registration *registration = find_shm(context, shm);
    return registration ? vg_resource_word(context->device, registration->resource, offset) : NULL;
}

/* ---- Parked waits */

static bool over(const struct vg_context *context, const struct vd_virtio_gpu_wait *wait)
{
    _Atomic uint32_t *word = word_at(context, wait->shm, wait->offset);
    /* seq_cst: the other side stores the word and then looks whether somebody waits. */
    return context->lost || !word || atomic_load(word) != wait->value;
}

/* Answers the wait that *link points to. */
static void unpark(struct vg_context *context, struct parked **link)
{
    struct parked *parked = *link;
    *link = parked->next;
    context->parked_count--;
    context->device->parked_count--;
    vg_respond_type(context->device, parked->command, VIRTIO_GPU_RESP_OK_NODATA);
    free(parked);
}

static void check_parked(struct vg_context *context)
{
    for (struct parked **link = &context->parked; *link;) {
        if (over(context, &(*link)->wait)) {
            unpark(context, link);
        } else {
            link = &(*link)->next;
        }
    }
}

static void end_watch(struct vg_context *context)
{
    if (context->watch) {
        vg_respond_type(context->device, context->watch, VIRTIO_GPU_RESP_OK_NODATA);
        context->watch = NULL;
    }
}

static void unpark_all(struct vg_context *context)
{
    end_watch(context);
    while (context->parked) {
        unpark(context, &context->parked);
    }
}

static uint32_t park(struct vg_context *context, struct vg_command *command)
{
    struct vg_device *device = context->device;
    struct vd_virtio_gpu_wait wait;
    memcpy(&wait, command->request.bytes + sizeof(struct virtio_gpu_cmd_submit), sizeof(wait));

    for (struct parked **link = &context->parked; *link; link = &(*link)->next) {
        if ((*link)->wait.thread == wait.thread) {
            unpark(context, link);
            break;
        }
    }
    struct parked *parked = NULL;
    if (!over(context, &wait) && (command->request.header.flags & VIRTIO_GPU_FLAG_FENCE)) {
        if (context->parked_count >= PARKED_CONTEXT_MAX) {
            unpark(context, &context->parked);
        }
        if (device->parked_count < PARKED_MAX) {
            parked = malloc(sizeof(*parked));
        }
    }
    if (!parked) {
        return VIRTIO_GPU_RESP_OK_NODATA;
    }
    *parked =
        (struct parked){.command = command, .wait = wait, .deadline = vd_clock_ms() + PARKED_MS};
    struct parked **last = &context->parked;
    while (*last) {
        last = &(*last)->next;
    }
    *last = parked;
    context->parked_count++;
    device->parked_count++;
    return 0;
}

/* Those that are kept are as many as workers, and so leave the queue enough places. */
static uint32_t watch(struct vg_context *context, struct vg_command *command)
{
    end_watch(context);
    if (context->link.fd < 0 || context->end_deadline ||
        !(command->request.header.flags & VIRTIO_GPU_FLAG_FENCE)) {
        return VIRTIO_GPU_RESP_OK_NODATA;
    }
    context->watch = command;
    return 0;
}

/* ---- The worker */

static_assert(VG_LINK_FDS_MAX <= VD_PASS_FDS_MAX, "a message goes with all of its descriptors");

static bool send_message(const struct vg_context *context, const struct vg_link_message *message,
                         const int *fds, unsigned fd_count)
{
    return vd_send_fds(context->link.fd, message, sizeof(*message), fds, fd_count,
                       MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(*message);
}

static bool send_spawn(struct vg_device *device, const struct vg_spawn *spawn, int fd)
{
    return vd_send_fds(device->spawn, spawn, sizeof(*spawn), &fd, fd >= 0 ? 1 : 0,
                       MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(*spawn);
}

static void kill_worker(struct vg_context *context)
{
    const struct vg_spawn spawn = {VG_SPAWN_KILL, context->worker};
    send_spawn(context->device, &spawn, -1);
}

/* Asks for an orderly end, for a while. */
static void end_worker(struct vg_context *context)
{
    if (context->link.fd >= 0 && !context->end_deadline) {
        const struct vg_link_message message = {.type = VG_LINK_END};
        if (!send_message(context, &message, NULL, 0)) {
            kill_worker(context);
        }
        context->end_deadline = vd_clock_ms() + END_MS;
    }
}

static void set_status(struct vg_context *context, const struct registration *registration,
                       enum vd_virtio_gpu_registration status)
{
    _Atomic uint32_t *word = vg_resource_word(context->device, registration->resource, 0);
    if (word) {
        atomic_store(word, status);
    }
}

static void finish_register(struct vg_context *context, struct registration *registration,
                            enum vd_virtio_gpu_registration status)
{
    if (registration->command) {
        set_status(context, registration, status);
        vg_respond_type(context->device, registration->command, VIRTIO_GPU_RESP_OK_NODATA);
        registration->command = NULL;
    }
}

/* The worker has nothing mapped for it (any more). */
static void drop_registration(struct vg_context *context, struct registration *registration)
{
    struct registration **link = &context->registrations;
    while (*link != registration) {
        link = &(*link)->next;
    }
    *link = registration->next;
    finish_register(context, registration, VD_VIRTIO_GPU_REFUSED);
    vg_resource_unuse(context->device, registration->resource);
    free(registration);
}

/* Asks the worker to forget it. */
static void remove_registration(struct vg_context *context, struct registration *registration)
{
    if (registration->state == REMOVING) {
        return;
    }
    registration->state = REMOVING;
    registration->deadline = vd_clock_ms() + RELEASE_MS;
    const struct vg_link_message message = {
        .type = VG_LINK_REMOVE, .shm = registration->shm, .token = registration->token};
    if (!send_message(context, &message, NULL, 0)) {
        kill_worker(context);
    }
    /* Without these there is no connection: the client closes them first, and so does the kernel
     * for one that is killed. */
    if (context->setup.protocol_version && (registration->shm == context->setup.ring_shm ||
                                            registration->shm == context->setup.completion_shm)) {
        end_worker(context);
    }
}

static void tell_lost(struct vg_context *context)
{
    if (!context->setup.protocol_version) {
        return;
    }
    _Atomic uint32_t *lost = word_at(context, context->setup.completion_shm, 0);
    if (!lost) {
        return;
    }
    atomic_store(lost, 1);
    _Atomic uint32_t *event =
        word_at(context, context->setup.completion_shm, offsetof(struct vd_completion, event));
    if (event) {
        atomic_fetch_add(event, 1);
    }
}

static void free_context(struct vg_context *context)
{
    free(context->attached);
    free(context);
}

/* The worker is gone. May free a context that is dying. */
static void worker_gone(struct vg_context *context)
{
    struct vg_device *device = context->device;
    vg_device_unwatch(device, &context->link);
    vg_device_unwatch(device, &context->wake);
    close(context->link.fd);
    close(context->wake.fd);
    context->link.fd = -1;
    context->wake.fd = -1;
    if (!context->end_deadline) {
        vd_log(VD_LOG_WARNING, "the worker of context %u (%s) is gone", context->id, context->name);
    }
    tell_lost(context);
    context->lost = true;
    while (context->registrations) {
        drop_registration(context, context->registrations);
    }
    unpark_all(context);
    for (struct vg_context **link = &device->dying; *link; link = &(*link)->next) {
        if (*link == context) {
            *link = context->next;
            free_context(context);
            return;
        }
    }
}

static void link_ready(struct vg_device *device, struct vg_source *source, uint32_t events)
{
    (void)device;
    (void)events;
    struct vg_context *context =
        (struct vg_context *)((uint8_t *)source - offsetof(struct vg_context, link));
    struct vg_link_message message;
    const ssize_t received = recv(source->fd, &message, sizeof(message), MSG_DONTWAIT);
    if (received < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (received != sizeof(message)) {
        worker_gone(context);
        return;
    }
    struct registration *registration = find_token(context, message.token);
    if (!registration) {
        return;
    }
    switch (message.type) {
    case VG_LINK_ADDED:
        if (registration->state == ADDING) {
            registration->state = READY;
        }
        finish_register(context, registration, VD_VIRTIO_GPU_REGISTERED);
        break;
    case VG_LINK_REFUSED:
    case VG_LINK_REMOVED:
        drop_registration(context, registration);
        break;
    default:
        break;
    }
    check_parked(context);
}

/* The worker has changed words that somebody may wait for. */
static void wake_ready(struct vg_device *device, struct vg_source *source, uint32_t events)
{
    (void)device;
    (void)events;
    struct vg_context *context =
        (struct vg_context *)((uint8_t *)source - offsetof(struct vg_context, wake));
    eventfd_t count;
    eventfd_read(source->fd, &count);
    check_parked(context);
}

static uint32_t count_workers(const struct vg_device *device)
{
    uint32_t count = 0;
    for (const struct vg_context *context = device->contexts; context; context = context->next) {
        count += context->link.fd >= 0;
    }
    for (const struct vg_context *context = device->dying; context; context = context->next) {
        count += context->link.fd >= 0;
    }
    return count;
}

static bool start_worker(struct vg_context *context)
{
    struct vg_device *device = context->device;
    if (count_workers(device) >= WORKERS_MAX) {
        vg_complain("no worker for context %u (%s): there are %u", context->id, context->name,
                    WORKERS_MAX);
        return false;
    }
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) < 0) {
        vd_log(VD_LOG_ERROR, "no socket for a worker: %m");
        return false;
    }
    const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    context->worker = ++device->worker_count;
    context->link = (struct vg_source){.ready = link_ready, .fd = sockets[0]};
    context->wake = (struct vg_source){.ready = wake_ready, .fd = wake};
    const struct vg_spawn spawn = {VG_SPAWN_START, context->worker};
    struct vg_link_message hello = {.type = VG_LINK_HELLO};
    memcpy(hello.name, context->name, sizeof(hello.name));
    const bool ok = wake >= 0 && send_spawn(device, &spawn, sockets[1]) &&
                    send_message(context, &hello, &wake, 1) &&
                    vg_device_watch(device, &context->link, EPOLLIN) &&
                    vg_device_watch(device, &context->wake, EPOLLIN);
    close(sockets[1]);
    if (!ok) {
        vd_log(VD_LOG_ERROR, "no worker for context %u (%s): %m", context->id, context->name);
        close(sockets[0]);
        if (wake >= 0) {
            close(wake);
        }
        context->link.fd = -1;
        context->wake.fd = -1;
        context->lost = true;
    }
    return ok;
}

/* ---- Registration */

/* Sends the resource's pages to the worker: where they lie in which files. */
static bool send_add(struct vg_context *context, const struct registration *registration)
{
    struct vg_device *device = context->device;
    const struct vg_resource *resource = registration->resource;
    const size_t bytes = resource->backing_count * sizeof(struct vg_extent);
    int fds[VG_LINK_FDS_MAX];
    unsigned fd_count = 1;
    const struct vg_region *regions[VG_LINK_FDS_MAX];

    fds[0] = memfd_create("extents", MFD_CLOEXEC);
    if (fds[0] < 0) {
        return false;
    }
    bool ok = false;
    struct vg_extent *extents = MAP_FAILED;
    if (ftruncate(fds[0], (off_t)bytes) < 0) {
        goto close_file;
    }
    extents = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
    if (extents == MAP_FAILED) {
        goto close_file;
    }
    for (uint32_t i = 0; i < resource->backing_count; i++) {
        const struct vg_segment *segment = &resource->backing[i];
        const struct vg_region *region = vg_memory_region(&device->memory, segment->address);
        if (!region || segment->size > region->size - (segment->address - region->guest)) {
            goto unmap;
        }
        unsigned file = 1;
        while (file < fd_count && regions[file] != region) {
            file++;
        }
        if (file == fd_count) {
            if (fd_count == VG_LINK_FDS_MAX) {
                goto unmap;
            }
            regions[fd_count] = region;
            fds[fd_count++] = region->fd;
        }
        const uint64_t offset = region->offset + (segment->address - region->guest);
        if (offset % PAGE != 0 || segment->size % PAGE != 0) {
            goto unmap;
        }
        extents[i] = (struct vg_extent){offset, segment->size, file - 1, 0};
    }
    const struct vg_link_message message = {
        .type = VG_LINK_ADD,
        .shm = registration->shm,
        .token = registration->token,
        .size = resource->backing_size,
        .extent_count = resource->backing_count,
    };
    ok = send_message(context, &message, fds, fd_count);
unmap:
    munmap(extents, bytes);
close_file:
    close(fds[0]);
    return ok;
}

static uint32_t refuse(struct vg_device *device, const struct vg_resource *resource)
{
    _Atomic uint32_t *word = vg_resource_word(device, resource, 0);
    if (word) {
        atomic_store(word, VD_VIRTIO_GPU_REFUSED);
    }
    return VIRTIO_GPU_RESP_ERR_UNSPEC;
}

static uint32_t register_resource(struct vg_context *context, struct vg_command *command)
{
    struct vg_device *device = context->device;
    struct vd_virtio_gpu_register request;
    memcpy(&request, command->request.bytes + sizeof(struct virtio_gpu_cmd_submit),
           sizeof(request));
    struct vg_resource *resource = vg_resource_find(device, request.resource);
    if (!resource || !is_attached(context, request.resource) || resource->freeing.first) {
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    if (!resource->is_3d || resource->target != 0 || !resource->backing || request.shm == 0 ||
        request.shm > VD_VIRTIO_GPU_SHM_MAX || find_shm(context, request.shm)) {
        refuse(device, resource);
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    }
    if (context->lost || context->end_deadline ||
        (context->link.fd < 0 && !start_worker(context))) {
        return refuse(device, resource);
    }
    struct registration *registration = malloc(sizeof(*registration));
    if (!registration) {
        return refuse(device, resource);
    }
    *registration = (struct registration){
        .next = context->registrations,
        .resource = resource,
        .shm = request.shm,
        .token = ++context->last_token,
        .state = ADDING,
    };
    if (!send_add(context, registration)) {
        vg_complain("resource %u can not be passed to the worker", resource->id);
        free(registration);
        return refuse(device, resource);
    }
    registration->command = command;
    context->registrations = registration;
    resource->users++;
    return 0;
}

void vg_contexts_release(struct vg_device *device, struct vg_resource *resource)
{
    for (struct vg_context *context = device->contexts; context; context = context->next) {
        for (struct registration *r = context->registrations; r; r = r->next) {
            if (r->resource == resource) {
                remove_registration(context, r);
            }
        }
        for (uint32_t i = 0; i < context->attached_count; i++) {
            if (context->attached[i] == resource->id) {
                context->attached[i] = context->attached[--context->attached_count];
                break;
            }
        }
        check_parked(context);
    }
}

/* ---- Submissions */

static uint32_t set_up(struct vg_context *context, struct vg_command *command)
{
    struct {
        struct vd_record record;
        struct vd_setup setup;
    } request;
    memcpy(&request, command->request.bytes + sizeof(struct virtio_gpu_cmd_submit),
           sizeof(request));
    if (context->link.fd < 0 || context->setup.protocol_version ||
        request.setup.protocol_version != VD_PROTOCOL_VERSION || request.setup.reserved != 0 ||
        !find_shm(context, request.setup.ring_shm) ||
        !find_shm(context, request.setup.completion_shm)) {
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    }
    const struct vg_link_message message = {.type = VG_LINK_SETUP, .setup = request.setup};
    if (!send_message(context, &message, NULL, 0)) {
        return VIRTIO_GPU_RESP_ERR_UNSPEC;
    }
    context->setup = request.setup;
    return VIRTIO_GPU_RESP_OK_NODATA;
}

static uint32_t wake(struct vg_context *context, struct vg_command *command)
{
    struct vd_virtio_gpu_wake request;
    memcpy(&request, command->request.bytes + sizeof(struct virtio_gpu_cmd_submit),
           sizeof(request));
    _Atomic uint32_t *word = word_at(context, request.shm, request.offset);
    if (!word) {
        /* A client that is about to learn that it is lost is no reason for a line in its kernel's
         * log, which is what an error becomes. */
        return context->lost ? VIRTIO_GPU_RESP_OK_NODATA : VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    }
    /* The same page of the same file as the worker's, so that its sleepers hear it. */
    vd_wake(word);
    check_parked(context);
    /* Nobody waits for a wake-up's fence, and its completion would signal all older ones: it is
     * signalled by the next one, or here before too many gather. */
    if (++context->unfenced % 64 != 0) {
        command->request.header.flags &= ~(uint32_t)VIRTIO_GPU_FLAG_FENCE;
    }
    return VIRTIO_GPU_RESP_OK_NODATA;
}

static uint32_t set_picture(struct vg_context *context, struct vg_command *command)
{
    struct vd_virtio_gpu_picture request;
    memcpy(&request, command->request.bytes + sizeof(struct virtio_gpu_cmd_submit),
           sizeof(request));
    struct registration *registration = find_shm(context, request.shm);
    if (!registration) {
        return context->lost ? VIRTIO_GPU_RESP_OK_NODATA : VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    }
    return vg_resource_set_picture(registration->resource, &request)
               ? VIRTIO_GPU_RESP_OK_NODATA
               : VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
}

static const struct submission {
    uint16_t opcode;
    uint32_t size;
    uint32_t (*handle)(struct vg_context *context, struct vg_command *command);
} submissions[] = {
    {VD_OP_SETUP, sizeof(struct vd_record) + sizeof(struct vd_setup), set_up},
    {VD_VIRTIO_GPU_REGISTER, sizeof(struct vd_virtio_gpu_register), register_resource},
    {VD_VIRTIO_GPU_WAKE, sizeof(struct vd_virtio_gpu_wake), wake},
    {VD_VIRTIO_GPU_WAIT, sizeof(struct vd_virtio_gpu_wait), park},
    {VD_VIRTIO_GPU_WATCH, sizeof(struct vd_virtio_gpu_watch), watch},
    {VD_VIRTIO_GPU_PICTURE, sizeof(struct vd_virtio_gpu_picture), set_picture},
};

uint32_t vg_context_submit(struct vg_device *device, struct vg_command *command)
{
    struct virtio_gpu_cmd_submit submit;
    struct vd_record record;
    memcpy(&submit, command->request.bytes, sizeof(submit));
    struct vg_context *context = find(device, submit.hdr.ctx_id);
    if (!context) {
        return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
    }
    if (submit.size > command->size - sizeof(submit) || submit.size < sizeof(record)) {
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    }
    memcpy(&record, command->request.bytes + sizeof(submit), sizeof(record));
    for (size_t i = 0; i < sizeof(submissions) / sizeof(submissions[0]); i++) {
        const struct submission *submission = &submissions[i];
        if (submission->opcode == record.opcode && record.flags == 0 &&
            submission->size == record.size && record.size == submit.size) {
            return submission->handle(context, command);
        }
    }
    return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
}

/* ---- Contexts */

uint32_t vg_context_create(struct vg_device *device, struct vg_command *command)
{
    struct virtio_gpu_ctx_create create;
    memcpy(&create, command->request.bytes, sizeof(create));
    if (create.hdr.ctx_id == 0 || find(device, create.hdr.ctx_id)) {
        return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
    }
    struct vg_context *context = calloc(1, sizeof(*context));
    if (!context) {
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    }
    context->device = device;
    context->id = create.hdr.ctx_id;
    context->link.fd = -1;
    context->wake.fd = -1;
    memcpy(context->name, create.debug_name, sizeof(context->name) - 1);
    for (char *c = context->name; *c; c++) {
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~') {
            *c = '?';
        }
    }
    context->next = device->contexts;
    device->contexts = context;
    return VIRTIO_GPU_RESP_OK_NODATA;
}

/* May free the context. */
static void destroy(struct vg_context *context)
{
    struct vg_device *device = context->device;
    struct vg_context **link = &device->contexts;
    while (*link != context) {
        link = &(*link)->next;
    }
    *link = context->next;
    unpark_all(context);
    if (context->link.fd < 0) {
        free_context(context);
        return;
    }
    end_worker(context);
    context->next = device->dying;
    device->dying = context;
}

uint32_t vg_context_destroy(struct vg_device *device, struct vg_command *command)
{
    struct vg_context *context = find(device, command->request.header.ctx_id);
    if (!context) {
        return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
    }
    destroy(context);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t vg_context_attach(struct vg_device *device, struct vg_command *command)
{
    struct virtio_gpu_ctx_resource attach;
    memcpy(&attach, command->request.bytes, sizeof(attach));
    struct vg_context *context = find(device, attach.hdr.ctx_id);
    if (!context) {
        return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
    }
    if (!vg_resource_find(device, attach.resource_id)) {
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    if (is_attached(context, attach.resource_id)) {
        return VIRTIO_GPU_RESP_OK_NODATA;
    }
    if (context->attached_count == context->attached_capacity) {
        const uint32_t capacity = context->attached_capacity ? context->attached_capacity * 2 : 16;
        uint32_t *attached = capacity <= ATTACHED_MAX
                                 ? realloc(context->attached, capacity * sizeof(*attached))
                                 : NULL;
        if (!attached) {
            return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
        }
        context->attached = attached;
        context->attached_capacity = capacity;
    }
    context->attached[context->attached_count++] = attach.resource_id;
    return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t vg_context_detach(struct vg_device *device, struct vg_command *command)
{
    struct virtio_gpu_ctx_resource detach;
    memcpy(&detach, command->request.bytes, sizeof(detach));
    struct vg_context *context = find(device, detach.hdr.ctx_id);
    if (!context) {
        return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
    }
    for (uint32_t i = 0; i < context->attached_count; i++) {
        if (context->attached[i] == detach.resource_id) {
            context->attached[i] = context->attached[--context->attached_count];
            for (struct registration *r = context->registrations; r; r = r->next) {
                if (r->resource->id == detach.resource_id) {
                    remove_registration(context, r);
                }
            }
            check_parked(context);
            return VIRTIO_GPU_RESP_OK_NODATA;
        }
    }
    return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
}

void vg_contexts_stop(struct vg_device *device)
{
    for (int dying = 0; dying < 2; dying++) {
        struct vg_context *context = dying ? device->dying : device->contexts;
        while (context) {
            struct vg_context *next = context->next;
            unpark_all(context);
            if (context->link.fd >= 0) {
                kill_worker(context);
                /* The frontend waits for us, and the guest's memory must be let go of. */
                struct vg_link_message message;
                struct pollfd source = {.fd = context->link.fd, .events = POLLIN};
                while (poll(&source, 1, 2000) > 0 &&
                       recv(source.fd, &message, sizeof(message), MSG_DONTWAIT) > 0) {
                }
                context->end_deadline = 1;
                worker_gone(context);
            }
            context = next;
        }
    }
}

void vg_contexts_clear(struct vg_device *device)
{
    while (device->contexts) {
        destroy(device->contexts);
    }
}

static void sooner(int *timeout, uint64_t deadline, uint64_t now)
{
    const int left = deadline > now ? (int)(deadline - now) : 0;
    if (*timeout < 0 || left < *timeout) {
        *timeout = left;
    }
}

static void expire(struct vg_context *context, uint64_t now, int *timeout)
{
    while (context->parked && context->parked->deadline <= now) {
        unpark(context, &context->parked);
    }
    if (context->parked) {
        sooner(timeout, context->parked->deadline, now);
    }
    if (context->link.fd < 0) {
        return;
    }
    uint64_t deadline = context->end_deadline;
    for (const struct registration *r = context->registrations; r; r = r->next) {
        if (r->state == REMOVING && r->resource->freeing.first &&
            (!deadline || r->deadline < deadline)) {
            deadline = r->deadline;
        }
    }
    if (deadline && deadline <= now) {
        vd_log(VD_LOG_WARNING, "the worker of context %u (%s) does not let go: it is killed",
               context->id, context->name);
        kill_worker(context);
        context->end_deadline = now + END_MS;
        deadline = context->end_deadline;
        for (struct registration *r = context->registrations; r; r = r->next) {
            r->deadline = deadline;
        }
    }
    if (deadline) {
        sooner(timeout, deadline, now);
    }
}

int vg_contexts_expire(struct vg_device *device)
{
    const uint64_t now = vd_clock_ms();
    int timeout = -1;
    for (struct vg_context *context = device->contexts; context; context = context->next) {
        expire(context, now, &timeout);
    }
    for (struct vg_context *context = device->dying; context; context = context->next) {
        expire(context, now, &timeout);
    }
    return timeout;
}

/* ---- Capsets */

uint32_t vg_context_capset_info(struct vg_device *device, struct vg_command *command)
{
    struct virtio_gpu_get_capset_info request;
    memcpy(&request, command->request.bytes, sizeof(request));
    struct virtio_gpu_resp_capset_info response = {.hdr.type = VIRTIO_GPU_RESP_OK_CAPSET_INFO};
    if (request.capset_index == 0) {
        response.capset_id = VD_CAPSET_ID;
        response.capset_max_version = VD_PROTOCOL_VERSION;
        response.capset_max_size = sizeof(struct vd_capset);
    }
    vg_respond(device, command, &response, sizeof(response));
    return 0;
}

uint32_t vg_context_capset(struct vg_device *device, struct vg_command *command)
{
    struct virtio_gpu_get_capset request;
    memcpy(&request, command->request.bytes, sizeof(request));
    struct {
        struct virtio_gpu_ctrl_hdr header;
        struct vd_capset capset;
    } response = {.header.type = VIRTIO_GPU_RESP_OK_CAPSET};
    if (request.capset_id != VD_CAPSET_ID) {
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    }
    vd_capset_fill(&response.capset);
    vg_respond(device, command, &response, sizeof(response));
    return 0;
}
