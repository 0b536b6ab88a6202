/* SPDX-License-Identifier: MIT
 *
 * The process of a virtio-gpu device for one QEMU. It never loads a driver: what guests do with
 * Vulkan happens in worker processes, one for each of their contexts.
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_DEVICE_H
#define VIADUCT_SERVER_VIRTIO_GPU_DEVICE_H

#include <stdbool.h>

/* Whether this server was built with it (-Dguest). */
bool vg_device_available(void);

/* Serves the vhost-user frontend behind `socket` until it goes. `spawn` leads to the listener
 * (spawn.h), which calls the device `number`. Returns the exit status of the process. */
int vg_device_run(int socket, int spawn);

#endif
