/* SPDX-License-Identifier: MIT
 *
 * What the server says of physical devices, checked once: whoever reads it later need not.
 */
#ifndef VIADUCT_ICD_PHYSICAL_DEVICE_DATA_H
#define VIADUCT_ICD_PHYSICAL_DEVICE_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/physical_device.h"

/* NULL: `blob` of `size` bytes (private to the caller) describes at least `*count` devices, each within
 * its bytes, with structs of the sizes that they have and texts that end; *count is lowered to what there
 * is. Else what is wrong, for the log. */
const char *vdc_physical_devices_check(uint8_t *blob, size_t size, uint32_t *count);

/* Lays the features and properties of one device, which has been checked, out as this machine does. */
void vdc_physical_device_localize(struct vd_physical_device_data *data);

#endif
