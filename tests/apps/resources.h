/* SPDX-License-Identifier: MIT
 *
 * Memory chosen by the rules of the specification, buffers and images.
 */
#ifndef TESTS_RESOURCES_H
#define TESTS_RESOURCES_H

#include "gpu.h"

/* The lowest type in bits that has all of required and preferred, or else the
 * lowest that has all of required: types are sorted by the implementation so
 * that the first match is the best. UINT32_MAX when there is none. */
uint32_t find_memory_type(const struct gpu *gpu, uint32_t bits, VkMemoryPropertyFlags required,
                          VkMemoryPropertyFlags preferred);
VkDeviceMemory allocate_of_type(const struct gpu *gpu, uint32_t type, VkDeviceSize size);
VkDeviceMemory allocate(const struct gpu *gpu, const VkMemoryRequirements *requirements,
                        VkMemoryPropertyFlags required, VkMemoryPropertyFlags preferred);

struct buffer {
    VkBuffer handle;
    VkDeviceMemory memory;
    VkDeviceSize size;
    void *map; /* whole buffer; NULL when it was made by buffer_init_device */
};

/* Host-visible and coherent, mapped for as long as it lives. */
void buffer_init_host(const struct gpu *gpu, struct buffer *buffer, VkDeviceSize size,
                      VkBufferUsageFlags usage);
void buffer_init_device(const struct gpu *gpu, struct buffer *buffer, VkDeviceSize size,
                        VkBufferUsageFlags usage);
/* Host-visible and coherent, mapped, and known to shaders by its address, which is returned. */
VkDeviceAddress buffer_init_addressed(const struct gpu *gpu, struct buffer *buffer,
                                      VkDeviceSize size, VkBufferUsageFlags usage);
void buffer_finish(const struct gpu *gpu, struct buffer *buffer);

struct image {
    VkImage handle;
    VkDeviceMemory memory;
    VkImageView view;
    VkFormat format;
    VkExtent2D extent;
    uint32_t levels;
};

struct image_options {
    VkFormat format;
    VkExtent2D extent;
    uint32_t levels;               /* 0: one */
    VkSampleCountFlagBits samples; /* 0: one */
    VkImageUsageFlags usage;
};

void image_init(const struct gpu *gpu, struct image *image, const struct image_options *options);
void image_finish(const struct gpu *gpu, struct image *image);
VkImageAspectFlags format_aspects(VkFormat format);

#endif
