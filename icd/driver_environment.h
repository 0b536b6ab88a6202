/* SPDX-License-Identifier: MIT
 *
 * What this process's environment says to the host's driver, and which program it is.
 */
#ifndef VIADUCT_ICD_DRIVER_ENVIRONMENT_H
#define VIADUCT_ICD_DRIVER_ENVIRONMENT_H

#include "instance.h"

/* Tells the server, if it knows such a record; before vkCreateInstance. Best effort. */
void vdc_send_driver_environment(struct vdc_instance *instance);

#endif
