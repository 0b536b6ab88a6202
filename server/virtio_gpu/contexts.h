/* SPDX-License-Identifier: MIT
 *
 * The guest's contexts. One gets a worker when its process first registers shared memory; one that
 * never does, as each open descriptor of a compositor has it, costs nothing.
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_CONTEXTS_H
#define VIADUCT_SERVER_VIRTIO_GPU_CONTEXTS_H

#include <stdint.h>

#include "command.h"
#include "loop.h"
#include "resource.h"

struct vg_context;
struct vg_contexts;

/* `spawn` leads to the listener (spawn.h). None of the arguments is owned. NULL without memory. */
struct vg_contexts *vg_contexts_create(struct vg_loop *loop, struct vg_resources *resources,
                                       int spawn);
/* Stops them first. */
void vg_contexts_destroy(struct vg_contexts *contexts);

/* Handlers, as in gpu.c. */
uint32_t vg_context_create(struct vg_contexts *contexts, struct vg_command *command);
uint32_t vg_context_destroy(struct vg_contexts *contexts, struct vg_command *command);
uint32_t vg_context_attach(struct vg_contexts *contexts, struct vg_command *command);
uint32_t vg_context_detach(struct vg_contexts *contexts, struct vg_command *command);

/* NULL: there is none. */
struct vg_context *vg_context_find(const struct vg_contexts *contexts, uint32_t id);

/* The guest frees the resource or its pages: workers are to let go of it. */
void vg_contexts_release(struct vg_contexts *contexts, struct vg_resource *resource);
/* Ends all workers at once and answers all that waits. */
void vg_contexts_stop(struct vg_contexts *contexts);
/* The guest has none any more. */
void vg_contexts_clear(struct vg_contexts *contexts);
/* What has waited too long is answered. Returns milliseconds until it has to be called again, -1:
 * nothing waits. */
int vg_contexts_expire(struct vg_contexts *contexts);

#endif
