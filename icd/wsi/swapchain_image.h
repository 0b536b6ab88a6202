/* SPDX-License-Identifier: MIT
 *
 * The images of a swapchain, and how their pixels come to where the window system can read them.
 */
#ifndef VIADUCT_ICD_WSI_SWAPCHAIN_IMAGE_H
#define VIADUCT_ICD_WSI_SWAPCHAIN_IMAGE_H

#include "protocol/vk.h"

#include "icd/device.h"
#include "presenter.h"

enum vdc_image_way {
    VDC_IMAGE_UNSEEN, /* nobody looks at the pixels */
    VDC_IMAGE_DIRECT, /* the image is linear and lies in shared memory itself */
    VDC_IMAGE_COPIED, /* the host copies it to a buffer in shared memory when it is presented */
};

struct vdc_swapchain_image {
    VkImage image;
    VkDeviceMemory memory;
    VkBuffer buffer; /* copied */
    VkDeviceMemory buffer_memory;
    VkCommandBuffer *copies; /* one per queue family; NULL until one of its queues presents */
    struct vdc_pixels pixels;
};

/* What is the same for all images of a swapchain. */
struct vdc_swapchain_images {
    struct vdc_device *device;
    enum vdc_image_way way;
    bool own_files;         /* see presenter.h */
    uint32_t pixel_size;    /* bytes */
    VkImageCreateInfo info; /* its pointers are owned */
    VkImageFormatListCreateInfo formats;
    VkCommandPool *pools; /* one per queue family; NULL until one of its queues presents */
    uint32_t family_count;
    uint32_t count;
    struct vdc_swapchain_image *images;
};

/* Creates minImageCount images, in the best way that the device and the presenter allow. On
 * failure there is nothing to finish. */
VkResult vdc_swapchain_images_init(struct vdc_swapchain_images *images, struct vdc_device *device,
                                   const VkSwapchainCreateInfoKHR *info,
                                   const struct vdc_presenter *presenter);
void vdc_swapchain_images_finish(struct vdc_swapchain_images *images);

/* One more image with the same parameters, without memory. */
VkResult vdc_swapchain_images_alias(const struct vdc_swapchain_images *images, VkImage *image);

/* The commands that make the pixels readable, to be run on this family's queues once the image has
 * been drawn: a NULL handle where there is nothing to do. */
VkResult vdc_swapchain_image_copy(struct vdc_swapchain_images *images, uint32_t index,
                                  uint32_t family, VkCommandBuffer *commands);

#endif
