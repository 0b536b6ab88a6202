/* SPDX-License-Identifier: MIT
 *
 * VD_OP_ENVIRONMENT: what the client's environment says to the host's driver.
 */
#ifndef VIADUCT_SERVER_DRIVER_ENVIRONMENT_H
#define VIADUCT_SERVER_DRIVER_ENVIRONMENT_H

#include "execution.h"

/* Once, before a driver is loaded. */
void vds_driver_environment_prepare(void);

bool vds_decode_environment(struct vds_decoder *d, void *body);
void vds_call_environment(struct vds_execution *x, void *body);

#endif
