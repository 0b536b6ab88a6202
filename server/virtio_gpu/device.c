/* SPDX-License-Identifier: MIT */
#include "device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "server/log.h"

#include "complaint.h"
#include "device_private.h"

/* The page list of a resource of 4 GiB has 16 MiB. */
#define REQUEST_MAX (17u << 20)
/* Commands that are processed before other sources have their turn. */
#define BATCH 64

/* ---- Lists of commands */

void vg_commands_init(struct vg_commands *commands)
{
    commands->first = NULL;
    commands->last = &commands->first;
}

void vg_commands_append(struct vg_commands *commands, struct vg_command *command)
{
    command->next = NULL;
    *commands->last = command;
    commands->last = &command->next;
}

struct vg_command *vg_commands_take(struct vg_commands *commands)
{
    struct vg_command *command = commands->first;
    if (command) {
        commands->first = command->next;
        if (!commands->first) {
            commands->last = &commands->first;
        }
    }
    return command;
}

/* ---- Sources */

bool vg_device_watch(struct vg_device *device, struct vg_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(device->epoll, EPOLL_CTL_ADD, source->fd, &event) < 0) {
        vd_log(VD_LOG_ERROR, "epoll: %m");
        return false;
    }
    return true;
}

void vg_device_change(struct vg_device *device, struct vg_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    epoll_ctl(device->epoll, EPOLL_CTL_MOD, source->fd, &event);
}

void vg_device_unwatch(struct vg_device *device, struct vg_source *source)
{
    epoll_ctl(device->epoll, EPOLL_CTL_DEL, source->fd, NULL);
}

/* ---- Answers */

void vg_command_free(struct vg_command *command)
{
    free(command->chain.segments);
    free(command);
}

void vg_respond(struct vg_device *device, struct vg_command *command, void *response, size_t size)
{
    struct virtio_gpu_ctrl_hdr *header = response;
    struct vg_queue *queue = &device->queues[command->queue];
    const struct vg_chain *chain = &command->chain;
    uint64_t written = size < chain->in_size ? size : chain->in_size;

    if (!vg_queue_ready(queue)) {
        vg_command_free(command); /* that memory is no longer for answers */
        return;
    }
    if (command->request.header.flags & VIRTIO_GPU_FLAG_FENCE) {
        header->flags = VIRTIO_GPU_FLAG_FENCE;
        header->fence_id = command->request.header.fence_id;
        header->ctx_id = command->request.header.ctx_id;
    }
    if (!vg_memory_write(&device->memory, chain->segments + chain->out_count, chain->in_count, 0,
                         response, written)) {
        vg_complain("the guest wants an answer where it has no memory");
        written = 0;
    }
    vg_queue_push(queue, chain->head, (uint32_t)written);
    vg_command_free(command);
    /* Once per batch would do, but answers that were waited for come one by one. */
    vg_queue_notify(queue);
}

void vg_respond_type(struct vg_device *device, struct vg_command *command, uint32_t type)
{
    struct virtio_gpu_ctrl_hdr header = {.type = type};
    vg_respond(device, command, &header, sizeof(header));
}

/* ---- Dispatch */

static const struct handler {
    uint32_t type;
    const char *name;
    unsigned queue;
    uint32_t size; /* of the request, at least */
    uint32_t (*handle)(struct vg_device *device, struct vg_command *command);
} handlers[] = {
    {VIRTIO_GPU_CMD_GET_DISPLAY_INFO, "GET_DISPLAY_INFO", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_ctrl_hdr), vg_display_get_info},
    {VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, "RESOURCE_CREATE_2D", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_resource_create_2d), vg_resource_create_2d},
    {VIRTIO_GPU_CMD_RESOURCE_UNREF, "RESOURCE_UNREF", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_resource_unref), vg_resource_unref},
    {VIRTIO_GPU_CMD_SET_SCANOUT, "SET_SCANOUT", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_set_scanout), vg_display_set_scanout},
    {VIRTIO_GPU_CMD_RESOURCE_FLUSH, "RESOURCE_FLUSH", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_resource_flush), vg_display_resource_flush},
    {VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, "TRANSFER_TO_HOST_2D", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_transfer_to_host_2d), vg_resource_transfer_2d},
    {VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, "RESOURCE_ATTACH_BACKING", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_resource_attach_backing), vg_resource_attach_backing},
    {VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, "RESOURCE_DETACH_BACKING", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_resource_detach_backing), vg_resource_detach_backing},
    {VIRTIO_GPU_CMD_GET_CAPSET_INFO, "GET_CAPSET_INFO", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_get_capset_info), vg_context_capset_info},
    {VIRTIO_GPU_CMD_GET_CAPSET, "GET_CAPSET", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_get_capset), vg_context_capset},
    {VIRTIO_GPU_CMD_GET_EDID, "GET_EDID", VG_QUEUE_CONTROL, sizeof(struct virtio_gpu_cmd_get_edid),
     vg_display_get_edid},
    {VIRTIO_GPU_CMD_CTX_CREATE, "CTX_CREATE", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_ctx_create), vg_context_create},
    {VIRTIO_GPU_CMD_CTX_DESTROY, "CTX_DESTROY", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_ctx_destroy), vg_context_destroy},
    {VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, "CTX_ATTACH_RESOURCE", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_ctx_resource), vg_context_attach},
    {VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, "CTX_DETACH_RESOURCE", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_ctx_resource), vg_context_detach},
    {VIRTIO_GPU_CMD_RESOURCE_CREATE_3D, "RESOURCE_CREATE_3D", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_resource_create_3d), vg_resource_create_3d},
    {VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D, "TRANSFER_TO_HOST_3D", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_transfer_host_3d), vg_resource_transfer_3d},
    {VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D, "TRANSFER_FROM_HOST_3D", VG_QUEUE_CONTROL,
     sizeof(struct virtio_gpu_transfer_host_3d), vg_resource_transfer_3d},
    {VIRTIO_GPU_CMD_SUBMIT_3D, "SUBMIT_3D", VG_QUEUE_CONTROL, sizeof(struct virtio_gpu_cmd_submit),
     vg_context_submit},
    {VIRTIO_GPU_CMD_UPDATE_CURSOR, "UPDATE_CURSOR", VG_QUEUE_CURSOR,
     sizeof(struct virtio_gpu_update_cursor), vg_display_update_cursor},
    {VIRTIO_GPU_CMD_MOVE_CURSOR, "MOVE_CURSOR", VG_QUEUE_CURSOR,
     sizeof(struct virtio_gpu_update_cursor), vg_display_update_cursor},
};

static void execute(struct vg_device *device, struct vg_command *command)
{
    const uint32_t type = command->request.header.type;
    const struct handler *handler = NULL;
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (handlers[i].type == type && handlers[i].queue == command->queue) {
            handler = &handlers[i];
        }
    }
    uint32_t response = VIRTIO_GPU_RESP_ERR_UNSPEC;
    if (!handler) {
        vg_complain("the guest sends unknown command %#x on queue %u", type, command->queue);
    } else if (command->size < handler->size) {
        vg_complain("%s from the guest has %u bytes instead of %u", handler->name, command->size,
                    handler->size);
        response = VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    } else {
        response = handler->handle(device, command);
        if (response >= VIRTIO_GPU_RESP_ERR_UNSPEC) {
            vg_complain("%s from the guest fails with %#x", handler->name, response);
        }
    }
    if (response) {
        vg_respond_type(device, command, response);
    }
}

/* NULL: it has been handed back. */
static struct vg_command *read_command(struct vg_device *device, unsigned queue,
                                       struct vg_chain *chain)
{
    struct vg_command *command = NULL;
    if (!chain->malformed && chain->out_size >= sizeof(struct virtio_gpu_ctrl_hdr) &&
        chain->out_size <= REQUEST_MAX) {
        command = malloc(sizeof(*command) + chain->out_size);
    }
    if (command && vg_memory_read(&device->memory, chain->segments, chain->out_count, 0,
                                  command->request.bytes, chain->out_size)) {
        command->next = NULL;
        command->queue = queue;
        command->chain = *chain;
        command->size = (uint32_t)chain->out_size;
        return command;
    }
    vg_complain("a request of %llu bytes from the guest can not be read",
                (unsigned long long)chain->out_size);
    free(command);
    /* An error where there is room for it. */
    struct virtio_gpu_ctrl_hdr error = {.type = VIRTIO_GPU_RESP_ERR_UNSPEC};
    uint32_t written = 0;
    if (!chain->malformed && chain->in_size >= sizeof(error) &&
        vg_memory_write(&device->memory, chain->segments + chain->out_count, chain->in_count, 0,
                        &error, sizeof(error))) {
        written = sizeof(error);
    }
    vg_queue_push(&device->queues[queue], chain->head, written);
    vg_queue_notify(&device->queues[queue]);
    free(chain->segments);
    return NULL;
}

void vg_device_process_queue(struct vg_device *device, unsigned queue)
{
    struct vg_queue *ring = &device->queues[queue];
    for (unsigned i = 0;;) {
        struct vg_chain chain;
        if (!vg_queue_pop(ring, &device->memory, &chain)) {
            if (vg_queue_rest(ring)) {
                return;
            }
            continue;
        }
        struct vg_command *command = read_command(device, queue, &chain);
        if (command) {
            execute(device, command);
        }
        if (++i == BATCH) {
            /* Comes back after the other sources. */
            if (ring->kick >= 0) {
                eventfd_write(ring->kick, 1);
            }
            return;
        }
    }
}

/* ---- Life */

void vg_device_stop(struct vg_device *device)
{
    vg_contexts_stop(device);
    vg_display_flush_commands(device->display);
}

void vg_device_reset(struct vg_device *device)
{
    vg_device_stop(device);
    vg_contexts_clear(device);
    vg_resources_clear(device);
    memset(device->scanouts, 0, sizeof(device->scanouts));
    vg_display_reset(device->display);
}

int vg_device_run(int socket, int spawn, unsigned number)
{
    struct vg_device device = {.number = number, .spawn = spawn, .epoll = -1};
    char name[32];
    snprintf(name, sizeof(name), "guest %u", number);
    vd_log_set_client(name);

    vg_memory_init(&device.memory);
    for (unsigned i = 0; i < VG_QUEUES; i++) {
        vg_queue_init(&device.queues[i]);
    }
    device.epoll = epoll_create1(EPOLL_CLOEXEC);
    device.display = vg_display_create(&device);
    device.vhost_user = device.epoll >= 0 ? vg_vhost_user_create(&device, socket) : NULL;
    if (!device.display || !device.vhost_user) {
        vd_log(VD_LOG_ERROR, "no memory or descriptors for a device");
        return EXIT_FAILURE;
    }
    vd_log(VD_LOG_INFO, "connected");
    while (!device.failed) {
        struct epoll_event event;
        const int count = epoll_wait(device.epoll, &event, 1, vg_contexts_expire(&device));
        if (count < 0 && errno != EINTR) {
            vd_log(VD_LOG_ERROR, "epoll: %m");
            break;
        }
        /* One at a time: a source may be gone after another one's turn. */
        if (count == 1) {
            struct vg_source *source = event.data.ptr;
            source->ready(&device, source, event.events);
        }
    }
    /* The kernel gives back memory and descriptors; workers see their sockets close. */
    vd_log(VD_LOG_INFO, "disconnected");
    return EXIT_SUCCESS;
}
