/* SPDX-License-Identifier: MIT
 *
 * Commands that may block for long run beside the control ring, on threads of their own.
 */
#ifndef VIADUCT_SERVER_WAIT_H
#define VIADUCT_SERVER_WAIT_H

#include <stdbool.h>
#include <stdint.h>

struct vd_context;
struct vd_device;
struct vd_waits;

/* NULL without memory. */
struct vd_waits *vd_waits_create(struct vd_context *context);
/* Waits for some time until all calls have returned. Those that do not are left to themselves. NULL
 * is fine. */
void vd_waits_destroy(struct vd_waits *waits);

/* Runs a command flagged VD_COMMAND_BLOCKING, at once if it does not have to wait. False: malformed;
 * a line is in the log. */
bool vd_waits_execute(struct vd_waits *waits, uint8_t *record);

/* The device is lost: answers all calls. From any thread. */
void vd_waits_lose(struct vd_waits *waits);

/* Whether a call uses the device. */
bool vd_waits_use(struct vd_waits *waits, const struct vd_device *device);

/* Waits for some time until no call uses the device any more. */
bool vd_waits_drain(struct vd_waits *waits, const struct vd_device *device);

#endif
