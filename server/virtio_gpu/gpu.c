/* SPDX-License-Identifier: MIT */
#include "gpu.h"

#include <stdlib.h>
#include <sys/eventfd.h>

#include "capset.h"
#include "command.h"
#include "complaint.h"
#include "contexts.h"
#include "display.h"
#include "resource.h"
#include "submit.h"

/* Commands that are processed before other sources have their turn. */
#define BATCH 64

struct vg_gpu {
    struct vg_memory memory;
    struct vg_queue queues[VG_QUEUES];
    struct vg_resources *resources;
    struct vg_contexts *contexts;
    struct vg_display *display;
};

/* ---- Dispatch */

static const struct handler {
    uint32_t type;
    const char *name;
    unsigned queue;
    uint32_t size; /* of the request, at least */
    /* Whose command it is. Handlers answer with a response type, or 0: the command is kept or has
     * been answered. */
    uint32_t (*none)(struct vg_command *command);
    uint32_t (*resources)(struct vg_resources *resources, struct vg_command *command);
    uint32_t (*contexts)(struct vg_contexts *contexts, struct vg_command *command);
    uint32_t (*display)(struct vg_display *display, struct vg_command *command);
} handlers[] = {
    {VIRTIO_GPU_CMD_GET_DISPLAY_INFO, "GET_DISPLAY_INFO", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_ctrl_hdr), .display = vg_display_get_info},
    {VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, "RESOURCE_CREATE_2D", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_resource_create_2d), .resources = vg_resource_create_2d},
    {VIRTIO_GPU_CMD_RESOURCE_UNREF, "RESOURCE_UNREF", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_resource_unref), .resources = vg_resource_unref},
    {VIRTIO_GPU_CMD_SET_SCANOUT, "SET_SCANOUT", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_set_scanout), .display = vg_display_set_scanout},
    {VIRTIO_GPU_CMD_RESOURCE_FLUSH, "RESOURCE_FLUSH", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_resource_flush), .display = vg_display_resource_flush},
    {VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, "TRANSFER_TO_HOST_2D", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_transfer_to_host_2d), .resources = vg_resource_transfer_2d},
    {VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, "RESOURCE_ATTACH_BACKING", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_resource_attach_backing), .resources = vg_resource_attach_backing},
    {VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, "RESOURCE_DETACH_BACKING", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_resource_detach_backing), .resources = vg_resource_detach_backing},
    {VIRTIO_GPU_CMD_GET_CAPSET_INFO, "GET_CAPSET_INFO", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_get_capset_info), .none = vg_capset_get_info},
    {VIRTIO_GPU_CMD_GET_CAPSET, "GET_CAPSET", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_get_capset), .none = vg_capset_get},
    {VIRTIO_GPU_CMD_GET_EDID, "GET_EDID", VG_QUEUE_CONTROL, sizeof(struct virtio_gpu_cmd_get_edid),
     .display = vg_display_get_edid},
    {VIRTIO_GPU_CMD_CTX_CREATE, "CTX_CREATE", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_ctx_create), .contexts = vg_context_create},
    {VIRTIO_GPU_CMD_CTX_DESTROY, "CTX_DESTROY", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_ctx_destroy), .contexts = vg_context_destroy},
    {VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, "CTX_ATTACH_RESOURCE", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_ctx_resource), .contexts = vg_context_attach},
    {VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, "CTX_DETACH_RESOURCE", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_ctx_resource), .contexts = vg_context_detach},
    {VIRTIO_GPU_CMD_RESOURCE_CREATE_3D, "RESOURCE_CREATE_3D", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_resource_create_3d), .resources = vg_resource_create_3d},
    {VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D, "TRANSFER_TO_HOST_3D", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_transfer_host_3d), .resources = vg_resource_transfer_3d},
    {VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D, "TRANSFER_FROM_HOST_3D", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_transfer_host_3d), .resources = vg_resource_transfer_3d},
    {VIRTIO_GPU_CMD_SUBMIT_3D, "SUBMIT_3D", VG_QUEUE_CONTROL, sizeof(struct virtio_gpu_cmd_submit),
     .contexts = vg_context_submit},
    {VIRTIO_GPU_CMD_UPDATE_CURSOR, "UPDATE_CURSOR", VG_QUEUE_CURSOR,
     sizeof(struct virtio_gpu_update_cursor), .display = vg_display_update_cursor},
    {VIRTIO_GPU_CMD_MOVE_CURSOR, "MOVE_CURSOR", VG_QUEUE_CURSOR,
     sizeof(struct virtio_gpu_update_cursor), .display = vg_display_update_cursor},
};

static uint32_t handle(struct vg_gpu *gpu, const struct handler *handler,
                       struct vg_command *command)
{
    if (handler->resources)
        return handler->resources(gpu->resources, command);
    if (handler->contexts)
        return handler->contexts(gpu->contexts, command);
    return handler->display ? handler->display(gpu->display, command) : handler->none(command);
}

static void execute(struct vg_gpu *gpu, unsigned queue, struct vg_command *command)
{
    const uint32_t type = command->request.header.type;
    const struct handler *handler = NULL;
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
        if (handlers[i].type == type && handlers[i].queue == queue)
            handler = &handlers[i];
    uint32_t response = VIRTIO_GPU_RESP_ERR_UNSPEC;
    if (!handler) {
        vg_complain("the guest sends unknown command %#x on queue %u", type, queue);
    } else if (command->size < handler->size) {
        vg_complain("%s from the guest has %u bytes instead of %u", handler->name, command->size,
                    handler->size);
        response = VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    } else {
        response = handle(gpu, handler, command);
        if (response >= VIRTIO_GPU_RESP_ERR_UNSPEC)
            vg_complain("%s from the guest fails with %#x", handler->name, response);
    }
    if (response)
        vg_command_respond_type(command, response);
}

void vg_gpu_process_queue(struct vg_gpu *gpu, unsigned index)
{
    struct vg_queue *queue = &gpu->queues[index];
    for (unsigned i = 0;;) {
        struct vg_chain chain;
        if (!vg_queue_pop(queue, &gpu->memory, &chain)) {
            if (vg_queue_rest(queue))
                return;
            continue;
        }
        struct vg_command *command = vg_command_read(queue, &gpu->memory, &chain);
        if (command)
            execute(gpu, index, command);
        if (++i == BATCH) {
            /* Comes back after the other sources. */
            if (queue->kick >= 0)
                eventfd_write(queue->kick, 1);
            return;
        }
    }
}

/* ---- Life */

static void freeing(void *data, struct vg_resource *resource)
{
    struct vg_gpu *gpu = data;
    vg_contexts_release(gpu->contexts, resource);
}

static void freed(void *data, uint32_t id)
{
    struct vg_gpu *gpu = data;
    vg_display_forget(gpu->display, id);
}

static const struct vg_resource_listener resource_listener = {
    .freeing = freeing,
    .freed = freed,
};

struct vg_gpu *vg_gpu_create(struct vg_loop *loop, int spawn)
{
    struct vg_gpu *gpu = calloc(1, sizeof(*gpu));
    if (!gpu)
        return NULL;
    vg_memory_init(&gpu->memory);
    for (unsigned i = 0; i < VG_QUEUES; i++)
        vg_queue_init(&gpu->queues[i]);
    gpu->resources = vg_resources_create(&gpu->memory, &resource_listener, gpu);
    gpu->contexts = gpu->resources ? vg_contexts_create(loop, gpu->resources, spawn) : NULL;
    gpu->display = gpu->resources ? vg_display_create(loop, gpu->resources) : NULL;
    if (!gpu->contexts || !gpu->display) {
        vg_gpu_destroy(gpu);
        return NULL;
    }
    return gpu;
}

void vg_gpu_destroy(struct vg_gpu *gpu)
{
    if (!gpu)
        return;
    vg_contexts_destroy(gpu->contexts);
    vg_display_destroy(gpu->display);
    vg_resources_destroy(gpu->resources);
    for (unsigned i = 0; i < VG_QUEUES; i++)
        vg_queue_finish(&gpu->queues[i]);
    vg_memory_finish(&gpu->memory);
    free(gpu);
}

struct vg_memory *vg_gpu_memory(struct vg_gpu *gpu)
{
    return &gpu->memory;
}

struct vg_queue *vg_gpu_queue(struct vg_gpu *gpu, unsigned index)
{
    return &gpu->queues[index];
}

void vg_gpu_connect_display(struct vg_gpu *gpu, int socket)
{
    vg_display_connect(gpu->display, socket);
}

void vg_gpu_stop(struct vg_gpu *gpu)
{
    vg_contexts_stop(gpu->contexts);
    vg_display_flush_commands(gpu->display);
}

void vg_gpu_reset(struct vg_gpu *gpu)
{
    vg_gpu_stop(gpu);
    vg_contexts_clear(gpu->contexts);
    vg_resources_clear(gpu->resources);
    vg_display_reset(gpu->display);
}

int vg_gpu_expire(struct vg_gpu *gpu)
{
    return vg_contexts_expire(gpu->contexts);
}
