/* SPDX-License-Identifier: MIT
 *
 * pNext chains belong to the application; what must be changed is copied first.
 */
#ifndef VIADUCT_ICD_CHAIN_H
#define VIADUCT_ICD_CHAIN_H

#include <vulkan/vulkan_core.h>

#include "common/chain.h"

/* A shallow copy of the structs that we know, in one piece of memory that starts with the first of
 * them, for free(). NULL: there is none, or no memory. */
VkBaseOutStructure *vdc_chain_copy(const void *chain);

#endif
