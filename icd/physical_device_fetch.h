/* SPDX-License-Identifier: MIT
 *
 * Everything about the physical devices of an instance is fetched in one round trip and kept.
 */
#ifndef VIADUCT_ICD_PHYSICAL_DEVICE_FETCH_H
#define VIADUCT_ICD_PHYSICAL_DEVICE_FETCH_H

#include "instance.h"

/* Fills instance->physical_devices, once. */
VkResult vdc_physical_devices_fetch(struct vdc_instance *instance);
void vdc_physical_devices_finish(struct vdc_instance *instance);

#endif
