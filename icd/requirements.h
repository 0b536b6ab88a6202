/* SPDX-License-Identifier: MIT
 *
 * Memory requirements, in the application's memory types; asked once for all that are created alike.
 */
#ifndef VIADUCT_ICD_REQUIREMENTS_H
#define VIADUCT_ICD_REQUIREMENTS_H

#include "device.h"

struct vd_requirements {
    VkMemoryRequirements memory;
    VkBool32 prefers_dedicated, requires_dedicated;
};

/* Gives what is known to a chain that can be answered from it. False: somebody else must answer. */
bool vd_requirements_fill(const struct vd_requirements *requirements, VkMemoryRequirements2 *out);

#endif
