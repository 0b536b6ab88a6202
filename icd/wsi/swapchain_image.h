/* SPDX-License-Identifier: MIT
 *
 * The images of a swapchain, and how their pixels come to where the window system can read them.
 */
#ifndef VIADUCT_ICD_WSI_SWAPCHAIN_IMAGE_H
#define VIADUCT_ICD_WSI_SWAPCHAIN_IMAGE_H

#include "protocol/vk.h"

#include "icd/device.h"
#include "presenter.h"

enum vd_image_way {
    VD_IMAGE_UNSEEN, /* nobody looks at the pixels */
    VD_IMAGE_DIRECT, /* the image is linear and lies in shared memory itself */
    VD_IMAGE_COPIED, /* the host copies it to a buffer in shared memory when it is presented */
};

struct vd_swapchain_image {
    VkImage image;
    VkDeviceMemory memory;
    VkBuffer buffer; /* copied */
    VkDeviceMemory buffer_memory;
    VkCommandBuffer *copies; /* one per queue family; NULL until one of its queues presents */
    struct vd_pixels pixels;
};

/* What is the same for all images of a swapchain. */
struct vd_swapchain_images {
    struct vd_device *device;
    enum vd_image_way way;
    uint32_t pixel_size;    /* bytes */
    VkImageCreateInfo info; /* its pointers are owned */
    VkImageFormatListCreateInfo formats;
    VkCommandPool *pools; /* one per queue family; NULL until one of its queues presents */
    uint32_t family_count;
    uint32_t count;
    struct vd_swapchain_image *images;
};

/* Creates minImageCount images, in the best way that the device and the presenter allow. On
 * failure there is nothing to finish. */
VkResult vd_swapchain_images_init(struct vd_swapchain_images *images, struct vd_device *device,
                                  const VkSwapchainCreateInfoKHR *info,
                                  const struct vd_presenter *presenter);
void vd_swapchain_images_finish(struct vd_swapchain_images *images);

/* One more image with the same parameters, without memory. */
VkResult vd_swapchain_images_alias(const struct vd_swapchain_images *images, VkImage *image);

/* The commands that make the pixels readable, to be run on this family's queues once the image has
 * been drawn: a NULL handle where there is nothing to do. */
VkResult vd_swapchain_image_copy(struct vd_swapchain_images *images, uint32_t index,
                                 uint32_t family, VkCommandBuffer *commands);

#endif
