/* SPDX-License-Identifier: MIT
 *
 * Commands that may block for long run beside the control ring, on threads of their own.
 */
#ifndef VIADUCT_SERVER_WAIT_H
#define VIADUCT_SERVER_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "executed.h"

struct vds_context;
struct vds_device;
struct vds_waits;

/* NULL without memory. */
struct vds_waits *vds_waits_create(struct vds_context *context);
/* Waits for some time until all calls have returned. Those that do not are left to themselves. NULL
 * is fine. */
void vds_waits_destroy(struct vds_waits *waits);

/* Runs a command flagged VDS_COMMAND_BLOCKING, at once if it does not have to wait. */
enum vds_executed vds_waits_execute(struct vds_waits *waits, uint8_t *record);

/* The device is lost: answers all calls. From any thread. */
void vds_waits_lose(struct vds_waits *waits);

/* Whether a call uses the device. */
bool vds_waits_use(struct vds_waits *waits, const struct vds_device *device);

/* Waits for some time until no call uses the device any more. */
bool vds_waits_drain(struct vds_waits *waits, const struct vds_device *device);

#endif
