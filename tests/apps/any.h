/* SPDX-License-Identifier: MIT
 *
 * Objects for calls that codegen/answers.py has made: one of each type, as far as they say nothing but that.
 * Whoever includes this has included the calls, and tells how to find commands.
 */
#ifndef TESTS_ANY_H
#define TESTS_ANY_H

#include "expect.h"

#include <stdbool.h>

static PFN_vkGetInstanceProcAddr get_instance;
static PFN_vkGetDeviceProcAddr get_device;

#define INSTANCE(name) ((PFN_##name)get_instance(any_VkInstance, #name))
#define DEVICE(name)   ((PFN_##name)get_device(any_VkDevice, #name))
#define GLOBAL(name)   ((PFN_##name)get_instance(NULL, #name))

/* All extensions that there are, so that all commands are there. */
struct extensions {
    VkExtensionProperties list[512];
    const char *names[512];
    uint32_t count;
};

static void name_extensions(struct extensions *all)
{
    for (uint32_t i = 0; i < all->count; i++)
        all->names[i] = all->list[i].extensionName;
}

static void make_instance(void)
{
    static struct extensions all;
    all.count = ARRAY_SIZE(all.list);
    must(GLOBAL(vkEnumerateInstanceExtensionProperties)(NULL, &all.count, all.list));
    name_extensions(&all);
    must(GLOBAL(vkCreateInstance)(
        &(VkInstanceCreateInfo){
            .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
            .pApplicationInfo =
                &(VkApplicationInfo){
                    .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                    .apiVersion = VK_API_VERSION_1_4,
                },
            .enabledExtensionCount = all.count,
            .ppEnabledExtensionNames = all.names,
        },
        NULL, &any_VkInstance));
    uint32_t count = 1;
    const VkResult result =
        INSTANCE(vkEnumeratePhysicalDevices)(any_VkInstance, &count, &any_VkPhysicalDevice);
    expect(result >= 0 && count == 1, "no device");
}

static void make_device(void)
{
    static struct extensions all;
    all.count = ARRAY_SIZE(all.list);
    must(INSTANCE(vkEnumerateDeviceExtensionProperties)(any_VkPhysicalDevice, NULL, &all.count,
                                                        all.list));
    name_extensions(&all);
    must(INSTANCE(vkCreateDevice)(any_VkPhysicalDevice,
                                  &(VkDeviceCreateInfo){
                                      .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                      .queueCreateInfoCount = 1,
                                      .pQueueCreateInfos =
                                          &(VkDeviceQueueCreateInfo){
                                              .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                              .queueCount = 1,
                                              .pQueuePriorities = &(const float){1.0f},
                                          },
                                      .enabledExtensionCount = all.count,
                                      .ppEnabledExtensionNames = all.names,
                                  },
                                  NULL, &any_VkDevice));
    get_device = INSTANCE(vkGetDeviceProcAddr);
    DEVICE(vkGetDeviceQueue)(any_VkDevice, 0, 0, &any_VkQueue);
}

/* Makes an object of a type whose creation says nothing but that. */
#define MAKE(kind, type, ...)                                                                      \
    must(DEVICE(vkCreate##kind)(any_VkDevice, &(Vk##kind##CreateInfo){.sType = type, __VA_ARGS__}, \
                                NULL, &any_Vk##kind))

static void make_objects(void)
{
    MAKE(Fence, VK_STRUCTURE_TYPE_FENCE_CREATE_INFO, );
    MAKE(Semaphore, VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, );
    MAKE(Event, VK_STRUCTURE_TYPE_EVENT_CREATE_INFO, );
    MAKE(CommandPool, VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
         .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT);
    MAKE(PipelineCache, VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO, );
    MAKE(PipelineLayout, VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, );
    MAKE(DescriptorSetLayout, VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, );
    MAKE(DescriptorPool, VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, .maxSets = 4,
         .poolSizeCount = 1, .pPoolSizes = &(const VkDescriptorPoolSize){0, 4});
    MAKE(QueryPool, VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO, .queryCount = 1);
    MAKE(Sampler, VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO, );
    MAKE(Buffer, VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = 4096,
         .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    MAKE(Image, VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO, .imageType = VK_IMAGE_TYPE_2D,
         .format = VK_FORMAT_R8G8B8A8_UNORM, .extent = {16, 16, 1}, .mipLevels = 1,
         .arrayLayers = 1, .samples = VK_SAMPLE_COUNT_1_BIT,
         .usage = VK_IMAGE_USAGE_TRANSFER_DST_BIT);
    MAKE(PrivateDataSlot, VK_STRUCTURE_TYPE_PRIVATE_DATA_SLOT_CREATE_INFO, );
    must(DEVICE(vkAllocateCommandBuffers)(
        any_VkDevice,
        &(VkCommandBufferAllocateInfo){
            .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
            .commandPool = any_VkCommandPool,
            .commandBufferCount = 1,
        },
        &any_VkCommandBuffer));
    must(DEVICE(vkAllocateMemory)(any_VkDevice,
                                  &(VkMemoryAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                      .allocationSize = 65536,
                                  },
                                  NULL, &any_VkDeviceMemory));
}

#endif
