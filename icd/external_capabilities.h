/* SPDX-License-Identifier: MIT
 *
 * Which external handles cross. The application must not be told that others work.
 */
#ifndef VIADUCT_ICD_EXTERNAL_CAPABILITIES_H
#define VIADUCT_ICD_EXTERNAL_CAPABILITIES_H

#include "physical_device.h"

/* The types of memory handles that cross. */
VkExternalMemoryHandleTypeFlags vdc_external_memory_types(const struct vdc_physical_device *pd);
/* Takes the others out of what the host said. */
void vdc_external_memory_restrict(const struct vdc_physical_device *pd,
                                  VkExternalMemoryProperties *properties);

#endif
