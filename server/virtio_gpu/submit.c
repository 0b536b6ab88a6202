/* SPDX-License-Identifier: MIT */
#include "submit.h"

#include <stdatomic.h>
#include <string.h>

#include "protocol/virtio_gpu.h"

#include "opcodes.h"
#include "server/futex.h"

#include "complaint.h"
#include "context.h"

static void read_record(const struct vg_command *command, void *record, size_t size)
{
    memcpy(record, command->request.bytes + sizeof(struct virtio_gpu_cmd_submit), size);
}

static uint32_t refuse(const struct vg_resource *resource, uint32_t response)
{
    _Atomic uint32_t *word = vg_resource_word(resource, 0);
    if (word)
        atomic_store(word, VD_VIRTIO_GPU_REFUSED);
    return response;
}

static uint32_t register_resource(struct vg_context *context, struct vg_command *command)
{
    struct vd_virtio_gpu_register request;
    read_record(command, &request, sizeof(request));
    struct vg_resource *resource = vg_resource_find(context->resources, request.resource);
    if (!resource || !vg_context_has(context, request.resource) || vg_resource_is_freeing(resource))
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (!vg_resource_is_shareable(resource) || request.shm == 0 ||
        request.shm > VD_VIRTIO_GPU_SHM_MAX ||
        vg_registrations_find(&context->registrations, request.shm))
        return refuse(resource, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    if (!vg_worker_link_start(&context->link, context->id, context->name))
        return refuse(resource, VIRTIO_GPU_RESP_ERR_UNSPEC);
    if (!vg_registrations_add(&context->registrations, resource, request.shm, command)) {
        vg_complain("resource %u can not be passed to the worker", request.resource);
        return refuse(resource, VIRTIO_GPU_RESP_ERR_UNSPEC);
    }
    return 0;
}

static uint32_t set_up(struct vg_context *context, struct vg_command *command)
{
    struct {
        struct vd_record record;
        struct vd_setup setup;
    } request;
    read_record(command, &request, sizeof(request));
    const struct vd_setup *setup = &request.setup;
    struct vg_registrations *registrations = &context->registrations;
    if (!vg_worker_link_is_open(&context->link) || context->setup.protocol_version ||
        setup->protocol_version != VD_PROTOCOL_VERSION ||
        !vg_registrations_find(registrations, setup->ring_shm) ||
        !vg_registrations_find(registrations, setup->completion_shm))
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    const struct vg_link_message message = {.type = VG_LINK_SETUP, .setup = *setup};
    if (!vg_worker_link_send(&context->link, &message, NULL, 0))
        return VIRTIO_GPU_RESP_ERR_UNSPEC;
    context->setup = *setup;
    /* Without these there is no connection: the client closes them first, and so does the kernel
     * for one that is killed. */
    vg_registrations_set_vital(registrations, setup->ring_shm);
    vg_registrations_set_vital(registrations, setup->completion_shm);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

/* For what is not there. A client that is about to learn that it is lost is no reason for a line in
 * its kernel's log, which is what an error becomes. */
static uint32_t missing(const struct vg_context *context)
{
    return context->link.lost ? VIRTIO_GPU_RESP_OK_NODATA : VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
}

static uint32_t wake(struct vg_context *context, struct vg_command *command)
{
    struct vd_virtio_gpu_wake request;
    read_record(command, &request, sizeof(request));
    _Atomic uint32_t *word =
        vg_registrations_word(&context->registrations, request.shm, request.offset);
    if (!word)
        return missing(context);
    /* The same page of the same file as the worker's, so that its sleepers hear it. */
    vds_wake(word);
    vg_park_check(&context->park);
    /* Nobody waits for a wake-up's fence, and its completion would signal all older ones: it is
     * signalled by the next one, or here before too many gather. */
    if (++context->unfenced % 64 != 0)
        command->request.header.flags &= ~(uint32_t)VIRTIO_GPU_FLAG_FENCE;
    return VIRTIO_GPU_RESP_OK_NODATA;
}

static uint32_t wait_for_word(struct vg_context *context, struct vg_command *command)
{
    return vg_park_wait(&context->park, command);
}

static uint32_t watch(struct vg_context *context, struct vg_command *command)
{
    if (!vg_worker_link_serves(&context->link)) {
        vg_park_end_watch(&context->park);
        return VIRTIO_GPU_RESP_OK_NODATA;
    }
    return vg_park_watch(&context->park, command);
}

static uint32_t set_layout(struct vg_context *context, struct vg_command *command)
{
    struct vd_virtio_gpu_scanout_layout request;
    read_record(command, &request, sizeof(request));
    struct vg_resource *resource = vg_registrations_find(&context->registrations, request.shm);
    if (!resource)
        return missing(context);
    return vg_resource_set_layout(resource, &request) ? VIRTIO_GPU_RESP_OK_NODATA
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
    {VD_VIRTIO_GPU_WAIT, sizeof(struct vd_virtio_gpu_wait), wait_for_word},
    {VD_VIRTIO_GPU_WATCH, sizeof(struct vd_virtio_gpu_watch), watch},
    {VD_VIRTIO_GPU_SCANOUT_LAYOUT, sizeof(struct vd_virtio_gpu_scanout_layout), set_layout},
};

uint32_t vg_context_submit(struct vg_contexts *contexts, struct vg_command *command)
{
    struct virtio_gpu_cmd_submit submit;
    struct vd_record record;
    memcpy(&submit, command->request.bytes, sizeof(submit));
    struct vg_context *context = vg_context_find(contexts, submit.hdr.ctx_id);
    if (!context)
        return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
    if (submit.size > command->size - sizeof(submit) || submit.size < sizeof(record))
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    read_record(command, &record, sizeof(record));
    for (size_t i = 0; i < sizeof(submissions) / sizeof(submissions[0]); i++) {
        const struct submission *submission = &submissions[i];
        if (submission->opcode == record.opcode && record.flags == 0 &&
            submission->size == record.size && record.size == submit.size)
            return submission->handle(context, command);
    }
    return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
}
