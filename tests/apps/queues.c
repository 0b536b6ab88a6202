/* SPDX-License-Identifier: MIT
 *
 * Two queues, of which the first waits for what the second does with an image that is acquired
 * meanwhile.
 */
#include "common.h"

#include <stdio.h>

enum {
    ROUNDS = 10,
    IMAGES_MAX = 8,
};

static struct gpu gpu;
static VkQueue queues[2];
static VkSurfaceKHR surface;
static VkSwapchainKHR swapchain;
static VkImage images[IMAGES_MAX];

static VkSemaphore create_semaphore(VkSemaphoreType type)
{
    VkSemaphore semaphore;
    must(vkCreateSemaphore(gpu.device,
                           &(VkSemaphoreCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                               .pNext =
                                   &(VkSemaphoreTypeCreateInfo){
                                       .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                       .semaphoreType = type,
                                   },
                           },
                           NULL, &semaphore));
    return semaphore;
}

static void open_device(void)
{
    must(vkCreateDevice(
        gpu.physical,
        &(VkDeviceCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
            .pNext =
                &(VkPhysicalDeviceVulkan12Features){
                    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
                    .timelineSemaphore = VK_TRUE,
                },
            .queueCreateInfoCount = 1,
            .pQueueCreateInfos =
                &(VkDeviceQueueCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                    .queueCount = 2,
                    .pQueuePriorities = (const float[]){1.0f, 1.0f},
                },
            .enabledExtensionCount = 1,
            .ppEnabledExtensionNames = (const char *const[]){VK_KHR_SWAPCHAIN_EXTENSION_NAME},
        },
        NULL, &gpu.device));
    for (uint32_t i = 0; i < 2; i++)
        vkGetDeviceQueue(gpu.device, 0, i, &queues[i]);
    expect(queues[0] != queues[1], "two queues are one");
    must(vkCreateCommandPool(gpu.device,
                             &(VkCommandPoolCreateInfo){
                                 .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                             },
                             NULL, &gpu.pool));
}

static void create_swapchain(void)
{
    VkSurfaceCapabilitiesKHR can;
    must(vkGetPhysicalDeviceSurfaceCapabilitiesKHR(gpu.physical, surface, &can));
    must(vkCreateSwapchainKHR(gpu.device,
                              &(VkSwapchainCreateInfoKHR){
                                  .sType = VK_STRUCTURE_TYPE_SWAPCHAIN_CREATE_INFO_KHR,
                                  .surface = surface,
                                  .minImageCount = can.minImageCount,
                                  .imageFormat = VK_FORMAT_B8G8R8A8_UNORM,
                                  .imageExtent = {64, 64},
                                  .imageArrayLayers = 1,
                                  .imageUsage = VK_IMAGE_USAGE_TRANSFER_DST_BIT,
                                  .preTransform = VK_SURFACE_TRANSFORM_IDENTITY_BIT_KHR,
                                  .compositeAlpha = VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR,
                                  .presentMode = VK_PRESENT_MODE_FIFO_KHR,
                              },
                              NULL, &swapchain));
    uint32_t count = IMAGES_MAX;
    must(vkGetSwapchainImagesKHR(gpu.device, swapchain, &count, images));
}

static VkCommandBuffer record(VkImage image)
{
    const VkCommandBuffer commands = commands_begin(&gpu);
    const VkImageSubresourceRange whole = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};
    const struct image_use nothing = {VK_IMAGE_LAYOUT_UNDEFINED, VK_PIPELINE_STAGE_TRANSFER_BIT, 0};
    const struct image_use cleared = {VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
                                      VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT};
    const struct image_use shown = {VK_IMAGE_LAYOUT_PRESENT_SRC_KHR,
                                    VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, 0};
    image_barrier(commands, image, &whole, &nothing, &cleared);
    vkCmdClearColorImage(commands, image, cleared.layout, &(VkClearColorValue){{1, 0, 0, 1}}, 1,
                         &whole);
    image_barrier(commands, image, &whole, &cleared, &shown);
    commands_end(commands);
    return commands;
}

int main(void)
{
    if (!instance_has_extension(VK_EXT_HEADLESS_SURFACE_EXTENSION_NAME)) {
        printf("queues: skipped, no VK_EXT_headless_surface\n");
        return EXIT_SKIPPED;
    }
    gpu_init_instance(&gpu, &(struct gpu_options){
                                .name = "queues",
                                .instance_extensions =
                                    (const char *const[]){VK_KHR_SURFACE_EXTENSION_NAME,
                                                          VK_EXT_HEADLESS_SURFACE_EXTENSION_NAME},
                                .instance_extension_count = 2,
                            });
    uint32_t count = 1;
    vkEnumeratePhysicalDevices(gpu.instance, &count, &gpu.physical);
    VkQueueFamilyProperties family = {0};
    vkGetPhysicalDeviceQueueFamilyProperties(gpu.physical, &count, &family);
    if (family.queueCount < 2) {
        printf("queues: skipped, there is only one\n");
        return EXIT_SKIPPED;
    }
    open_device();
    const PFN_vkCreateHeadlessSurfaceEXT create_surface =
        (PFN_vkCreateHeadlessSurfaceEXT)vkGetInstanceProcAddr(gpu.instance,
                                                              "vkCreateHeadlessSurfaceEXT");
    must(create_surface(gpu.instance,
                        &(VkHeadlessSurfaceCreateInfoEXT){
                            .sType = VK_STRUCTURE_TYPE_HEADLESS_SURFACE_CREATE_INFO_EXT,
                        },
                        NULL, &surface));
    create_swapchain();

    const VkSemaphore done = create_semaphore(VK_SEMAPHORE_TYPE_TIMELINE);
    VkSemaphore acquired[ROUNDS], drawn[ROUNDS];
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        acquired[round - 1] = create_semaphore(VK_SEMAPHORE_TYPE_BINARY);
        drawn[round - 1] = create_semaphore(VK_SEMAPHORE_TYPE_BINARY);
        const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
        must(vkQueueSubmit(queues[0], 1,
                           &(VkSubmitInfo){
                               .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                               .pNext =
                                   &(VkTimelineSemaphoreSubmitInfo){
                                       .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
                                       .waitSemaphoreValueCount = 1,
                                       .pWaitSemaphoreValues = &round,
                                   },
                               .waitSemaphoreCount = 1,
                               .pWaitSemaphores = &done,
                               .pWaitDstStageMask = &stage,
                           },
                           VK_NULL_HANDLE));
        uint32_t image;
        must(vkAcquireNextImageKHR(gpu.device, swapchain, LONG_NS, acquired[round - 1],
                                   VK_NULL_HANDLE, &image));
        const VkCommandBuffer commands = record(images[image]);
        must(vkQueueSubmit(queues[1], 1,
                           &(VkSubmitInfo){
                               .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                               .pNext =
                                   &(VkTimelineSemaphoreSubmitInfo){
                                       .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
                                       .signalSemaphoreValueCount = 2,
                                       .pSignalSemaphoreValues = (const uint64_t[]){0, round},
                                   },
                               .waitSemaphoreCount = 1,
                               .pWaitSemaphores = &acquired[round - 1],
                               .pWaitDstStageMask = &stage,
                               .commandBufferCount = 1,
                               .pCommandBuffers = &commands,
                               .signalSemaphoreCount = 2,
                               .pSignalSemaphores = (const VkSemaphore[]){drawn[round - 1], done},
                           },
                           VK_NULL_HANDLE));
        must(vkQueuePresentKHR(queues[1], &(VkPresentInfoKHR){
                                              .sType = VK_STRUCTURE_TYPE_PRESENT_INFO_KHR,
                                              .waitSemaphoreCount = 1,
                                              .pWaitSemaphores = &drawn[round - 1],
                                              .swapchainCount = 1,
                                              .pSwapchains = &swapchain,
                                              .pImageIndices = &image,
                                          }));
        must(vkWaitSemaphores(gpu.device,
                              &(VkSemaphoreWaitInfo){
                                  .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                  .semaphoreCount = 1,
                                  .pSemaphores = &done,
                                  .pValues = &round,
                              },
                              20 * SECOND_NS));
    }
    must(vkDeviceWaitIdle(gpu.device));
    for (uint32_t i = 0; i < ROUNDS; i++) {
        vkDestroySemaphore(gpu.device, acquired[i], NULL);
        vkDestroySemaphore(gpu.device, drawn[i], NULL);
    }
    vkDestroySemaphore(gpu.device, done, NULL);
    vkDestroySwapchainKHR(gpu.device, swapchain, NULL);
    vkDestroySurfaceKHR(gpu.instance, surface, NULL);
    gpu_finish(&gpu);
    printf("queues: %d rounds\n", ROUNDS);
    return 0;
}
