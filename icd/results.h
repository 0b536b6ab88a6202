/* SPDX-License-Identifier: MIT
 *
 * What the application may be told. Anything may fail because the server is gone or memory has run out,
 * but vk.xml lists for each command what it may return, and the application hears nothing else.
 */
#ifndef VIADUCT_ICD_RESULTS_H
#define VIADUCT_ICD_RESULTS_H

#include <vulkan/vulkan_core.h>

/* `result`, not VK_SUCCESS, if it is in the list, else what says it best of what is. The list ends with
 * what there is to say otherwise: VK_ERROR_UNKNOWN, which any command may return, or VK_SUCCESS, of commands
 * that fill nothing and for which no failure is listed. */
VkResult vdc_listed_result(VkResult result, const VkResult *list);

/* Zeroes an output struct that begins with sType and pNext, but for these, and those in its chain: what
 * there is to say where nobody answers. What points to memory of the application stays as it is. */
void vdc_zero_chain(void *first);

/* The size of an output struct that may be zeroed; 0: another one. */
size_t vdc_output_size(VkStructureType type);

#endif
