/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <stdlib.h>

#include "complaint.h"

/* The page list of a resource of 4 GiB has 16 MiB. */
#define REQUEST_MAX (17u << 20)
/* All others are short. Some are kept until they are answered, and a queue holds many. */
#define SHORT_MAX (64u << 10)

struct vg_command *vg_command_read(struct vg_queue *queue, const struct vg_memory *memory,
                                   const struct vg_chain *chain)
{
    struct vg_command *command = NULL;
    if (!chain->malformed && chain->out_size >= sizeof(struct virtio_gpu_ctrl_hdr) &&
        chain->out_size <= REQUEST_MAX)
        command = malloc(sizeof(*command) + chain->out_size);
    if (command &&
        vg_memory_read(memory, chain->segments, chain->out_count, 0, command->request.bytes,
                       chain->out_size) &&
        (chain->out_size <= SHORT_MAX ||
         command->request.header.type == VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING)) {
        command->next = NULL;
        command->queue = queue;
        command->memory = memory;
        command->chain = *chain;
        command->size = (uint32_t)chain->out_size;
        return command;
    }
    vg_complain("a request of %llu bytes from the guest can not be read",
                (unsigned long long)chain->out_size);
    free(command);
    /* An error where there is room for it. */
    const struct virtio_gpu_ctrl_hdr error = {.type = VIRTIO_GPU_RESP_ERR_UNSPEC};
    uint32_t written = 0;
    if (!chain->malformed && chain->in_size >= sizeof(error) &&
        vg_memory_write(memory, chain->segments + chain->out_count, chain->in_count, 0, &error,
                        sizeof(error)))
        written = sizeof(error);
    vg_queue_push(queue, chain->head, written);
    vg_queue_notify(queue);
    free(chain->segments);
    return NULL;
}

void vg_command_respond(struct vg_command *command, void *response, size_t size)
{
    struct virtio_gpu_ctrl_hdr *header = response;
    const struct vg_chain *chain = &command->chain;
    uint64_t written = size < chain->in_size ? size : chain->in_size;

    if (!vg_queue_ready(command->queue)) {
        vg_command_free(command); /* that memory is no longer for answers */
        return;
    }
    if (command->request.header.flags & VIRTIO_GPU_FLAG_FENCE) {
        header->flags = VIRTIO_GPU_FLAG_FENCE;
        header->fence_id = command->request.header.fence_id;
        header->ctx_id = command->request.header.ctx_id;
    }
    if (!vg_memory_write(command->memory, chain->segments + chain->out_count, chain->in_count, 0,
                         response, written)) {
        vg_complain("the guest wants an answer where it has no memory");
        written = 0;
    }
    vg_queue_push(command->queue, chain->head, (uint32_t)written);
    /* Once per batch would do, but answers that were waited for come one by one. */
    vg_queue_notify(command->queue);
    vg_command_free(command);
}

void vg_command_respond_type(struct vg_command *command, uint32_t type)
{
    struct virtio_gpu_ctrl_hdr header = {.type = type};
    vg_command_respond(command, &header, sizeof(header));
}

void vg_command_free(struct vg_command *command)
{
    free(command->chain.segments);
    free(command);
}

/* ---- Lists */

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
        if (!commands->first)
            commands->last = &commands->first;
    }
    return command;
}
