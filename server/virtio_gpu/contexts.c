/* SPDX-License-Identifier: MIT */
#include "contexts.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "protocol/completion.h"
#include "server/log.h"

#include "complaint.h"
#include "context.h"

#define CONTEXTS_MAX 1024u    /* of a guest: processes that have opened the device */
#define ATTACHED_MAX 65536u   /* resources of a context */
#define ATTACHED_SUM 1048576u /* of all contexts */

struct vg_contexts {
    struct vg_resources *resources;
    struct vg_workers workers;
    struct vg_context *first;
    struct vg_context *dying; /* destroyed by the guest, their workers still there */
    uint32_t parked_count;
    uint32_t count;
    uint32_t attached_capacity; /* of all contexts */
};

struct vg_context *vg_context_find(const struct vg_contexts *contexts, uint32_t id)
{
    struct vg_context *context = contexts->first;
    while (context && context->id != id)
        context = context->next;
    return context;
}

/* ---- The worker */

static struct vg_context *context_of(struct vg_worker_link *link)
{
    return (struct vg_context *)((uint8_t *)link - offsetof(struct vg_context, link));
}

/* So that the client's threads, which may sleep on the counters, come and look. */
static void tell_lost(struct vg_context *context)
{
    if (!context->setup.protocol_version)
        return;
    const uint32_t shm = context->setup.completion_shm;
    _Atomic uint32_t *lost = vg_registrations_word(&context->registrations, shm, 0);
    if (!lost)
        return;
    atomic_store(lost, 1);
    _Atomic uint32_t *event =
        vg_registrations_word(&context->registrations, shm, offsetof(struct vd_completion, event));
    if (event)
        atomic_fetch_add(event, 1);
}

static void free_context(struct vg_context *context)
{
    context->contexts->count--;
    context->contexts->attached_capacity -= context->attached_capacity;
    free(context->attached);
    free(context);
}

static void answered(struct vg_worker_link *link, const struct vg_link_message *message)
{
    struct vg_context *context = context_of(link);
    vg_registrations_answered(&context->registrations, message);
    vg_park_check(&context->park);
}

static void woke(struct vg_worker_link *link)
{
    vg_park_check(&context_of(link)->park);
}

/* Frees a context that is dying. */
static void gone(struct vg_worker_link *link)
{
    struct vg_context *context = context_of(link);
    if (!link->end_deadline) {
        vds_log(VDS_LOG_WARNING, "the worker of context %u (%s) is gone", context->id,
                context->name);
    }
    tell_lost(context);
    vg_registrations_clear(&context->registrations);
    vg_park_clear(&context->park);
    for (struct vg_context **place = &context->contexts->dying; *place; place = &(*place)->next) {
        if (*place == context) {
            *place = context->next;
            free_context(context);
            return;
        }
    }
}

static const struct vg_worker_listener worker_listener = {
    .answered = answered,
    .woke = woke,
    .gone = gone,
};

/* ---- Life */

struct vg_contexts *vg_contexts_create(struct vg_loop *loop, struct vg_resources *resources,
                                       int spawn)
{
    struct vg_contexts *contexts = calloc(1, sizeof(*contexts));
    if (!contexts)
        return NULL;
    contexts->resources = resources;
    contexts->workers = (struct vg_workers){.loop = loop, .spawn = spawn};
    return contexts;
}

void vg_contexts_destroy(struct vg_contexts *contexts)
{
    if (!contexts)
        return;
    vg_contexts_stop(contexts);
    vg_contexts_clear(contexts);
    free(contexts);
}

uint32_t vg_context_create(struct vg_contexts *contexts, struct vg_command *command)
{
    struct virtio_gpu_ctx_create create;
    memcpy(&create, command->request.bytes, sizeof(create));
    if (create.hdr.ctx_id == 0 || vg_context_find(contexts, create.hdr.ctx_id))
        return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
    if (contexts->count >= CONTEXTS_MAX) {
        vg_complain("the guest has %u contexts, and may have no more", contexts->count);
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    }
    struct vg_context *context = calloc(1, sizeof(*context));
    if (!context)
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    contexts->count++;
    context->contexts = contexts;
    context->resources = contexts->resources;
    context->id = create.hdr.ctx_id;
    vg_worker_link_init(&context->link, &contexts->workers, &worker_listener);
    vg_registrations_init(&context->registrations, &context->link);
    vg_park_init(&context->park, &context->registrations, &contexts->parked_count);
    memcpy(context->name, create.debug_name, sizeof(context->name) - 1);
    for (char *c = context->name; *c; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
            *c = '?';
    context->next = contexts->first;
    contexts->first = context;
    return VIRTIO_GPU_RESP_OK_NODATA;
}

/* May free the context. */
static void destroy(struct vg_context *context)
{
    struct vg_contexts *contexts = context->contexts;
    struct vg_context **place = &contexts->first;
    while (*place != context)
        place = &(*place)->next;
    *place = context->next;
    vg_park_clear(&context->park);
    if (!vg_worker_link_is_open(&context->link)) {
        free_context(context);
        return;
    }
    vg_worker_link_end(&context->link);
    context->next = contexts->dying;
    contexts->dying = context;
}

uint32_t vg_context_destroy(struct vg_contexts *contexts, struct vg_command *command)
{
    struct vg_context *context = vg_context_find(contexts, command->request.header.ctx_id);
    if (!context)
        return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
    destroy(context);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

/* ---- Resources */

/* Where the id is among those that are attached, attached_count: nowhere. */
static uint32_t attached_at(const struct vg_context *context, uint32_t resource)
{
    uint32_t i = 0;
    while (i < context->attached_count && context->attached[i] != resource)
        i++;
    return i;
}

bool vg_context_has(const struct vg_context *context, uint32_t resource)
{
    return attached_at(context, resource) < context->attached_count;
}

/* Whether it was attached. */
static bool detach(struct vg_context *context, const struct vg_resource *resource)
{
    vg_registrations_remove(&context->registrations, resource);
    const uint32_t at = attached_at(context, vg_resource_id(resource));
    if (at == context->attached_count)
        return false;
    context->attached[at] = context->attached[--context->attached_count];
    return true;
}

uint32_t vg_context_attach(struct vg_contexts *contexts, struct vg_command *command)
{
    struct virtio_gpu_ctx_resource attach;
    memcpy(&attach, command->request.bytes, sizeof(attach));
    struct vg_context *context = vg_context_find(contexts, attach.hdr.ctx_id);
    if (!context)
        return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
    if (!vg_resource_find(contexts->resources, attach.resource_id))
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (vg_context_has(context, attach.resource_id))
        return VIRTIO_GPU_RESP_OK_NODATA;
    if (context->attached_count == context->attached_capacity) {
        const uint32_t capacity = context->attached_capacity ? context->attached_capacity * 2 : 16;
        const uint32_t more = capacity - context->attached_capacity;
        const bool allowed =
            capacity <= ATTACHED_MAX && more <= ATTACHED_SUM - contexts->attached_capacity;
        uint32_t *attached =
            allowed ? realloc(context->attached, capacity * sizeof(*attached)) : NULL;
        if (!attached)
            return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
        context->attached = attached;
        contexts->attached_capacity += more;
        context->attached_capacity = capacity;
    }
    context->attached[context->attached_count++] = attach.resource_id;
    return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t vg_context_detach(struct vg_contexts *contexts, struct vg_command *command)
{
    struct virtio_gpu_ctx_resource request;
    memcpy(&request, command->request.bytes, sizeof(request));
    struct vg_context *context = vg_context_find(contexts, request.hdr.ctx_id);
    if (!context)
        return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
    const struct vg_resource *resource = vg_resource_find(contexts->resources, request.resource_id);
    if (!resource || !detach(context, resource))
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    vg_park_check(&context->park);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

void vg_contexts_release(struct vg_contexts *contexts, struct vg_resource *resource)
{
    for (struct vg_context *context = contexts->first; context; context = context->next) {
        detach(context, resource);
        vg_park_check(&context->park);
    }
}

/* ---- All of them */

static void stop_all(struct vg_context *context)
{
    while (context) {
        struct vg_context *next = context->next;
        vg_park_clear(&context->park);
        vg_worker_link_stop(&context->link);
        context = next;
    }
}

void vg_contexts_stop(struct vg_contexts *contexts)
{
    stop_all(contexts->first);
    stop_all(contexts->dying);
}

void vg_contexts_clear(struct vg_contexts *contexts)
{
    while (contexts->first)
        destroy(contexts->first);
}

/* The sooner of two times, of which 0 is never. */
static uint64_t sooner(uint64_t a, uint64_t b)
{
    return b && (!a || b < a) ? b : a;
}

/* Returns when it has to be called again, 0: it need not. */
static uint64_t expire(struct vg_context *context, uint64_t now)
{
    struct vg_worker_link *link = &context->link;
    const uint64_t wait = vg_park_expire(&context->park, now);
    if (!vg_worker_link_is_open(link))
        return wait;
    uint64_t deadline =
        sooner(link->end_deadline, vg_registrations_deadline(&context->registrations));
    if (deadline && deadline <= now) {
        vds_log(VDS_LOG_WARNING, "the worker of context %u (%s) does not let go: it is killed",
                context->id, context->name);
        vg_worker_link_give_up(link);
        deadline = link->end_deadline;
        vg_registrations_postpone(&context->registrations, deadline);
    }
    return sooner(wait, deadline);
}

int vg_contexts_expire(struct vg_contexts *contexts)
{
    const uint64_t now = vd_clock_ms();
    uint64_t next = 0;
    for (struct vg_context *context = contexts->first; context; context = context->next)
        next = sooner(next, expire(context, now));
    for (struct vg_context *context = contexts->dying; context; context = context->next)
        next = sooner(next, expire(context, now));
    return !next ? -1 : next > now ? (int)(next - now) : 0;
}
