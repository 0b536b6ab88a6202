/* SPDX-License-Identifier: MIT
 *
 * The render node of a virtio-gpu that has a Viaduct server behind it.
 */
#ifndef VIADUCT_ICD_TRANSPORT_VIRTGPU_NODE_H
#define VIADUCT_ICD_TRANSPORT_VIRTGPU_NODE_H

#include "protocol/record.h"

/* The kernel's interface, without libdrm, which a guest's container may not have. */
int vdc_drm_ioctl(int fd, unsigned long request, void *argument);

/* Opens it: a descriptor, which is the caller's, and what the server offers. -1: there is none; a line
 * in the log says why a device that is there is not ours. */
int vdc_virtgpu_open(struct vd_capset *capset);

#endif
