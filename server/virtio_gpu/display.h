/* SPDX-License-Identifier: MIT
 *
 * The device's displays, which QEMU shows (docs/interop/vhost-user-gpu.rst): scanouts and cursors.
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_DISPLAY_H
#define VIADUCT_SERVER_VIRTIO_GPU_DISPLAY_H

#include <stdint.h>

#include "command.h"
#include "loop.h"
#include "resource.h"

struct vg_display;

/* `loop` and `resources` must outlive it. NULL without memory. */
struct vg_display *vg_display_create(struct vg_loop *loop, const struct vg_resources *resources);
void vg_display_destroy(struct vg_display *display);

/* Owns the socket to QEMU's display from then on; -1: none any more. */
void vg_display_connect(struct vg_display *display, int socket);
/* All scanouts and cursors are off. */
void vg_display_reset(struct vg_display *display);
/* Commands that wait for QEMU are answered without it. */
void vg_display_flush_commands(struct vg_display *display);
/* No scanout shows the resource any more. */
void vg_display_forget(struct vg_display *display, uint32_t resource);

/* Handlers, as in gpu.c. */
uint32_t vg_display_get_info(struct vg_display *display, struct vg_command *command);
uint32_t vg_display_get_edid(struct vg_display *display, struct vg_command *command);
uint32_t vg_display_set_scanout(struct vg_display *display, struct vg_command *command);
uint32_t vg_display_resource_flush(struct vg_display *display, struct vg_command *command);
uint32_t vg_display_update_cursor(struct vg_display *display, struct vg_command *command);

#endif
