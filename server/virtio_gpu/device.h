/* SPDX-License-Identifier: MIT
 *
 * A virtio-gpu device for one QEMU. It never loads a driver: what guests do with Vulkan happens in
 * worker processes, one for each of their contexts.
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_DEVICE_H
#define VIADUCT_SERVER_VIRTIO_GPU_DEVICE_H

#include <stdint.h>

/* What the device asks of the listener: a worker that serves the socket that comes with the
 * message, or the end of one. */
enum vg_spawn_action {
    VG_SPAWN_START,
    VG_SPAWN_KILL,
};

struct vg_spawn {
    uint32_t action; /* enum vg_spawn_action */
    uint32_t number; /* the device's name for the worker, never used twice */
};

/* Serves the vhost-user frontend behind `socket` until it goes. `spawn` is a SOCK_SEQPACKET socket
 * to the listener. Returns the exit status of the process. */
int vg_device_run(int socket, int spawn, unsigned number);

#endif
