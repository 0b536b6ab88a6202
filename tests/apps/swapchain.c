/* SPDX-License-Identifier: MIT
 *
 * What newer extensions let applications do with swapchains: presents with fences, modes and numbers
 * of their own, images that are given back unseen, images made later from a swapchain's memory.
 * Every picture has one colour.
 */
#include "window.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_IMAGES = 16,
    MAX_MODES = 16,
    FRAMES = 40,
};

struct program {
    const struct platform *platform;
    struct window *window;
    struct gpu gpu;
    VkSurfaceKHR surface;
    VkSurfaceFormatKHR format;
    VkExtent2D extent;
    VkPresentModeKHR modes[MAX_MODES];
    uint32_t mode_count;
    bool has_wait;
    bool has_wait2, by_wait2; /* the later form of the same; whether it is used */
    bool shares_fences;
    PFN_vkGetPhysicalDeviceSurfaceCapabilities2KHR get_capabilities;
    PFN_vkReleaseSwapchainImagesEXT release;
    PFN_vkWaitForPresentKHR wait;
#ifdef VK_KHR_present_wait2
    PFN_vkWaitForPresent2KHR wait2;
#endif
};

struct swapchain {
    VkSwapchainKHR handle;
    uint32_t image_count;
    VkImage images[MAX_IMAGES];
};

/* One present, and what it needs until it is over. */
struct frame {
    VkSemaphore acquired, drawn;
    VkFence fence;
    VkCommandBuffer commands;
};

/* What a present says beyond its image. */
struct present_options {
    const VkPresentModeKHR *mode; /* NULL: says nothing */
    bool fence;
    uint64_t id; /* 0: none */
};

static const VkImageSubresourceRange whole = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};

static VkSemaphore create_semaphore(const struct gpu *gpu)
{
    VkSemaphore semaphore;
    must(vkCreateSemaphore(
        gpu->device, &(VkSemaphoreCreateInfo){.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO},
        NULL, &semaphore));
    return semaphore;
}

static void wait_for(const struct gpu *gpu, VkFence fence)
{
    must(vkWaitForFences(gpu->device, 1, &fence, VK_TRUE, LONG_NS));
}

static VkClearColorValue colour_of(uint32_t number)
{
    return (VkClearColorValue){
        {(float)(number & 1), (float)(number >> 1 & 1), (float)(number >> 2 & 1), 1.0f}};
}

/* ---- The surface */

static void query(const struct program *p, VkPresentModeKHR mode, void *chain,
                  VkSurfaceCapabilitiesKHR *capabilities)
{
    const VkSurfacePresentModeEXT asked = {
        .sType = VK_STRUCTURE_TYPE_SURFACE_PRESENT_MODE_EXT,
        .presentMode = mode,
    };
    VkSurfaceCapabilities2KHR answer = {
        .sType = VK_STRUCTURE_TYPE_SURFACE_CAPABILITIES_2_KHR,
        .pNext = chain,
    };
    must(p->get_capabilities(p->gpu.physical,
                             &(VkPhysicalDeviceSurfaceInfo2KHR){
                                 .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SURFACE_INFO_2_KHR,
                                 .pNext = &asked,
                                 .surface = p->surface,
                             },
                             &answer));
    *capabilities = answer.surfaceCapabilities;
}

/* Fills `modes`, which has room for MAX_MODES, with what is compatible with `mode`. */
static uint32_t compatible_modes(const struct program *p, VkPresentModeKHR mode,
                                 VkPresentModeKHR *modes)
{
    VkSurfaceCapabilitiesKHR capabilities;
    VkSurfacePresentModeCompatibilityEXT list = {
        .sType = VK_STRUCTURE_TYPE_SURFACE_PRESENT_MODE_COMPATIBILITY_EXT,
    };
    query(p, mode, &list, &capabilities);
    const uint32_t count = list.presentModeCount;
    /* Mesa's headless surfaces name none. */
    if (!count && !p->platform->has_window) {
        modes[0] = mode;
        return 1;
    }
    expect(count >= 1 && count < MAX_MODES, "mode %d: %u compatible modes", mode, count);

    /* With room for one it is the mode itself, and nothing else is touched. */
    memset(modes, 0x7e, MAX_MODES * sizeof(*modes));
    list.presentModeCount = 1;
    list.pPresentModes = modes;
    query(p, mode, &list, &capabilities);
    VkPresentModeKHR untouched;
    memset(&untouched, 0x7e, sizeof(untouched));
    expect(list.presentModeCount == 1 && modes[1] == untouched,
           "mode %d: asked for one compatible mode, got %u", mode, list.presentModeCount);

    list.presentModeCount = MAX_MODES;
    query(p, mode, &list, &capabilities);
    expect(list.presentModeCount == count, "mode %d: %u compatible modes, then %u", mode, count,
           list.presentModeCount);
    bool itself = false;
    for (uint32_t i = 0; i < count; i++) {
        itself = itself || modes[i] == mode;
        for (uint32_t j = 0; j < i; j++)
            expect(modes[i] != modes[j], "mode %d: compatible with %d twice", mode, modes[i]);
    }
    expect(itself, "mode %d is not compatible with itself", mode);
    return count;
}

static VkSurfacePresentScalingCapabilitiesEXT scaling_of(const struct program *p)
{
    VkSurfaceCapabilitiesKHR capabilities;
    VkSurfacePresentScalingCapabilitiesEXT scaling = {
        .sType = VK_STRUCTURE_TYPE_SURFACE_PRESENT_SCALING_CAPABILITIES_EXT,
    };
    query(p, VK_PRESENT_MODE_FIFO_KHR, &scaling, &capabilities);
    expect(scaling.minScaledImageExtent.width <= capabilities.minImageExtent.width &&
               scaling.minScaledImageExtent.height <= capabilities.minImageExtent.height &&
               scaling.maxScaledImageExtent.width >= capabilities.maxImageExtent.width &&
               scaling.maxScaledImageExtent.height >= capabilities.maxImageExtent.height,
           "scaling takes fewer sizes than no scaling");
    expect(!scaling.supportedPresentScaling == !scaling.supportedPresentGravityX &&
               !scaling.supportedPresentScaling == !scaling.supportedPresentGravityY,
           "scaling %x with gravities %x and %x", scaling.supportedPresentScaling,
           scaling.supportedPresentGravityX, scaling.supportedPresentGravityY);
    return scaling;
}

/* ---- Swapchains and frames */

static struct swapchain swapchain_create(const struct program *p, const void *chain,
                                         VkSwapchainCreateFlagsKHR flags, VkExtent2D extent,
                                         VkSwapchainKHR old)
{
    VkSurfaceCapabilitiesKHR capabilities;
    query(p, VK_PRESENT_MODE_FIFO_KHR, NULL, &capabilities);
    VkCompositeAlphaFlagBitsKHR alpha = VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR;
    while (!(capabilities.supportedCompositeAlpha & alpha))
        alpha <<= 1;
    struct swapchain swapchain = {.image_count = MAX_IMAGES};
    must(vkCreateSwapchainKHR(
        p->gpu.device,
        &(VkSwapchainCreateInfoKHR){
            .sType = VK_STRUCTURE_TYPE_SWAPCHAIN_CREATE_INFO_KHR,
            .pNext = chain,
            .flags = flags,
            .surface = p->surface,
            .minImageCount = capabilities.minImageCount + 1,
            .imageFormat = p->format.format,
            .imageColorSpace = p->format.colorSpace,
            .imageExtent = extent,
            .imageArrayLayers = 1,
            .imageUsage = VK_IMAGE_USAGE_TRANSFER_SRC_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT,
            .imageSharingMode = VK_SHARING_MODE_EXCLUSIVE,
            .preTransform = capabilities.currentTransform,
            .compositeAlpha = alpha,
            .presentMode = VK_PRESENT_MODE_FIFO_KHR,
            .clipped = VK_TRUE,
            .oldSwapchain = old,
        },
        NULL, &swapchain.handle));
    must(vkGetSwapchainImagesKHR(p->gpu.device, swapchain.handle, &swapchain.image_count,
                                 swapchain.images));
    return swapchain;
}

static void frame_init(const struct program *p, struct frame *frame)
{
    *frame = (struct frame){create_semaphore(&p->gpu), create_semaphore(&p->gpu),
                            fence_create(&p->gpu, 0), commands_begin(&p->gpu)};
}

/* Once its fence, or another of a later present, is signalled. */
static void frame_finish(const struct program *p, const struct frame *frame)
{
    vkDestroySemaphore(p->gpu.device, frame->acquired, NULL);
    vkDestroySemaphore(p->gpu.device, frame->drawn, NULL);
    vkDestroyFence(p->gpu.device, frame->fence, NULL);
    vkFreeCommandBuffers(p->gpu.device, p->gpu.pool, 1, &frame->commands);
}

static void record_clear(VkCommandBuffer commands, VkImage image, uint32_t number,
                         const struct image_use *after)
{
    const struct image_use written = {VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
                                      VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT};
    image_barrier(commands, image, &whole,
                  &(struct image_use){VK_IMAGE_LAYOUT_UNDEFINED, VK_PIPELINE_STAGE_TRANSFER_BIT, 0},
                  &written);
    const VkClearColorValue colour = colour_of(number);
    vkCmdClearColorImage(commands, image, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, &colour, 1, &whole);
    image_barrier(commands, image, &whole, &written, after);
}

static uint32_t acquire(const struct program *p, VkSwapchainKHR swapchain, VkSemaphore semaphore)
{
    uint32_t index;
    const VkResult result =
        vkAcquireNextImageKHR(p->gpu.device, swapchain, LONG_NS, semaphore, VK_NULL_HANDLE, &index);
    expect(result == VK_SUCCESS || result == VK_SUBOPTIMAL_KHR, "acquire gave %s",
           result_name(result));
    return index;
}

/* Draws the acquired image in one colour and presents it. */
static VkResult show(const struct program *p, const struct swapchain *swapchain,
                     const struct frame *frame, uint32_t index, uint32_t number,
                     const struct present_options *options)
{
    record_clear(frame->commands, swapchain->images[index], number,
                 &(struct image_use){VK_IMAGE_LAYOUT_PRESENT_SRC_KHR,
                                     VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, 0});
    commands_end(frame->commands);
    must(vkQueueSubmit(
        p->gpu.queue, 1,
        &(VkSubmitInfo){
            .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
            .waitSemaphoreCount = 1,
            .pWaitSemaphores = &frame->acquired,
            .pWaitDstStageMask = &(const VkPipelineStageFlags){VK_PIPELINE_STAGE_TRANSFER_BIT},
            .commandBufferCount = 1,
            .pCommandBuffers = &frame->commands,
            .signalSemaphoreCount = 1,
            .pSignalSemaphores = &frame->drawn,
        },
        VK_NULL_HANDLE));
    const void *chain = NULL;
    const VkSwapchainPresentModeInfoEXT mode = {
        .sType = VK_STRUCTURE_TYPE_SWAPCHAIN_PRESENT_MODE_INFO_EXT,
        .pNext = chain,
        .swapchainCount = 1,
        .pPresentModes = options->mode,
    };
    chain = options->mode ? &mode : chain;
    const VkSwapchainPresentFenceInfoEXT fence = {
        .sType = VK_STRUCTURE_TYPE_SWAPCHAIN_PRESENT_FENCE_INFO_EXT,
        .pNext = chain,
        .swapchainCount = 1,
        .pFences = &frame->fence,
    };
    chain = options->fence ? &fence : chain;
    const VkPresentIdKHR id = {
        .sType = VK_STRUCTURE_TYPE_PRESENT_ID_KHR,
        .pNext = chain,
        .swapchainCount = 1,
        .pPresentIds = &options->id,
    };
#ifdef VK_KHR_present_id2
    const VkPresentId2KHR id2 = {
        .sType = VK_STRUCTURE_TYPE_PRESENT_ID_2_KHR,
        .pNext = chain,
        .swapchainCount = 1,
        .pPresentIds = &options->id,
    };
    if (options->id)
        chain = p->by_wait2 ? (const void *)&id2 : &id;
#else
    chain = options->id ? &id : chain;
#endif
    return vkQueuePresentKHR(p->gpu.queue, &(VkPresentInfoKHR){
                                               .sType = VK_STRUCTURE_TYPE_PRESENT_INFO_KHR,
                                               .pNext = chain,
                                               .waitSemaphoreCount = 1,
                                               .pWaitSemaphores = &frame->drawn,
                                               .swapchainCount = 1,
                                               .pSwapchains = &swapchain->handle,
                                               .pImageIndices = &index,
                                           });
}

static void show_next(const struct program *p, const struct swapchain *swapchain,
                      struct frame *frame, uint32_t number, const struct present_options *options)
{
    frame_init(p, frame);
    const uint32_t index = acquire(p, swapchain->handle, frame->acquired);
    const VkResult result = show(p, swapchain, frame, index, number, options);
    expect(result == VK_SUCCESS || result == VK_SUBOPTIMAL_KHR, "present %u gave %s", number,
           result_name(result));
}

/* Whether the window shows the colour, in its top left part of this size. */
static bool is_shown(const struct program *p, VkExtent2D part, uint32_t number)
{
    struct picture picture;
    p->platform->take_picture(p->window, &picture);
    const VkClearColorValue colour = colour_of(number);
    bool same = true;
    for (uint32_t y = 0; y < part.height; y++)
        for (uint32_t x = 0; x < part.width; x++)
            for (uint32_t i = 0; i < 3; i++)
                same = same && picture.pixels[((size_t)y * picture.width + x) * 4 + i] ==
                                   (colour.float32[i] > 0 ? 255 : 0);
    picture_finish(&picture);
    return same;
}

static void expect_shown(const struct program *p, VkExtent2D part, uint32_t number)
{
    const uint64_t deadline = now_ns() + 10 * SECOND_NS;
    while (p->platform->has_window && !is_shown(p, part, number)) {
        expect(now_ns() < deadline, "the window does not show picture %u", number);
        sleep_ms(10);
    }
}

/* ---- The tests */

static void test_fences(const struct program *p)
{
    section("present fences");
    struct swapchain swapchain = swapchain_create(p, NULL, 0, p->extent, VK_NULL_HANDLE);
    struct frame frames[FRAMES];
    for (uint32_t i = 0; i < FRAMES; i++) {
        show_next(p, &swapchain, &frames[i], i, &(struct present_options){.fence = true});
        /* They are signalled in order. */
        bool signalled = false;
        for (uint32_t j = i + 1; j-- > 0;) {
            const VkResult status = vkGetFenceStatus(p->gpu.device, frames[j].fence);
            expect(status == VK_SUCCESS || !signalled, "present %u is over before present %u",
                   j + 1, j);
            signalled = signalled || status == VK_SUCCESS;
        }
    }
    expect_shown(p, p->extent, FRAMES - 1);
    wait_for(&p->gpu, frames[FRAMES - 1].fence);

    /* A present to a swapchain that has been replaced meanwhile. */
    struct frame late;
    frame_init(p, &late);
    const uint32_t index = acquire(p, swapchain.handle, late.acquired);
    const struct swapchain next = swapchain_create(p, NULL, 0, p->extent, swapchain.handle);
    const VkResult result =
        show(p, &swapchain, &late, index, 1, &(struct present_options){.fence = true});
    expect(result == VK_SUCCESS || result == VK_SUBOPTIMAL_KHR ||
               result == VK_ERROR_OUT_OF_DATE_KHR,
           "presenting to a retired swapchain gave %s", result_name(result));
    wait_for(&p->gpu, late.fence);

    /* With its fences, everything may go, without any other wait. */
    for (uint32_t i = 0; i < FRAMES; i++)
        frame_finish(p, &frames[i]);
    frame_finish(p, &late);
    vkDestroySwapchainKHR(p->gpu.device, swapchain.handle, NULL);
    vkDestroySwapchainKHR(p->gpu.device, next.handle, NULL);
}

static void test_modes(const struct program *p)
{
    section("present modes that change");
    VkPresentModeKHR modes[MAX_MODES];
    for (uint32_t i = 0; i < p->mode_count; i++)
        compatible_modes(p, p->modes[i], modes);
    const uint32_t count = compatible_modes(p, VK_PRESENT_MODE_FIFO_KHR, modes);
    const VkSwapchainPresentModesCreateInfoEXT list = {
        .sType = VK_STRUCTURE_TYPE_SWAPCHAIN_PRESENT_MODES_CREATE_INFO_EXT,
        .presentModeCount = count,
        .pPresentModes = modes,
    };
    const struct swapchain swapchain = swapchain_create(p, &list, 0, p->extent, VK_NULL_HANDLE);
    struct frame frames[FRAMES];
    for (uint32_t i = 0; i < FRAMES; i++)
        show_next(p, &swapchain, &frames[i], i,
                  &(struct present_options){
                      .mode = i % 3 ? &modes[i / 3 % count] : NULL,
                      .fence = true,
                  });
    expect_shown(p, p->extent, FRAMES - 1);
    for (uint32_t i = 0; i < FRAMES; i++) {
        wait_for(&p->gpu, frames[i].fence);
        frame_finish(p, &frames[i]);
    }
    vkDestroySwapchainKHR(p->gpu.device, swapchain.handle, NULL);
}

/* Takes what there is without waiting. */
static uint32_t take_all(const struct program *p, VkSwapchainKHR swapchain, uint32_t *indices)
{
    const VkFence fence = fence_create(&p->gpu, 0);
    uint32_t count = 0;
    while (count < MAX_IMAGES && vkAcquireNextImageKHR(p->gpu.device, swapchain, 0, VK_NULL_HANDLE,
                                                       fence, &indices[count]) == VK_SUCCESS) {
        wait_for(&p->gpu, fence);
        must(vkResetFences(p->gpu.device, 1, &fence));
        count++;
    }
    vkDestroyFence(p->gpu.device, fence, NULL);
    return count;
}

static void release(const struct program *p, VkSwapchainKHR swapchain, const uint32_t *indices,
                    uint32_t count)
{
    must(p->release(p->gpu.device, &(VkReleaseSwapchainImagesInfoEXT){
                                       .sType = VK_STRUCTURE_TYPE_RELEASE_SWAPCHAIN_IMAGES_INFO_EXT,
                                       .swapchain = swapchain,
                                       .imageIndexCount = count,
                                       .pImageIndices = indices,
                                   }));
}

static void test_release(const struct program *p)
{
    section("images given back");
    const struct swapchain swapchain = swapchain_create(p, NULL, 0, p->extent, VK_NULL_HANDLE);
    uint32_t indices[MAX_IMAGES];
    const uint32_t count = take_all(p, swapchain.handle, indices);
    expect(count >= 2, "only %u images could be taken", count);
    for (uint32_t round = 0; round < 3; round++) {
        release(p, swapchain.handle, indices, count);
        const uint32_t again = take_all(p, swapchain.handle, indices);
        expect(again == count, "%u images were given back, and %u taken", count, again);
    }
    release(p, swapchain.handle, &indices[count - 1], 1);
    const struct swapchain next = swapchain_create(p, NULL, 0, p->extent, swapchain.handle);
    /* Also after it was replaced. */
    release(p, swapchain.handle, indices, count - 1);
    struct frame frame;
    show_next(p, &next, &frame, 5, &(struct present_options){.fence = true});
    expect_shown(p, p->extent, 5);
    wait_for(&p->gpu, frame.fence);
    frame_finish(p, &frame);
    vkDestroySwapchainKHR(p->gpu.device, swapchain.handle, NULL);
    vkDestroySwapchainKHR(p->gpu.device, next.handle, NULL);
}

/* Images that the application makes of the memory of a swapchain. */
static void test_bind(const struct program *p)
{
    section("images in a swapchain's memory");
    const struct swapchain swapchain = swapchain_create(
        p, NULL, VK_SWAPCHAIN_CREATE_DEFERRED_MEMORY_ALLOCATION_BIT_EXT, p->extent, VK_NULL_HANDLE);
    const VkFence fence = fence_create(&p->gpu, 0);
    uint32_t index;
    must(vkAcquireNextImageKHR(p->gpu.device, swapchain.handle, LONG_NS, VK_NULL_HANDLE, fence,
                               &index));
    wait_for(&p->gpu, fence);
    vkDestroyFence(p->gpu.device, fence, NULL);

    VkImage alias;
    must(vkCreateImage(
        p->gpu.device,
        &(VkImageCreateInfo){
            .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
            .pNext =
                &(VkImageSwapchainCreateInfoKHR){
                    .sType = VK_STRUCTURE_TYPE_IMAGE_SWAPCHAIN_CREATE_INFO_KHR,
                    .swapchain = swapchain.handle,
                },
            .imageType = VK_IMAGE_TYPE_2D,
            .format = p->format.format,
            .extent = {p->extent.width, p->extent.height, 1},
            .mipLevels = 1,
            .arrayLayers = 1,
            .samples = VK_SAMPLE_COUNT_1_BIT,
            .usage = VK_IMAGE_USAGE_TRANSFER_SRC_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT,
        },
        NULL, &alias));
    const VkBindImageMemorySwapchainInfoKHR memory = {
        .sType = VK_STRUCTURE_TYPE_BIND_IMAGE_MEMORY_SWAPCHAIN_INFO_KHR,
        .swapchain = swapchain.handle,
        .imageIndex = index,
    };
    VkResult result = VK_RESULT_MAX_ENUM;
    const VkBindMemoryStatusKHR status = {
        .sType = VK_STRUCTURE_TYPE_BIND_MEMORY_STATUS_KHR,
        .pNext = &memory,
        .pResult = &result,
    };
    const bool has_status = gpu_has_extension(p->gpu.physical, VK_KHR_MAINTENANCE_6_EXTENSION_NAME);
    must(vkBindImageMemory2(p->gpu.device, 1,
                            &(VkBindImageMemoryInfo){
                                .sType = VK_STRUCTURE_TYPE_BIND_IMAGE_MEMORY_INFO,
                                .pNext = has_status ? (const void *)&status : &memory,
                                .image = alias,
                            }));
    expect(!has_status || result == VK_SUCCESS, "the status of a binding says %s",
           result_name(result));

    const VkCommandBuffer commands = commands_begin(&p->gpu);
    record_clear(commands, alias, 6,
                 &(struct image_use){VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                                     VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_READ_BIT});
    commands_finish(&p->gpu, commands);
    struct picture picture;
    picture_init_from_image(&p->gpu, &picture, swapchain.images[index], p->format.format,
                            p->extent);
    for (size_t i = 0; i < (size_t)picture.width * picture.height; i++)
        expect(memcmp(&picture.pixels[4 * i], (const uint8_t[]){0, 255, 255, 255}, 4) == 0,
               "pixel %zu of the swapchain's image is not what was written to its alias", i);
    picture_finish(&picture);
    vkDestroyImage(p->gpu.device, alias, NULL);
    release(p, swapchain.handle, &index, 1);
    vkDestroySwapchainKHR(p->gpu.device, swapchain.handle, NULL);
}

static void test_scaling(const struct program *p)
{
    section("pictures of another size");
    const VkSurfacePresentScalingCapabilitiesEXT scaling = scaling_of(p);
    if (!(scaling.supportedPresentScaling & VK_PRESENT_SCALING_ONE_TO_ONE_BIT_EXT))
        return;
    const VkSwapchainPresentScalingCreateInfoEXT info = {
        .sType = VK_STRUCTURE_TYPE_SWAPCHAIN_PRESENT_SCALING_CREATE_INFO_EXT,
        .scalingBehavior = VK_PRESENT_SCALING_ONE_TO_ONE_BIT_EXT,
        .presentGravityX = VK_PRESENT_GRAVITY_MIN_BIT_EXT,
        .presentGravityY = VK_PRESENT_GRAVITY_MIN_BIT_EXT,
    };
    const VkExtent2D half = {p->extent.width / 2, p->extent.height / 2};
    const VkExtent2D twice = {p->extent.width * 2, p->extent.height * 2};
    for (uint32_t i = 0; i < 2; i++) {
        const struct swapchain swapchain =
            swapchain_create(p, &info, 0, i ? twice : half, VK_NULL_HANDLE);
        struct frame frame;
        show_next(p, &swapchain, &frame, 1 + i, &(struct present_options){.fence = true});
        expect_shown(p, i ? p->extent : half, 1 + i);
        wait_for(&p->gpu, frame.fence);
        frame_finish(p, &frame);
        vkDestroySwapchainKHR(p->gpu.device, swapchain.handle, NULL);
    }
}

/* Toolkits ask for these while a window is minimised, or before they know its size. No image of
 * them is seen, and nothing else suffers. */
static void test_extents(const struct program *p)
{
    section("extents that no window has");
    static const VkExtent2D extents[] = {{0, 0},     {0, 5},        {5, 0},         {32768, 1},
                                         {40000, 2}, {1, 70000},    {70000, 70000}, {65536, 65536},
                                         {1, 1},     {16385, 16385}};
    struct swapchain swapchain = {0};
    for (size_t i = 0; i < sizeof(extents) / sizeof(extents[0]); i++) {
        const struct swapchain next = swapchain_create(p, NULL, 0, extents[i], swapchain.handle);
        vkDestroySwapchainKHR(p->gpu.device, swapchain.handle, NULL);
        swapchain = next;
        VkMemoryRequirements needs;
        vkGetImageMemoryRequirements(p->gpu.device, swapchain.images[0], &needs);
        if (extents[i].width && extents[i].height && extents[i].width < 50000 &&
            extents[i].height < 50000)
            expect(needs.size >= (uint64_t)extents[i].width * extents[i].height * 2,
                   "%u * %u pixels take %" PRIu64 " bytes", extents[i].width, extents[i].height,
                   needs.size);
        else if (p->platform->has_window) /* where somebody looks */
            for (uint32_t j = 0; j < swapchain.image_count + 2; j++) {
                const VkFence fence = fence_create(&p->gpu, 0);
                uint32_t index;
                VkResult result = vkAcquireNextImageKHR(p->gpu.device, swapchain.handle, SECOND_NS,
                                                        VK_NULL_HANDLE, fence, &index);
                if (result >= 0 && result != VK_TIMEOUT) {
                    wait_for(&p->gpu, fence);
                    result = vkQueuePresentKHR(p->gpu.queue,
                                               &(VkPresentInfoKHR){
                                                   .sType = VK_STRUCTURE_TYPE_PRESENT_INFO_KHR,
                                                   .swapchainCount = 1,
                                                   .pSwapchains = &swapchain.handle,
                                                   .pImageIndices = &index,
                                               });
                }
                vkDestroyFence(p->gpu.device, fence, NULL);
                expect(result == VK_SUCCESS || result == VK_SUBOPTIMAL_KHR ||
                           result == VK_ERROR_OUT_OF_DATE_KHR || result == VK_TIMEOUT,
                       "presenting %u * %u pixels gave %s", extents[i].width, extents[i].height,
                       result_name(result));
                if (result < 0)
                    break;
            }
    }
    const struct swapchain usual = swapchain_create(p, NULL, 0, p->extent, swapchain.handle);
    vkDestroySwapchainKHR(p->gpu.device, swapchain.handle, NULL);
    struct frame frame;
    show_next(p, &usual, &frame, 3, &(struct present_options){.fence = true});
    expect_shown(p, p->extent, 3);
    wait_for(&p->gpu, frame.fence);
    frame_finish(p, &frame);
    vkDestroySwapchainKHR(p->gpu.device, usual.handle, NULL);
}

static VkResult wait_for_present(const struct program *p, VkSwapchainKHR swapchain, uint64_t id,
                                 uint64_t timeout)
{
#ifdef VK_KHR_present_wait2
    if (p->by_wait2)
        return p->wait2(p->gpu.device, swapchain,
                        &(VkPresentWait2InfoKHR){
                            .sType = VK_STRUCTURE_TYPE_PRESENT_WAIT_2_INFO_KHR,
                            .presentId = id,
                            .timeout = timeout,
                        });
#endif
    return p->wait(p->gpu.device, swapchain, id, timeout);
}

struct waiter {
    const struct program *p;
    VkSwapchainKHR swapchain;
    uint64_t id;
    VkResult result;
};

static void *wait_in_thread(void *data)
{
    struct waiter *waiter = data;
    waiter->result = wait_for_present(waiter->p, waiter->swapchain, waiter->id, UINT64_MAX);
    return NULL;
}

/* `lose`: the last of all, for the surface is lost by it. */
static void test_wait(const struct program *p, bool lose)
{
    section(p->by_wait2 ? "waiting for presents, by VK_KHR_present_wait2" : "waiting for presents");
    VkSwapchainCreateFlagsKHR flags = 0;
#ifdef VK_KHR_present_wait2
    if (p->by_wait2)
        flags =
            VK_SWAPCHAIN_CREATE_PRESENT_ID_2_BIT_KHR | VK_SWAPCHAIN_CREATE_PRESENT_WAIT_2_BIT_KHR;
#endif
    const VkDevice device = p->gpu.device;
    const struct swapchain swapchain = swapchain_create(p, NULL, flags, p->extent, VK_NULL_HANDLE);
    struct frame frames[FRAMES + 2];
    const uint64_t step = UINT64_C(1) << 40;
    for (uint32_t i = 0; i < FRAMES; i++) {
        const uint64_t id = (i + 1) * step;
        show_next(p, &swapchain, &frames[i], i,
                  &(struct present_options){.fence = true, .id = i % 4 == 2 ? 0 : id});
        if (i % 4 == 2)
            continue;
        /* Also for numbers that were left out. */
        must(wait_for_present(p, swapchain.handle, id - i % 2, LONG_NS));
        expect(!p->platform->has_window || is_shown(p, p->extent, i),
               "present %u has been waited for, and is not shown", i);
        must_be(VK_TIMEOUT, wait_for_present(p, swapchain.handle, id + 1, 0));
    }
    const uint64_t last = FRAMES * step, start = now_ns();
    must_be(VK_TIMEOUT, wait_for_present(p, swapchain.handle, last + 1, 30 * SECOND_NS / 1000));
    const uint64_t waited_ms = (now_ns() - start) / 1000000;
    expect(waited_ms >= 25 && waited_ms < 5000, "a timeout of 30 ms took %" PRIu64 " ms",
           waited_ms);

    /* A thread that waits for what is presented later, and one whose swapchain is replaced first. */
    pthread_t thread;
    struct waiter waiter = {p, swapchain.handle, last + 2, VK_NOT_READY};
    expect(!pthread_create(&thread, NULL, wait_in_thread, &waiter), "no thread");
    sleep_ms(20);
    show_next(p, &swapchain, &frames[FRAMES], 3,
              &(struct present_options){.fence = true, .id = last + 2});
    pthread_join(thread, NULL);
    must_be(VK_SUCCESS, waiter.result);

    waiter.id = last + 3;
    expect(!pthread_create(&thread, NULL, wait_in_thread, &waiter), "no thread");
    sleep_ms(20);
    const struct swapchain next = swapchain_create(p, NULL, flags, p->extent, swapchain.handle);
    pthread_join(thread, NULL);
    must_be(VK_ERROR_OUT_OF_DATE_KHR, waiter.result);

    uint32_t count = FRAMES + 1;
    if (lose && p->platform->lose) {
        p->platform->lose(p->window);
        frame_init(p, &frames[count]);
        const uint32_t index = acquire(p, next.handle, frames[count].acquired);
        show(p, &next, &frames[count], index, 1, &(struct present_options){.fence = true, .id = 1});
        must_be(VK_ERROR_SURFACE_LOST_KHR, wait_for_present(p, next.handle, 1, LONG_NS));
        count++;
    }
    for (uint32_t i = 0; i < count; i++) {
        wait_for(&p->gpu, frames[i].fence);
        frame_finish(p, &frames[i]);
    }
    vkDestroySwapchainKHR(device, swapchain.handle, NULL);
    vkDestroySwapchainKHR(device, next.handle, NULL);
}

/* Fences that are signalled by acquiring and presenting, seen through what others would import. */
static void test_shared_fences(const struct program *p)
{
    const VkDevice device = p->gpu.device;
    if (!p->shares_fences)
        return;
    section("fences that are shared");
    const PFN_vkGetFenceFdKHR get_fd =
        (PFN_vkGetFenceFdKHR)vkGetDeviceProcAddr(device, "vkGetFenceFdKHR");
    const PFN_vkImportFenceFdKHR import_fd =
        (PFN_vkImportFenceFdKHR)vkGetDeviceProcAddr(device, "vkImportFenceFdKHR");
    enum {
        ACQUIRED,
        PRESENTED,
        COUNT
    };
    VkFence given[COUNT], seen[COUNT];
    for (int i = 0; i < COUNT; i++) {
        const VkExternalFenceHandleTypeFlagBits type = VK_EXTERNAL_FENCE_HANDLE_TYPE_OPAQUE_FD_BIT;
        const VkExportFenceCreateInfo export = {
            .sType = VK_STRUCTURE_TYPE_EXPORT_FENCE_CREATE_INFO,
            .handleTypes = type,
        };
        int fd;
        must(vkCreateFence(device,
                           &(VkFenceCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO,
                               .pNext = &export,
                           },
                           NULL, &given[i]));
        must(get_fd(device,
                    &(VkFenceGetFdInfoKHR){
                        .sType = VK_STRUCTURE_TYPE_FENCE_GET_FD_INFO_KHR,
                        .fence = given[i],
                        .handleType = type,
                    },
                    &fd));
        seen[i] = fence_create(&p->gpu, 0);
        must(import_fd(device, &(VkImportFenceFdInfoKHR){
                                   .sType = VK_STRUCTURE_TYPE_IMPORT_FENCE_FD_INFO_KHR,
                                   .fence = seen[i],
                                   .handleType = type,
                                   .fd = fd,
                               }));
    }
    const struct swapchain swapchain = swapchain_create(p, NULL, 0, p->extent, VK_NULL_HANDLE);
    for (uint32_t number = 0; number < 6; number++) {
        struct frame frame;
        uint32_t index;
        frame_init(p, &frame);
        vkDestroyFence(device, frame.fence, NULL);
        frame.fence = given[PRESENTED];
        const VkResult acquired = vkAcquireNextImageKHR(device, swapchain.handle, LONG_NS,
                                                        frame.acquired, given[ACQUIRED], &index);
        expect(acquired == VK_SUCCESS || acquired == VK_SUBOPTIMAL_KHR, "acquire gave %s",
               result_name(acquired));
        wait_for(&p->gpu, seen[ACQUIRED]);
        must_be(VK_NOT_READY, vkGetFenceStatus(device, seen[PRESENTED]));
        const VkResult presented = show(p, &swapchain, &frame, index, number,
                                        &(const struct present_options){.fence = true});
        expect(presented == VK_SUCCESS || presented == VK_SUBOPTIMAL_KHR, "present gave %s",
               result_name(presented));
        wait_for(&p->gpu, seen[PRESENTED]);
        must(vkResetFences(device, COUNT, seen));
        must_be(VK_NOT_READY, vkGetFenceStatus(device, given[ACQUIRED]));
        frame.fence = VK_NULL_HANDLE;
        frame_finish(p, &frame);
    }
    vkDestroySwapchainKHR(device, swapchain.handle, NULL);
    for (int i = 0; i < COUNT; i++) {
        vkDestroyFence(device, given[i], NULL);
        vkDestroyFence(device, seen[i], NULL);
    }
}

/* ---- Start and end */

static void look_at_surface(struct program *p)
{
    uint32_t count = 1;
    const VkResult result =
        vkGetPhysicalDeviceSurfaceFormatsKHR(p->gpu.physical, p->surface, &count, &p->format);
    expect(count == 1 && (result == VK_SUCCESS || result == VK_INCOMPLETE), "formats: %s",
           result_name(result));
    p->mode_count = MAX_MODES;
    must(vkGetPhysicalDeviceSurfacePresentModesKHR(p->gpu.physical, p->surface, &p->mode_count,
                                                   p->modes));
}

int main(int argc, char **argv)
{
    struct program program = {.extent = {120, 90}};
    struct program *p = &program;
    /* lavapipe does not do it: the status stays as it was, and the alias is another memory. */
    const bool binds = argc == 3 && strcmp(argv[2], "--bind") == 0;
    p->platform = argc == 2 || binds ? platform_find(argv[1]) : NULL;
    if (!p->platform) {
        fprintf(stderr, "usage: swapchain xcb|xlib|wayland|headless|display [--bind]\n");
        return 2;
    }
    if (!instance_has_extension(VK_EXT_SURFACE_MAINTENANCE_1_EXTENSION_NAME)) {
        printf("swapchain: skipped, no VK_EXT_surface_maintenance1\n");
        return EXIT_SKIPPED;
    }
    const char *const instance_extensions[] = {
        VK_KHR_SURFACE_EXTENSION_NAME,
        VK_KHR_GET_SURFACE_CAPABILITIES_2_EXTENSION_NAME,
        VK_EXT_SURFACE_MAINTENANCE_1_EXTENSION_NAME,
        p->platform->surface_extension,
        p->platform->second_extension,
    };
    const char *device_extensions[10] = {
        VK_KHR_SWAPCHAIN_EXTENSION_NAME,
        VK_EXT_SWAPCHAIN_MAINTENANCE_1_EXTENSION_NAME,
    };
    VkPhysicalDevicePresentIdFeaturesKHR id_features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PRESENT_ID_FEATURES_KHR,
    };
    VkPhysicalDevicePresentWaitFeaturesKHR wait_features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PRESENT_WAIT_FEATURES_KHR,
        .pNext = &id_features,
    };
#ifdef VK_KHR_present_wait2
    VkPhysicalDevicePresentId2FeaturesKHR id2_features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PRESENT_ID_2_FEATURES_KHR,
    };
    VkPhysicalDevicePresentWait2FeaturesKHR wait2_features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PRESENT_WAIT_2_FEATURES_KHR,
        .pNext = &id2_features,
    };
#endif
    VkPhysicalDeviceSwapchainMaintenance1FeaturesEXT features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SWAPCHAIN_MAINTENANCE_1_FEATURES_EXT,
    };
    struct gpu_options gpu_options = {
        .name = "swapchain",
        .instance_extensions = instance_extensions,
        .instance_extension_count =
            ARRAY_SIZE(instance_extensions) - (p->platform->second_extension == NULL),
        .device_extensions = device_extensions,
        .device_extension_count = 2,
        .features = &features,
    };
    p->window = p->platform->create(p->extent);
    gpu_init_instance(&p->gpu, &gpu_options);
    p->surface = gpu_options.surface = p->platform->create_surface(p->window, p->gpu.instance);
    if (p->platform->extent)
        p->extent = p->platform->extent(p->window);

    uint32_t one = 1;
    const VkResult listed = vkEnumeratePhysicalDevices(p->gpu.instance, &one, &p->gpu.physical);
    expect(one == 1 && (listed == VK_SUCCESS || listed == VK_INCOMPLETE), "no device: %s",
           result_name(listed));
    p->has_wait = gpu_has_extension(p->gpu.physical, VK_KHR_PRESENT_WAIT_EXTENSION_NAME);
    if (p->has_wait) {
        features.pNext = &wait_features;
        device_extensions[gpu_options.device_extension_count++] = VK_KHR_PRESENT_ID_EXTENSION_NAME;
        device_extensions[gpu_options.device_extension_count++] =
            VK_KHR_PRESENT_WAIT_EXTENSION_NAME;
    }
#ifdef VK_KHR_present_wait2
    p->has_wait2 =
        p->has_wait && gpu_has_extension(p->gpu.physical, VK_KHR_PRESENT_WAIT_2_EXTENSION_NAME);
    if (p->has_wait2) {
        id_features.pNext = &wait2_features;
        device_extensions[gpu_options.device_extension_count++] =
            VK_KHR_PRESENT_ID_2_EXTENSION_NAME;
        device_extensions[gpu_options.device_extension_count++] =
            VK_KHR_PRESENT_WAIT_2_EXTENSION_NAME;
    }
#endif
    if (gpu_has_extension(p->gpu.physical, VK_KHR_MAINTENANCE_6_EXTENSION_NAME))
        device_extensions[gpu_options.device_extension_count++] =
            VK_KHR_MAINTENANCE_6_EXTENSION_NAME;
    p->shares_fences = gpu_has_extension(p->gpu.physical, VK_KHR_EXTERNAL_FENCE_FD_EXTENSION_NAME);
    if (p->shares_fences)
        device_extensions[gpu_options.device_extension_count++] =
            VK_KHR_EXTERNAL_FENCE_FD_EXTENSION_NAME;
    vkGetPhysicalDeviceFeatures2(p->gpu.physical,
                                 &(VkPhysicalDeviceFeatures2){
                                     .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                     .pNext = &features,
                                 });
    expect(features.swapchainMaintenance1, "the feature of the extension is not there");
    expect(!p->has_wait || (id_features.presentId && wait_features.presentWait),
           "the features of the extensions are not there");
    gpu_init_device(&p->gpu, &gpu_options);
    p->get_capabilities = (PFN_vkGetPhysicalDeviceSurfaceCapabilities2KHR)vkGetInstanceProcAddr(
        p->gpu.instance, "vkGetPhysicalDeviceSurfaceCapabilities2KHR");
    p->release = (PFN_vkReleaseSwapchainImagesEXT)vkGetDeviceProcAddr(
        p->gpu.device, "vkReleaseSwapchainImagesEXT");
    p->wait = (PFN_vkWaitForPresentKHR)vkGetDeviceProcAddr(p->gpu.device, "vkWaitForPresentKHR");
#ifdef VK_KHR_present_wait2
    expect(!p->has_wait2 || (id2_features.presentId2 && wait2_features.presentWait2),
           "the features of the later extensions are not there");
    p->wait2 = (PFN_vkWaitForPresent2KHR)vkGetDeviceProcAddr(p->gpu.device, "vkWaitForPresent2KHR");
#endif

    look_at_surface(p);
    test_fences(p);
    test_shared_fences(p);
    test_modes(p);
    test_release(p);
    if (binds) {
        test_bind(p);
        test_extents(p); /* natively a surface is lost by them */
    }
    test_scaling(p);
    p->by_wait2 = p->has_wait2;
    if (p->by_wait2)
        test_wait(p, false);
    p->by_wait2 = false;
    if (p->has_wait)
        test_wait(p, true);

    gpu_finish_device(&p->gpu);
    vkDestroySurfaceKHR(p->gpu.instance, p->surface, NULL);
    vkDestroyInstance(p->gpu.instance, NULL);
    p->platform->destroy(p->window);
    printf("swapchain: %s works\n", p->platform->name);
    return 0;
}
