/* SPDX-License-Identifier: MIT
 *
 * Swapchains live in the client alone: the server sees images and batches, and knows nothing of
 * windows. The commands are declared with all others in entrypoints.h.
 */
#ifndef VIADUCT_ICD_WSI_SWAPCHAIN_H
#define VIADUCT_ICD_WSI_SWAPCHAIN_H

#include "protocol/vk.h"

#include "icd/device.h"

/* One more image like those of the swapchain, without memory. */
VkResult vdc_swapchain_create_alias(struct vdc_device *device, VkSwapchainKHR swapchain,
                                    VkImage *image);
/* The memory behind an image of the swapchain. */
void vdc_swapchain_image_memory(VkSwapchainKHR swapchain, uint32_t index, VkDeviceMemory *memory,
                                VkDeviceSize *offset);

#endif
