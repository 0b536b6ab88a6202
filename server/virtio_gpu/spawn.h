/* SPDX-License-Identifier: MIT
 *
 * What a device asks of the listener: a worker that serves the socket that comes with the message,
 * or the end of one. A SOCK_SEQPACKET socket carries these.
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_SPAWN_H
#define VIADUCT_SERVER_VIRTIO_GPU_SPAWN_H

#include <stdint.h>

enum vg_spawn_action {
    VG_SPAWN_START,
    VG_SPAWN_KILL,
};

struct vg_spawn {
    uint32_t action; /* enum vg_spawn_action */
    uint32_t number; /* the device's name for the worker, never used twice */
};

#endif
