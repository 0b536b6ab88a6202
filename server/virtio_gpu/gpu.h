/* SPDX-License-Identifier: MIT
 *
 * The device as the guest sees it: two virtqueues and what answers their requests. All of it is one
 * thread.
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_GPU_H
#define VIADUCT_SERVER_VIRTIO_GPU_GPU_H

#include "guest_memory.h"
#include "loop.h"
#include "virtqueue.h"

#define VG_QUEUE_CONTROL 0
#define VG_QUEUE_CURSOR  1
#define VG_QUEUES        2

struct vg_gpu;

/* `spawn` leads to the listener (spawn.h). Both must outlive it. NULL without memory. */
struct vg_gpu *vg_gpu_create(struct vg_loop *loop, int spawn);
void vg_gpu_destroy(struct vg_gpu *gpu);

/* For the frontend, which says where they are. */
struct vg_memory *vg_gpu_memory(struct vg_gpu *gpu);
struct vg_queue *vg_gpu_queue(struct vg_gpu *gpu, unsigned index);

/* The queue can be used, or has been kicked. */
void vg_gpu_process_queue(struct vg_gpu *gpu, unsigned index);
/* Owns the socket to QEMU's display from then on; -1: none any more. */
void vg_gpu_connect_display(struct vg_gpu *gpu, int socket);
/* The queues stop: nothing may touch the guest's memory any more. */
void vg_gpu_stop(struct vg_gpu *gpu);
/* The guest's driver begins anew. */
void vg_gpu_reset(struct vg_gpu *gpu);
/* What has waited too long is answered. Returns milliseconds until it has to be called again, -1:
 * nothing waits. */
int vg_gpu_expire(struct vg_gpu *gpu);

#endif
