/* SPDX-License-Identifier: MIT
 *
 * Which calls wait for their result, of commands that do not wait for it in general (policy.toml,
 * [asks]).
 */
#ifndef VIADUCT_ICD_ASKS_H
#define VIADUCT_ICD_ASKS_H

#include <stdbool.h>

#include <vulkan/vulkan_core.h>

/* A copy so large that the thread which executes the ring must not be kept with it: see server/turn.h. */
bool vdc_asks_copy(const VkCopyMemoryToImageInfo *info);

#endif
