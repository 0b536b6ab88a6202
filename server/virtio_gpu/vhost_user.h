/* SPDX-License-Identifier: MIT
 *
 * The frontend, QEMU (docs/interop/vhost-user.rst): says where the guest's memory and queues are.
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_VHOST_USER_H
#define VIADUCT_SERVER_VIRTIO_GPU_VHOST_USER_H

#include <stdbool.h>

#include "gpu.h"
#include "loop.h"

struct vg_vhost_user;

/* Owns none of its arguments. NULL without memory or descriptors. */
struct vg_vhost_user *vg_vhost_user_create(struct vg_loop *loop, struct vg_gpu *gpu, int socket);
void vg_vhost_user_destroy(struct vg_vhost_user *vhost_user);
/* False: the frontend is gone or makes no sense, and the device has to end. */
bool vg_vhost_user_is_open(const struct vg_vhost_user *vhost_user);

#endif
