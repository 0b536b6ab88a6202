/* SPDX-License-Identifier: MIT
 *
 * What a guest process writes into an EXECBUFFER: one record of protocol/virtio_gpu.h.
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_SUBMIT_H
#define VIADUCT_SERVER_VIRTIO_GPU_SUBMIT_H

#include <stdint.h>

#include "command.h"
#include "contexts.h"

/* A handler, as in gpu.c. */
uint32_t vg_context_submit(struct vg_contexts *contexts, struct vg_command *command);

#endif
