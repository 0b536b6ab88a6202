/* SPDX-License-Identifier: MIT */
#include "gpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"

bool instance_has_extension(const char *name)
{
    uint32_t count = 0;
    must(vkEnumerateInstanceExtensionProperties(NULL, &count, NULL));
    VkExtensionProperties *list = calloc(count + 1, sizeof(*list));
    must(vkEnumerateInstanceExtensionProperties(NULL, &count, list));
    bool found = false;
    for (uint32_t i = 0; i < count; i++)
        found = found || strcmp(list[i].extensionName, name) == 0;
    free(list);
    return found;
}

bool gpu_has_extension(VkPhysicalDevice physical, const char *name)
{
    uint32_t count = 0;
    must(vkEnumerateDeviceExtensionProperties(physical, NULL, &count, NULL));
    VkExtensionProperties *list = calloc(count + 1, sizeof(*list));
    must(vkEnumerateDeviceExtensionProperties(physical, NULL, &count, list));
    bool found = false;
    for (uint32_t i = 0; i < count; i++)
        found = found || strcmp(list[i].extensionName, name) == 0;
    free(list);
    return found;
}

void gpu_init_instance(struct gpu *gpu, const struct gpu_options *options)
{
    *gpu = (struct gpu){0};
    must(vkCreateInstance(
        &(VkInstanceCreateInfo){
            .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
            .pApplicationInfo =
                &(VkApplicationInfo){
                    .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                    .pApplicationName = options->name,
                    .applicationVersion = 1,
                    .apiVersion = options->api_version ? options->api_version : VK_API_VERSION_1_3,
                },
            .enabledExtensionCount = options->instance_extension_count,
            .ppEnabledExtensionNames = options->instance_extensions,
        },
        NULL, &gpu->instance));
}

static uint32_t find_family(const struct gpu *gpu, VkSurfaceKHR surface,
                            VkQueueFamilyProperties *properties)
{
    VkQueueFamilyProperties families[32];
    uint32_t count = ARRAY_SIZE(families);
    vkGetPhysicalDeviceQueueFamilyProperties(gpu->physical, &count, families);
    for (uint32_t i = 0; i < count; i++) {
        const VkQueueFlags needed = VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT;
        if ((families[i].queueFlags & needed) != needed)
            continue;
        if (surface) {
            VkBool32 supported = VK_FALSE;
            must(vkGetPhysicalDeviceSurfaceSupportKHR(gpu->physical, i, surface, &supported));
            if (!supported)
                continue;
        }
        *properties = families[i];
        return i;
    }
    fail(__FILE__, __LINE__, "no queue family for graphics and compute%s",
         surface ? " that can present" : "");
}

void gpu_init_device(struct gpu *gpu, const struct gpu_options *options)
{
    uint32_t count = 1;
    const VkResult listed = vkEnumeratePhysicalDevices(gpu->instance, &count, &gpu->physical);
    expect(listed == VK_SUCCESS || listed == VK_INCOMPLETE, "vkEnumeratePhysicalDevices gave %s",
           result_name(listed));
    expect(count == 1, "there is no Vulkan device");
    vkGetPhysicalDeviceProperties(gpu->physical, &gpu->properties);
    vkGetPhysicalDeviceMemoryProperties(gpu->physical, &gpu->memory);
    gpu->family = find_family(gpu, options->surface, &gpu->family_properties);

    must(vkCreateDevice(gpu->physical,
                        &(VkDeviceCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                            .pNext = options->features,
                            .queueCreateInfoCount = 1,
                            .pQueueCreateInfos =
                                &(VkDeviceQueueCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                    .queueFamilyIndex = gpu->family,
                                    .queueCount = 1,
                                    .pQueuePriorities = (const float[]){1.0f},
                                },
                            .enabledExtensionCount = options->device_extension_count,
                            .ppEnabledExtensionNames = options->device_extensions,
                            .pEnabledFeatures = options->core_features,
                        },
                        NULL, &gpu->device));
    vkGetDeviceQueue(gpu->device, gpu->family, 0, &gpu->queue);
    must(vkCreateCommandPool(gpu->device,
                             &(VkCommandPoolCreateInfo){
                                 .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                 .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                 .queueFamilyIndex = gpu->family,
                             },
                             NULL, &gpu->pool));
}

void gpu_init(struct gpu *gpu, const struct gpu_options *options)
{
    gpu_init_instance(gpu, options);
    gpu_init_device(gpu, options);
}

void gpu_finish_device(struct gpu *gpu)
{
    must(vkDeviceWaitIdle(gpu->device));
    vkDestroyCommandPool(gpu->device, gpu->pool, NULL);
    vkDestroyDevice(gpu->device, NULL);
}

void gpu_finish(struct gpu *gpu)
{
    gpu_finish_device(gpu);
    vkDestroyInstance(gpu->instance, NULL);
}
