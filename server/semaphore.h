/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_SERVER_SEMAPHORE_H
#define VIADUCT_SERVER_SEMAPHORE_H

struct vds_device;

/* Destroys those that the client has destroyed, and the driver not yet. The device is idle. */
void vds_semaphores_finish(struct vds_device *device);

#endif
