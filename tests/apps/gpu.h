/* SPDX-License-Identifier: MIT
 *
 * An instance, a device with one queue, and a command pool.
 */
#ifndef TESTS_GPU_H
#define TESTS_GPU_H

#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vulkan.h>

struct gpu_options {
    const char *name;
    uint32_t api_version; /* 0: Vulkan 1.3 */
    const char *const *instance_extensions;
    uint32_t instance_extension_count;
    const char *const *device_extensions;
    uint32_t device_extension_count;
    const void *features; /* pNext chain of VkDeviceCreateInfo */
    const VkPhysicalDeviceFeatures *core_features;
    VkSurfaceKHR surface; /* the queue must be able to present to it */
};

struct gpu {
    VkInstance instance;
    VkPhysicalDevice physical;
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceMemoryProperties memory;
    VkQueueFamilyProperties family_properties;
    VkDevice device;
    uint32_t family;
    VkQueue queue;
    VkCommandPool pool;
};

void gpu_init(struct gpu *gpu, const struct gpu_options *options);
void gpu_init_instance(struct gpu *gpu, const struct gpu_options *options);
void gpu_init_device(struct gpu *gpu, const struct gpu_options *options);
void gpu_finish_device(struct gpu *gpu);
void gpu_finish(struct gpu *gpu);
bool gpu_has_extension(VkPhysicalDevice physical, const char *name);
bool instance_has_extension(const char *name);

#endif
