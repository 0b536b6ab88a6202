/* SPDX-License-Identifier: MIT
 *
 * Which calls wait for their result, of commands that do not wait for it in general (policy.toml,
 * [asks]).
 */
#ifndef VIADUCT_ICD_ASKS_H
#define VIADUCT_ICD_ASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

/* Creations that a driver may refuse for what they ask for: what is large, beyond the device's limits, or
 * of a kind that few applications use. Whatever else fails, fails because the host's memory has run out:
 * the client waits for that, too, for some time after it was refused any (call.c), and before that its objects
 * are poisoned (protocol/README.md). */
bool vdc_asks_buffer(const VkBufferCreateInfo *info);
bool vdc_asks_image(VkDevice device, const VkImageCreateInfo *info);
bool vdc_asks_semaphore(const VkSemaphoreCreateInfo *info);
bool vdc_asks_framebuffer(VkDevice device, const VkFramebufferCreateInfo *info);
bool vdc_asks_render_pass(const VkRenderPassCreateInfo *info);
bool vdc_asks_set_layout(const VkDescriptorSetLayoutCreateInfo *info);
bool vdc_asks_descriptor_pool(const VkDescriptorPoolCreateInfo *info);
/* Of what the application hands over, and of what it wants at once. */
bool vdc_asks_bytes(size_t size);
bool vdc_asks_count(uint32_t count);

/* A copy so large that the thread which executes the ring must not be kept with it: see server/turn.h. Or to an
 * image that others than the device may look at as soon as the call returns. */
bool vdc_asks_copy(VkDevice device, const VkCopyMemoryToImageInfo *info);

/* Memory that others than the driver may still look at, or that is large (device_memory.h). */
bool vdc_asks_free(VkDevice device, VkDeviceMemory memory);

#endif
