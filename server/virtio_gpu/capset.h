/* SPDX-License-Identifier: MIT
 *
 * What the device tells the guest's drivers about contexts, before they make one.
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_CAPSET_H
#define VIADUCT_SERVER_VIRTIO_GPU_CAPSET_H

#include "command.h"

/* Handlers, as in gpu.c. */
uint32_t vg_capset_get_info(struct vg_command *command);
uint32_t vg_capset_get(struct vg_command *command);

#endif
