/* SPDX-License-Identifier: MIT
 *
 * A request of the guest, from when it is read out of its virtqueue until it is answered.
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_COMMAND_H
#define VIADUCT_SERVER_VIRTIO_GPU_COMMAND_H

#include <stddef.h>
#include <stdint.h>

#include <linux/virtio_gpu.h>

#include "guest_memory.h"
#include "virtqueue.h"

struct vg_command {
    struct vg_command *next; /* in a vg_commands */
    struct vg_queue *queue;  /* where it came from */
    const struct vg_memory *memory;
    struct vg_chain chain;
    uint32_t size; /* bytes of request */
    union {
        struct virtio_gpu_ctrl_hdr header;
        uint8_t bytes[1]; /* the request, a private copy */
        uint64_t align;
    } request;
};

/* Reads a request that has been taken from the queue, and owns the chain's segments. `queue` and
 * `memory` must outlive the command. NULL: it makes no sense, and has been handed back. */
struct vg_command *vg_command_read(struct vg_queue *queue, const struct vg_memory *memory,
                                   const struct vg_chain *chain);

/* Answers a command and frees it. `response` begins with a struct virtio_gpu_ctrl_hdr, whose type is
 * set and the rest 0. After the queue has stopped, the command is freed and the answer dropped. */
void vg_command_respond(struct vg_command *command, void *response, size_t size);
/* With a type and nothing else. */
void vg_command_respond_type(struct vg_command *command, uint32_t type);
/* Frees it without an answer: its queue has been reset. */
void vg_command_free(struct vg_command *command);

/* A list of commands, oldest first. */
struct vg_commands {
    struct vg_command *first;
    struct vg_command **last;
};

void vg_commands_init(struct vg_commands *commands);
void vg_commands_append(struct vg_commands *commands, struct vg_command *command);
/* The oldest one, no longer in the list; NULL: none. */
struct vg_command *vg_commands_take(struct vg_commands *commands);

#endif
