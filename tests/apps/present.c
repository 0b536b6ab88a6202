/* SPDX-License-Identifier: MIT
 *
 * A program with a swapchain: shows one picture per frame number, follows its window, and finally
 * compares what the window shows with the same picture drawn off screen.
 */
#include "window.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "colour_frag.h"
#include "frame_vert.h"

enum {
    MAX_IMAGES = 16,
    FRAMES_IN_FLIGHT = 2,
};

static const struct option_name {
    const char *name;
    VkPresentModeKHR mode;
} mode_names[] = {
    {"fifo", VK_PRESENT_MODE_FIFO_KHR},
    {"mailbox", VK_PRESENT_MODE_MAILBOX_KHR},
    {"immediate", VK_PRESENT_MODE_IMMEDIATE_KHR},
    {"latest", VK_PRESENT_MODE_FIFO_LATEST_READY_EXT},
};

struct options {
    const struct platform *platform;
    uint32_t frame_count;
    VkPresentModeKHR mode;
    VkExtent2D size;
    VkExtent2D resized; /* 0: is not resized */
    bool unmaps;
    bool restless; /* every frame has another size */
    const char *shot;
    bool holds; /* the last frame, until a line can be read */
};

struct swapchain {
    VkSwapchainKHR handle;
    VkExtent2D extent;
    uint32_t image_count;
    VkImage images[MAX_IMAGES];
    VkImageView views[MAX_IMAGES];
    /* Per image and not per frame: a present is known to be over only when its image comes back. */
    VkSemaphore rendered[MAX_IMAGES];
};

struct frame {
    VkCommandBuffer commands;
    VkSemaphore acquired;
    VkFence done;
};

struct program {
    struct options options;
    struct gpu gpu;
    struct window *window;
    VkSurfaceKHR surface;
    VkSurfaceFormatKHR format;
    VkPipelineLayout layout;
    VkPipeline pipeline;
    struct swapchain swapchain;
    struct frame frames[FRAMES_IN_FLIGHT];
    VkFence acquire_fence;
    uint32_t swapchain_count;
};

static VkSemaphore create_semaphore(const struct gpu *gpu)
{
    VkSemaphore semaphore;
    must(vkCreateSemaphore(
        gpu->device, &(VkSemaphoreCreateInfo){.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO},
        NULL, &semaphore));
    return semaphore;
}

static void choose_format(struct program *p)
{
    uint32_t count = 0;
    must(vkGetPhysicalDeviceSurfaceFormatsKHR(p->gpu.physical, p->surface, &count, NULL));
    expect(count > 0, "the surface has no formats");
    VkSurfaceFormatKHR *formats = calloc(count, sizeof(*formats));
    if (count > 1) {
        uint32_t fewer = count - 1;
        must_be(VK_INCOMPLETE,
                vkGetPhysicalDeviceSurfaceFormatsKHR(p->gpu.physical, p->surface, &fewer, formats));
        expect(fewer == count - 1, "asked for %u formats, got %u", count - 1, fewer);
    }
    must(vkGetPhysicalDeviceSurfaceFormatsKHR(p->gpu.physical, p->surface, &count, formats));

    VkSurfaceFormat2KHR *formats2 = calloc(count, sizeof(*formats2));
    for (uint32_t i = 0; i < count; i++)
        formats2[i].sType = VK_STRUCTURE_TYPE_SURFACE_FORMAT_2_KHR;
    const PFN_vkGetPhysicalDeviceSurfaceFormats2KHR get_formats2 =
        (PFN_vkGetPhysicalDeviceSurfaceFormats2KHR)vkGetInstanceProcAddr(
            p->gpu.instance, "vkGetPhysicalDeviceSurfaceFormats2KHR");
    uint32_t count2 = count;
    must(get_formats2(p->gpu.physical,
                      &(VkPhysicalDeviceSurfaceInfo2KHR){
                          .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SURFACE_INFO_2_KHR,
                          .surface = p->surface,
                      },
                      &count2, formats2));
    expect(count2 == count, "%u formats by one query and %u by the other", count, count2);

    p->format = formats[0];
    for (uint32_t i = 0; i < count; i++) {
        expect(memcmp(&formats[i], &formats2[i].surfaceFormat, sizeof(formats[i])) == 0,
               "format %u differs between the two queries", i);
        if (formats[i].format == VK_FORMAT_B8G8R8A8_UNORM)
            p->format = formats[i];
    }
    free(formats2);
    free(formats);
}

static bool has_mode(const struct program *p)
{
    VkPresentModeKHR modes[16];
    uint32_t count = 0;
    must(vkGetPhysicalDeviceSurfacePresentModesKHR(p->gpu.physical, p->surface, &count, NULL));
    expect(count > 0 && count <= ARRAY_SIZE(modes), "%u present modes", count);
    if (count > 1) {
        uint32_t one = 1;
        must_be(VK_INCOMPLETE, vkGetPhysicalDeviceSurfacePresentModesKHR(p->gpu.physical,
                                                                         p->surface, &one, modes));
        expect(one == 1, "asked for one present mode, got %u", one);
    }
    count = ARRAY_SIZE(modes);
    must(vkGetPhysicalDeviceSurfacePresentModesKHR(p->gpu.physical, p->surface, &count, modes));
    bool has_fifo = false, has_wanted = false;
    for (uint32_t i = 0; i < count; i++) {
        has_fifo = has_fifo || modes[i] == VK_PRESENT_MODE_FIFO_KHR;
        has_wanted = has_wanted || modes[i] == p->options.mode;
    }
    expect(has_fifo, "FIFO, which every surface must have, is not there");
    return has_wanted;
}

static VkSurfaceCapabilitiesKHR get_capabilities(const struct program *p)
{
    VkSurfaceCapabilitiesKHR capabilities;
    must(vkGetPhysicalDeviceSurfaceCapabilitiesKHR(p->gpu.physical, p->surface, &capabilities));
    return capabilities;
}

static void check_surface(const struct program *p)
{
    const struct platform *platform = p->options.platform;
    expect(platform->can_present(p->window, &p->gpu), "the queue cannot present to its window");

    const VkSurfaceCapabilitiesKHR capabilities = get_capabilities(p);
    const VkExtent2D wanted = (platform->has_window && !platform->follows) || platform->extent
                                  ? p->options.size
                                  : (VkExtent2D){UINT32_MAX, UINT32_MAX};
    expect(capabilities.currentExtent.width == wanted.width &&
               capabilities.currentExtent.height == wanted.height,
           "the surface says %ux%u, the window has %ux%u", capabilities.currentExtent.width,
           capabilities.currentExtent.height, wanted.width, wanted.height);
    expect(capabilities.minImageCount >= 1 &&
               (capabilities.maxImageCount == 0 ||
                capabilities.maxImageCount >= capabilities.minImageCount),
           "image counts from %u to %u", capabilities.minImageCount, capabilities.maxImageCount);
    expect(capabilities.supportedUsageFlags & VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT,
           "images of the surface cannot be drawn to");

    VkSurfaceCapabilities2KHR capabilities2 = {
        .sType = VK_STRUCTURE_TYPE_SURFACE_CAPABILITIES_2_KHR,
    };
    const PFN_vkGetPhysicalDeviceSurfaceCapabilities2KHR get_capabilities2 =
        (PFN_vkGetPhysicalDeviceSurfaceCapabilities2KHR)vkGetInstanceProcAddr(
            p->gpu.instance, "vkGetPhysicalDeviceSurfaceCapabilities2KHR");
    must(get_capabilities2(p->gpu.physical,
                           &(VkPhysicalDeviceSurfaceInfo2KHR){
                               .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SURFACE_INFO_2_KHR,
                               .surface = p->surface,
                           },
                           &capabilities2));
    expect(memcmp(&capabilities, &capabilities2.surfaceCapabilities, sizeof(capabilities)) == 0,
           "the two queries of the surface's capabilities differ");

    VkDeviceGroupPresentModeFlagsKHR group_modes = 0;
    must(vkGetDeviceGroupSurfacePresentModesKHR(p->gpu.device, p->surface, &group_modes));
    expect(group_modes & VK_DEVICE_GROUP_PRESENT_MODE_LOCAL_BIT_KHR,
           "the device cannot present its own images");
}

static VkSwapchainKHR create_swapchain(struct program *p, VkExtent2D extent, VkSwapchainKHR old)
{
    const VkSurfaceCapabilitiesKHR capabilities = get_capabilities(p);
    uint32_t image_count = capabilities.minImageCount + 1;
    if (capabilities.maxImageCount && image_count > capabilities.maxImageCount)
        image_count = capabilities.maxImageCount;
    VkCompositeAlphaFlagBitsKHR alpha = VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR;
    while (!(capabilities.supportedCompositeAlpha & alpha))
        alpha <<= 1;

    VkSwapchainKHR swapchain;
    must(vkCreateSwapchainKHR(
        p->gpu.device,
        &(VkSwapchainCreateInfoKHR){
            .sType = VK_STRUCTURE_TYPE_SWAPCHAIN_CREATE_INFO_KHR,
            .surface = p->surface,
            .minImageCount = image_count,
            .imageFormat = p->format.format,
            .imageColorSpace = p->format.colorSpace,
            .imageExtent = extent,
            .imageArrayLayers = 1,
            .imageUsage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
            .imageSharingMode = VK_SHARING_MODE_EXCLUSIVE,
            .preTransform = capabilities.currentTransform,
            .compositeAlpha = alpha,
            .presentMode = p->options.mode,
            .clipped = VK_TRUE,
            .oldSwapchain = old,
        },
        NULL, &swapchain));
    p->swapchain_count++;
    return swapchain;
}

static void get_images(struct program *p, struct swapchain *swapchain)
{
    const VkDevice device = p->gpu.device;
    uint32_t count = 0;
    must(vkGetSwapchainImagesKHR(device, swapchain->handle, &count, NULL));
    expect(count >= 1 && count <= MAX_IMAGES, "the swapchain has %u images", count);
    if (count > 1) {
        uint32_t one = 1;
        VkImage images[2] = {VK_NULL_HANDLE, VK_NULL_HANDLE};
        must_be(VK_INCOMPLETE, vkGetSwapchainImagesKHR(device, swapchain->handle, &one, images));
        expect(one == 1 && images[0] != VK_NULL_HANDLE && images[1] == VK_NULL_HANDLE,
               "asked for one image, got %u", one);
    }
    swapchain->image_count = MAX_IMAGES;
    must(vkGetSwapchainImagesKHR(device, swapchain->handle, &swapchain->image_count,
                                 swapchain->images));
    expect(swapchain->image_count == count, "%u images, then %u", count, swapchain->image_count);
    VkImage again[MAX_IMAGES];
    must(vkGetSwapchainImagesKHR(device, swapchain->handle, &count, again));
    expect(memcmp(again, swapchain->images, count * sizeof(again[0])) == 0,
           "the images have other handles the second time");
}

/* Takes images until there are none, and lets the swapchain be replaced with all of them taken. */
static VkSwapchainKHR exhaust_a_swapchain(struct program *p)
{
    struct swapchain greedy = {.handle = create_swapchain(p, p->options.size, VK_NULL_HANDLE)};
    get_images(p, &greedy);
    VkFence fences[MAX_IMAGES + 1];
    bool taken[MAX_IMAGES] = {false};
    uint32_t count = 0;
    for (;;) {
        expect(count <= greedy.image_count, "more images were taken than there are");
        fences[count] = fence_create(&p->gpu, 0);
        uint32_t index = UINT32_MAX;
        const VkResult result = vkAcquireNextImageKHR(p->gpu.device, greedy.handle, 0,
                                                      VK_NULL_HANDLE, fences[count], &index);
        if (result == VK_NOT_READY)
            break;
        expect(result == VK_SUCCESS, "taking image %u with no timeout gave %s", count,
               result_name(result));
        expect(index < greedy.image_count && !taken[index], "image %u was given twice", index);
        taken[index] = true;
        must(vkWaitForFences(p->gpu.device, 1, &fences[count], VK_TRUE, LONG_NS));
        count++;
    }
    expect(count >= 1, "no image could be taken without waiting");

    /* Nothing is presented, so this one runs into its time limit. (Mesa's headless swapchains do
     * not wait.) */
    const uint64_t start = now_ns();
    uint32_t index;
    const VkResult result = vkAcquireNextImageKHR(
        p->gpu.device, greedy.handle, 30 * SECOND_NS / 1000, VK_NULL_HANDLE, fences[count], &index);
    const uint64_t waited_ms = (now_ns() - start) / 1000000;
    if (p->options.platform->has_window || result != VK_NOT_READY) {
        expect(result == VK_TIMEOUT, "acquiring from an exhausted swapchain gave %s",
               result_name(result));
        expect(waited_ms >= 25 && waited_ms < 5000, "a timeout of 30 ms took %" PRIu64 " ms",
               waited_ms);
    }
    for (uint32_t i = 0; i <= count; i++)
        vkDestroyFence(p->gpu.device, fences[i], NULL);
    return greedy.handle;
}

static void swapchain_init(struct program *p, VkExtent2D extent, VkSwapchainKHR old)
{
    struct swapchain *swapchain = &p->swapchain;
    *swapchain = (struct swapchain){
        .handle = create_swapchain(p, extent, old),
        .extent = extent,
    };
    get_images(p, swapchain);
    for (uint32_t i = 0; i < swapchain->image_count; i++) {
        must(vkCreateImageView(p->gpu.device,
                               &(VkImageViewCreateInfo){
                                   .sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                                   .image = swapchain->images[i],
                                   .viewType = VK_IMAGE_VIEW_TYPE_2D,
                                   .format = p->format.format,
                                   .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1},
                               },
                               NULL, &swapchain->views[i]));
        swapchain->rendered[i] = create_semaphore(&p->gpu);
    }
}

static void swapchain_finish(struct program *p, struct swapchain *swapchain)
{
    for (uint32_t i = 0; i < swapchain->image_count; i++) {
        vkDestroySemaphore(p->gpu.device, swapchain->rendered[i], NULL);
        vkDestroyImageView(p->gpu.device, swapchain->views[i], NULL);
    }
    vkDestroySwapchainKHR(p->gpu.device, swapchain->handle, NULL);
}

/* False while the window has no area: then there is nothing to present to. */
static bool swapchain_replace(struct program *p)
{
    VkExtent2D extent = get_capabilities(p).currentExtent;
    if (extent.width == UINT32_MAX)
        extent = p->options.size;
    if (extent.width == 0 || extent.height == 0)
        return false;
    struct swapchain old = p->swapchain;
    swapchain_init(p, extent, old.handle);
    /* The old semaphores may still be waited for by a present. */
    must(vkDeviceWaitIdle(p->gpu.device));
    swapchain_finish(p, &old);
    return true;
}

static void record_frame(const struct program *p, VkCommandBuffer commands, VkImage image,
                         VkImageView view, VkExtent2D extent, uint32_t number,
                         VkImageLayout final_layout)
{
    const VkImageSubresourceRange whole = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};
    const struct image_use drawn = {
        VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
        VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
        VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT,
    };
    /* The stage is where the submission waits for the image to be acquired. */
    image_barrier(commands, image, &whole,
                  &(struct image_use){
                      VK_IMAGE_LAYOUT_UNDEFINED,
                      VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
                      0,
                  },
                  &drawn);
    vkCmdBeginRendering(commands,
                        &(VkRenderingInfo){
                            .sType = VK_STRUCTURE_TYPE_RENDERING_INFO,
                            .renderArea = {.extent = extent},
                            .layerCount = 1,
                            .colorAttachmentCount = 1,
                            .pColorAttachments =
                                &(VkRenderingAttachmentInfo){
                                    .sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
                                    .imageView = view,
                                    .imageLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                                    .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
                                    .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
                                    .clearValue = {.color = {{
                                                       (float)(number % 16) / 32.0f,
                                                       (float)(number / 16 % 16) / 32.0f,
                                                       0.25f,
                                                       1.0f,
                                                   }}},
                                },
                        });
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, p->pipeline);
    set_viewport(commands, extent);
    vkCmdPushConstants(commands, p->layout, VK_SHADER_STAGE_VERTEX_BIT, 0, sizeof(number), &number);
    vkCmdDraw(commands, 3, 1, 0, 0);
    vkCmdEndRendering(commands);
    const bool copied = final_layout == VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL;
    image_barrier(
        commands, image, &whole, &drawn,
        &(struct image_use){
            final_layout,
            copied ? VK_PIPELINE_STAGE_TRANSFER_BIT : VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT,
            copied ? VK_ACCESS_TRANSFER_READ_BIT : 0,
        });
}

/* Every way to acquire in turn. VK_NULL_HANDLE in *wait: the image is already there. */
static VkResult acquire(struct program *p, const struct frame *frame, uint32_t number,
                        VkSemaphore *wait, uint32_t *index)
{
    const VkDevice device = p->gpu.device;
    const VkSwapchainKHR swapchain = p->swapchain.handle;
    VkResult result;
    *index = UINT32_MAX;
    *wait = frame->acquired;
    switch (number % 4) {
    case 1:
        *wait = VK_NULL_HANDLE;
        result = vkAcquireNextImageKHR(device, swapchain, LONG_NS, VK_NULL_HANDLE, p->acquire_fence,
                                       index);
        break;
    case 2:
        result = vkAcquireNextImage2KHR(device,
                                        &(VkAcquireNextImageInfoKHR){
                                            .sType = VK_STRUCTURE_TYPE_ACQUIRE_NEXT_IMAGE_INFO_KHR,
                                            .swapchain = swapchain,
                                            .timeout = LONG_NS,
                                            .semaphore = frame->acquired,
                                            .deviceMask = 1,
                                        },
                                        index);
        break;
    case 3:
        result = vkAcquireNextImageKHR(device, swapchain, LONG_NS, frame->acquired,
                                       p->acquire_fence, index);
        break;
    default:
        result = vkAcquireNextImageKHR(device, swapchain, UINT64_MAX, frame->acquired,
                                       VK_NULL_HANDLE, index);
        break;
    }
    if (result != VK_SUCCESS && result != VK_SUBOPTIMAL_KHR)
        return result;
    if (number % 4 == 1 || number % 4 == 3) {
        must(vkWaitForFences(device, 1, &p->acquire_fence, VK_TRUE, LONG_NS));
        must(vkResetFences(device, 1, &p->acquire_fence));
    }
    expect(*index < p->swapchain.image_count, "image index %u of %u", *index,
           p->swapchain.image_count);
    return result;
}

/* True when the swapchain should be replaced before the next frame. */
static bool show_frame(struct program *p, uint32_t number)
{
    struct frame *frame = &p->frames[number % FRAMES_IN_FLIGHT];
    must(vkWaitForFences(p->gpu.device, 1, &frame->done, VK_TRUE, LONG_NS));

    VkSemaphore wait;
    uint32_t index;
    VkResult acquired = acquire(p, frame, number, &wait, &index);
    while (acquired == VK_ERROR_OUT_OF_DATE_KHR) {
        if (!swapchain_replace(p))
            return true;
        acquired = acquire(p, frame, number, &wait, &index);
    }
    expect(acquired == VK_SUCCESS || acquired == VK_SUBOPTIMAL_KHR, "frame %u: acquire gave %s",
           number, result_name(acquired));

    must(vkResetFences(p->gpu.device, 1, &frame->done));
    must(vkBeginCommandBuffer(frame->commands,
                              &(VkCommandBufferBeginInfo){
                                  .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                  .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
                              }));
    record_frame(p, frame->commands, p->swapchain.images[index], p->swapchain.views[index],
                 p->swapchain.extent, number, VK_IMAGE_LAYOUT_PRESENT_SRC_KHR);
    commands_end(frame->commands);
    must(vkQueueSubmit(p->gpu.queue, 1,
                       &(VkSubmitInfo){
                           .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                           .waitSemaphoreCount = wait != VK_NULL_HANDLE,
                           .pWaitSemaphores = &wait,
                           .pWaitDstStageMask =
                               &(const VkPipelineStageFlags){
                                   VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
                               },
                           .commandBufferCount = 1,
                           .pCommandBuffers = &frame->commands,
                           .signalSemaphoreCount = 1,
                           .pSignalSemaphores = &p->swapchain.rendered[index],
                       },
                       frame->done));

    /* pResults is optional: given in every other frame. */
    VkResult detail = VK_RESULT_MAX_ENUM;
    const VkResult presented =
        vkQueuePresentKHR(p->gpu.queue, &(VkPresentInfoKHR){
                                            .sType = VK_STRUCTURE_TYPE_PRESENT_INFO_KHR,
                                            .waitSemaphoreCount = 1,
                                            .pWaitSemaphores = &p->swapchain.rendered[index],
                                            .swapchainCount = 1,
                                            .pSwapchains = &p->swapchain.handle,
                                            .pImageIndices = &index,
                                            .pResults = number % 2 ? &detail : NULL,
                                        });
    expect(presented == VK_SUCCESS || presented == VK_SUBOPTIMAL_KHR ||
               presented == VK_ERROR_OUT_OF_DATE_KHR,
           "frame %u: present gave %s", number, result_name(presented));
    expect(!(number % 2) || detail == presented, "frame %u: %s in pResults, %s returned", number,
           result_name(detail), result_name(presented));
    return acquired != VK_SUCCESS || presented != VK_SUCCESS;
}

static void draw_off_screen(const struct program *p, struct picture *picture, uint32_t number)
{
    struct image image;
    image_init(&p->gpu, &image,
               &(struct image_options){
                   .format = p->format.format,
                   .extent = p->swapchain.extent,
                   .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
               });
    const VkCommandBuffer commands = commands_begin(&p->gpu);
    record_frame(p, commands, image.handle, image.view, image.extent, number,
                 VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL);
    commands_finish(&p->gpu, commands);
    picture_init_from_image(&p->gpu, picture, image.handle, image.format, image.extent);
    image_finish(&p->gpu, &image);
}

/* A presented image belongs to the window system; only one that was acquired again, and not drawn
 * to yet, may be read, and its content is then undefined. So without a window the picture is
 * drawn into an acquired image that is then read instead of presented. */
static void draw_into_swapchain(struct program *p, struct picture *picture, uint32_t number)
{
    uint32_t index;
    must(vkAcquireNextImageKHR(p->gpu.device, p->swapchain.handle, LONG_NS, VK_NULL_HANDLE,
                               p->acquire_fence, &index));
    must(vkWaitForFences(p->gpu.device, 1, &p->acquire_fence, VK_TRUE, LONG_NS));
    const VkCommandBuffer commands = commands_begin(&p->gpu);
    record_frame(p, commands, p->swapchain.images[index], p->swapchain.views[index],
                 p->swapchain.extent, number, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL);
    commands_finish(&p->gpu, commands);
    picture_init_from_image(&p->gpu, picture, p->swapchain.images[index], p->format.format,
                            p->swapchain.extent);
}

static void check_picture(struct program *p)
{
    const uint32_t last = p->options.frame_count - 1;
    struct picture wanted, shown = {0};
    draw_off_screen(p, &wanted, last);
    expect(picture_count_colours(&wanted, 64) >= 24, "the frame has too few colours");

    /* A present is over some time after the call, and nothing says when. */
    const uint64_t deadline = now_ns() + 10 * SECOND_NS;
    for (;;) {
        picture_finish(&shown);
        if (p->options.platform->has_window)
            p->options.platform->take_picture(p->window, &shown);
        else
            draw_into_swapchain(p, &shown, last);
        if (picture_equal(&wanted, &shown))
            break;
        if (!p->options.platform->has_window || now_ns() > deadline) {
            if (p->options.shot)
                picture_write(&shown, p->options.shot);
            fail(__FILE__, __LINE__, "what is shown (%ux%u) is not frame %u as drawn (%ux%u)",
                 shown.width, shown.height, last, wanted.width, wanted.height);
        }
        sleep_ms(20);
    }
    if (p->options.shot)
        picture_write(&shown, p->options.shot);
    printf("present: %s shows frame %u, %ux%u, checksum %016" PRIx64 "\n",
           p->options.platform->name, last, shown.width, shown.height, picture_checksum(&shown));
    picture_finish(&shown);
    picture_finish(&wanted);
}

static void resize(struct program *p, VkExtent2D extent)
{
    p->options.platform->resize(p->window, extent);
    p->options.size = extent;
    /* Elsewhere the swapchain says that it is outdated. */
    if (p->options.platform->follows)
        swapchain_replace(p);
}

static void run_frames(struct program *p)
{
    const struct options *options = &p->options;
    const uint32_t unmap_at = options->frame_count / 4;
    const uint32_t map_at = options->frame_count / 3;
    const uint32_t resize_at = options->frame_count / 2;
    for (uint32_t number = 0; number < options->frame_count; number++) {
        if (options->unmaps && (number == unmap_at || number == map_at))
            options->platform->set_mapped(p->window, number == map_at);
        if (options->resized.width && number == resize_at)
            resize(p, options->resized);
        if (options->restless)
            resize(p, (VkExtent2D){100 + number * 13 % 97, 80 + number * 29 % 89});
        if (show_frame(p, number))
            swapchain_replace(p);
    }
    const VkExtent2D wanted = options->size;
    expect(p->swapchain.extent.width == wanted.width && p->swapchain.extent.height == wanted.height,
           "nothing said that the window changed its size");
}

static int parse_size(const char *text, VkExtent2D *extent)
{
    return sscanf(text, "%ux%u", &extent->width, &extent->height) == 2 && extent->width &&
           extent->height;
}

static bool parse_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"frames", required_argument, NULL, 'f'},
        {"mode", required_argument, NULL, 'm'},
        {"size", required_argument, NULL, 's'},
        {"resize", required_argument, NULL, 'r'},
        {"unmap", no_argument, NULL, 'u'},
        {"shot", required_argument, NULL, 'o'},
        {"hold", no_argument, NULL, 'h'},
        {"restless", no_argument, NULL, 'R'},
        {0},
    };
    *options = (struct options){
        .frame_count = 60,
        .mode = VK_PRESENT_MODE_FIFO_KHR,
        .size = {256, 256},
    };
    for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        bool valid = false;
        switch (option) {
        case 'f':
            options->frame_count = (uint32_t)strtoul(optarg, NULL, 10);
            valid = options->frame_count > 0;
            break;
        case 'm':
            for (size_t i = 0; i < ARRAY_SIZE(mode_names); i++) {
                if (strcmp(optarg, mode_names[i].name) == 0) {
                    options->mode = mode_names[i].mode;
                    valid = true;
                }
            }
            break;
        case 's':
            valid = parse_size(optarg, &options->size);
            break;
        case 'r':
            valid = parse_size(optarg, &options->resized);
            break;
        case 'u':
            options->unmaps = valid = true;
            break;
        case 'R':
            options->restless = valid = true;
            break;
        case 'o':
            options->shot = optarg;
            valid = true;
            break;
        case 'h':
            options->holds = valid = true;
            break;
        }
        if (!valid)
            return false;
    }
    if (optind + 1 != argc)
        return false;
    options->platform = platform_find(argv[optind]);
    return options->platform &&
           (options->platform->has_window ||
            (!options->unmaps && !options->resized.width && !options->restless));
}

int main(int argc, char **argv)
{
    struct program program = {0};
    struct program *p = &program;
    if (!parse_options(argc, argv, &p->options)) {
        fprintf(stderr,
                "usage: present xcb|xlib|wayland|headless|display [--frames N] [--size WxH]\n"
                "       [--mode fifo|mailbox|immediate|latest] [--resize WxH]\n"
                "       [--restless] [--unmap] [--shot OUT.png] [--hold]\n");
        return 2;
    }
    const struct platform *platform = p->options.platform;

    const char *const instance_extensions[] = {
        VK_KHR_SURFACE_EXTENSION_NAME,
        VK_KHR_GET_SURFACE_CAPABILITIES_2_EXTENSION_NAME,
        platform->surface_extension,
        platform->second_extension,
    };
    /* Of one mode the device must be told. */
    const bool latest = p->options.mode == VK_PRESENT_MODE_FIFO_LATEST_READY_EXT;
    VkPhysicalDevicePresentModeFifoLatestReadyFeaturesEXT latest_ready = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PRESENT_MODE_FIFO_LATEST_READY_FEATURES_EXT,
        .presentModeFifoLatestReady = VK_TRUE,
    };
    struct gpu_options gpu_options = {
        .name = "present",
        .instance_extensions = instance_extensions,
        .instance_extension_count =
            ARRAY_SIZE(instance_extensions) - (platform->second_extension == NULL),
        .device_extensions =
            (const char *const[]){VK_KHR_SWAPCHAIN_EXTENSION_NAME,
                                  VK_EXT_PRESENT_MODE_FIFO_LATEST_READY_EXTENSION_NAME},
        .device_extension_count = latest ? 2 : 1,
        .features =
            &(VkPhysicalDeviceVulkan13Features){
                .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
                .pNext = latest ? &latest_ready : NULL,
                .dynamicRendering = VK_TRUE,
            },
    };
    p->window = platform->create(p->options.size);
    gpu_init_instance(&p->gpu, &gpu_options);
    p->surface = gpu_options.surface = platform->create_surface(p->window, p->gpu.instance);
    if (platform->extent)
        p->options.size = platform->extent(p->window);
    uint32_t one = 1;
    vkEnumeratePhysicalDevices(p->gpu.instance, &one, &p->gpu.physical);
    if (latest &&
        !gpu_has_extension(p->gpu.physical, VK_EXT_PRESENT_MODE_FIFO_LATEST_READY_EXTENSION_NAME)) {
        printf("present: skipped, no VK_EXT_present_mode_fifo_latest_ready\n");
        return EXIT_SKIPPED;
    }
    gpu_init_device(&p->gpu, &gpu_options);

    int status = 0;
    if (!has_mode(p)) {
        printf("present: skipped, the surface does not have this present mode\n");
        status = EXIT_SKIPPED;
        goto destroy_surface;
    }
    check_surface(p);
    choose_format(p);
    must(vkCreatePipelineLayout(p->gpu.device,
                                &(VkPipelineLayoutCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                    .pushConstantRangeCount = 1,
                                    .pPushConstantRanges =
                                        &(VkPushConstantRange){
                                            .stageFlags = VK_SHADER_STAGE_VERTEX_BIT,
                                            .size = sizeof(uint32_t),
                                        },
                                },
                                NULL, &p->layout));
    p->pipeline =
        graphics_pipeline_init(&p->gpu, &(struct graphics_options){
                                            .layout = p->layout,
                                            .vertex = {frame_vert, sizeof(frame_vert)},
                                            .fragment = {colour_frag, sizeof(colour_frag)},
                                            .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST,
                                            .colour_format = p->format.format,
                                        });
    p->acquire_fence = fence_create(&p->gpu, 0);
    for (size_t i = 0; i < FRAMES_IN_FLIGHT; i++) {
        struct frame *frame = &p->frames[i];
        must(vkAllocateCommandBuffers(p->gpu.device,
                                      &(VkCommandBufferAllocateInfo){
                                          .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                          .commandPool = p->gpu.pool,
                                          .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                          .commandBufferCount = 1,
                                      },
                                      &frame->commands));
        frame->acquired = create_semaphore(&p->gpu);
        frame->done = fence_create(&p->gpu, VK_FENCE_CREATE_SIGNALED_BIT);
    }

    const VkSwapchainKHR greedy = exhaust_a_swapchain(p);
    swapchain_init(p, p->options.size, greedy);
    vkDestroySwapchainKHR(p->gpu.device, greedy, NULL);
    run_frames(p);
    printf("present: %u frames, %u swapchains\n", p->options.frame_count, p->swapchain_count);
    if (p->options.holds) {
        printf("present: shown\n");
        fflush(stdout);
        getchar();
    }
    check_picture(p);

    must(vkDeviceWaitIdle(p->gpu.device));
    swapchain_finish(p, &p->swapchain);
    for (size_t i = 0; i < FRAMES_IN_FLIGHT; i++) {
        vkDestroyFence(p->gpu.device, p->frames[i].done, NULL);
        vkDestroySemaphore(p->gpu.device, p->frames[i].acquired, NULL);
    }
    vkDestroyFence(p->gpu.device, p->acquire_fence, NULL);
    vkDestroyPipeline(p->gpu.device, p->pipeline, NULL);
    vkDestroyPipelineLayout(p->gpu.device, p->layout, NULL);
destroy_surface:
    gpu_finish_device(&p->gpu);
    vkDestroySurfaceKHR(p->gpu.instance, p->surface, NULL);
    vkDestroyInstance(p->gpu.instance, NULL);
    platform->destroy(p->window);
    return status;
}
