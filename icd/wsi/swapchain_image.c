/* SPDX-License-Identifier: MIT */
#include "swapchain_image.h"

#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "entrypoints.h"
#include "icd/chain.h"
#include "icd/device_memory.h"
#include "icd/shm_pool.h"
#include "options.h"

static const VkImageSubresourceRange whole = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};

static void *duplicate(const void *from, size_t size)
{
    void *copy = malloc(size);
    return copy ? memcpy(copy, from, size) : NULL;
}

static uint32_t at_least_one(uint32_t length)
{
    return length ? length : 1;
}

/* The image that the swapchain's parameters ask for; see vkCreateSwapchainKHR. It is kept, because
 * the application may make more of them. No device has images without an area: where that is asked
 * for, the smallest one stands in, and is never shown. */
static VkResult describe(struct vdc_swapchain_images *images, const VkSwapchainCreateInfoKHR *info)
{
    images->info = (VkImageCreateInfo){
        .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
        .imageType = VK_IMAGE_TYPE_2D,
        .format = info->imageFormat,
        .extent = {at_least_one(info->imageExtent.width), at_least_one(info->imageExtent.height),
                   1},
        .mipLevels = 1,
        .arrayLayers = info->imageArrayLayers,
        .samples = VK_SAMPLE_COUNT_1_BIT,
        .tiling = VK_IMAGE_TILING_OPTIMAL,
        .usage = info->imageUsage,
        .sharingMode = info->imageSharingMode,
        .initialLayout = VK_IMAGE_LAYOUT_UNDEFINED,
    };
    if (info->imageSharingMode == VK_SHARING_MODE_CONCURRENT) {
        images->info.pQueueFamilyIndices =
            duplicate(info->pQueueFamilyIndices,
                      info->queueFamilyIndexCount * sizeof(*info->pQueueFamilyIndices));
        if (!images->info.pQueueFamilyIndices)
            return VK_ERROR_OUT_OF_HOST_MEMORY;
        images->info.queueFamilyIndexCount = info->queueFamilyIndexCount;
    }
    if (info->flags & VK_SWAPCHAIN_CREATE_MUTABLE_FORMAT_BIT_KHR) {
        images->info.flags |=
            VK_IMAGE_CREATE_MUTABLE_FORMAT_BIT | VK_IMAGE_CREATE_EXTENDED_USAGE_BIT;
        const VkImageFormatListCreateInfo *list =
            vd_chain_find(info->pNext, VK_STRUCTURE_TYPE_IMAGE_FORMAT_LIST_CREATE_INFO);
        if (list && list->viewFormatCount) {
            images->formats = (VkImageFormatListCreateInfo){
                .sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_LIST_CREATE_INFO,
                .viewFormatCount = list->viewFormatCount,
                .pViewFormats = duplicate(list->pViewFormats,
                                          list->viewFormatCount * sizeof(*list->pViewFormats)),
            };
            if (!images->formats.pViewFormats)
                return VK_ERROR_OUT_OF_HOST_MEMORY;
            images->info.pNext = &images->formats;
        }
    }
    return VK_SUCCESS;
}

/* Whether the host's device has such images, of some size: surfaces say which sizes are right, and
 * drivers take more than that. */
static bool exists(const struct vdc_swapchain_images *images, VkImageTiling tiling,
                   VkImageFormatProperties *limits)
{
    const VkImageCreateInfo *info = &images->info;
    VkImageFormatProperties2 properties = {.sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2};
    const VkResult result = vdc_vkGetPhysicalDeviceImageFormatProperties2(
        (VkPhysicalDevice)images->device->physical_device,
        &(const VkPhysicalDeviceImageFormatInfo2){
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
            .pNext = info->pNext,
            .format = info->format,
            .type = info->imageType,
            .tiling = tiling,
            .usage = info->usage,
            .flags = info->flags,
        },
        &properties);
    *limits = properties.imageFormatProperties;
    return result == VK_SUCCESS && info->arrayLayers <= limits->maxArrayLayers;
}

/* A GPU draws to linear memory of the client much slower than it copies to it once. A CPU has no
 * tiling, and no memory of its own. The application, which was told about optimal tiling, must not
 * notice a difference. */
static bool direct_wanted(const struct vdc_swapchain_images *images)
{
    struct vdc_physical_device *pd = images->device->physical_device;
    const unsigned options = vdc_wsi_options();
    if (options & VDC_WSI_COPY ||
        (pd->properties.deviceType != VK_PHYSICAL_DEVICE_TYPE_CPU && !(options & VDC_WSI_DIRECT)))
        return false;
    VkFormatProperties properties;
    vdc_vkGetPhysicalDeviceFormatProperties((VkPhysicalDevice)pd, images->info.format, &properties);
    VkImageFormatProperties limits;
    return !(properties.optimalTilingFeatures & ~properties.linearTilingFeatures) &&
           exists(images, VK_IMAGE_TILING_LINEAR, &limits) &&
           images->info.extent.width <= limits.maxExtent.width &&
           images->info.extent.height <= limits.maxExtent.height;
}

/* Of the allowed types, the first with all of `wanted`; -1: there is none. */
static int find_type(const struct vdc_physical_device *pd, uint32_t allowed,
                     VkMemoryPropertyFlags wanted)
{
    for (uint32_t i = 0; i < pd->memory.memoryTypeCount; i++)
        if (allowed & (1u << i) && (pd->memory.memoryTypes[i].propertyFlags & wanted) == wanted)
            return (int)i;
    return -1;
}

/* Memory that client, window system and host share, the cached kind if there is one: it is read
 * more than once. */
static int find_shared_type(const struct vdc_physical_device *pd, uint32_t allowed)
{
    const VkMemoryPropertyFlags shared =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    const int type = find_type(pd, allowed, shared | VK_MEMORY_PROPERTY_HOST_CACHED_BIT);
    return type >= 0 ? type : find_type(pd, allowed, shared);
}

/* `seen`: the window system looks at it. */
static VkResult allocate(const struct vdc_swapchain_images *images, uint64_t size, int type,
                         bool seen, VkDeviceMemory *memory)
{
    return vdc_vkAllocateMemory((VkDevice)images->device,
                                &(const VkMemoryAllocateInfo){
                                    .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                    .pNext = !seen               ? NULL
                                             : images->own_files ? &vdc_own_file
                                                                 : &vdc_shown_memory,
                                    .allocationSize = size,
                                    .memoryTypeIndex = (uint32_t)type,
                                },
                                NULL, memory);
}

/* Creates and binds the image; what was created before a failure is the caller's to destroy. For
 * a direct image, `presenter` must like the result: VK_ERROR_FEATURE_NOT_PRESENT if not. */
static VkResult image_init(const struct vdc_swapchain_images *images,
                           struct vdc_swapchain_image *image, const struct vdc_presenter *presenter)
{
    struct vdc_device *device = images->device;
    const struct vdc_physical_device *pd = device->physical_device;
    const bool direct = images->way == VDC_IMAGE_DIRECT;
    VkResult result = vdc_vkCreateImage((VkDevice)device, &images->info, NULL, &image->image);
    if (result != VK_SUCCESS)
        return result;
    VkMemoryRequirements needs;
    vdc_vkGetImageMemoryRequirements((VkDevice)device, image->image, &needs);
    uint64_t size = needs.size;
    int type;
    if (direct) {
        VkSubresourceLayout layout = {0};
        vdc_call_vkGetImageSubresourceLayout(
            (VkDevice)device, image->image,
            &(const VkImageSubresource){.aspectMask = VK_IMAGE_ASPECT_COLOR_BIT}, &layout);
        if (layout.rowPitch > UINT32_MAX ||
            !presenter->ops->takes_pitch(presenter, layout.rowPitch))
            return VK_ERROR_FEATURE_NOT_PRESENT;
        image->pixels.offset = layout.offset;
        image->pixels.pitch = (uint32_t)layout.rowPitch;
        /* The reader takes whole rows, the last one included. */
        const uint64_t rows = layout.offset + layout.rowPitch * images->info.extent.height;
        size = size < rows ? rows : size;
        type = find_shared_type(pd, needs.memoryTypeBits);
        if (type < 0)
            return VK_ERROR_FEATURE_NOT_PRESENT;
    } else {
        type = find_type(pd, needs.memoryTypeBits, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
        if (type < 0)
            type = find_type(pd, needs.memoryTypeBits, 0);
        if (type < 0)
            return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    }
    result = allocate(images, size, type, direct, &image->memory);
    if (result == VK_SUCCESS)
        result = vdc_call_vkBindImageMemory((VkDevice)device, image->image, image->memory, 0);
    if (direct && result == VK_SUCCESS) {
        image->pixels.part = vdc_device_memory_part(device, image->memory);
        if (!image->pixels.part)
            return VK_ERROR_FEATURE_NOT_PRESENT;
    }
    return result;
}

/* Rows at multiples of 4 bytes, one behind the other. */
static VkResult buffer_init(const struct vdc_swapchain_images *images,
                            struct vdc_swapchain_image *image)
{
    struct vdc_device *device = images->device;
    const uint64_t pitch = vdc_row_size(images->info.extent.width, images->pixel_size);
    if (pitch > UINT32_MAX)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    image->pixels.pitch = (uint32_t)pitch;
    const uint64_t size = (uint64_t)image->pixels.pitch * images->info.extent.height;
    VkResult result = vdc_vkCreateBuffer((VkDevice)device,
                                         &(const VkBufferCreateInfo){
                                             .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                             .size = size,
                                             .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                                         },
                                         NULL, &image->buffer);
    if (result != VK_SUCCESS)
        return result;
    VkMemoryRequirements needs;
    vdc_vkGetBufferMemoryRequirements((VkDevice)device, image->buffer, &needs);
    const int type = find_shared_type(device->physical_device, needs.memoryTypeBits);
    if (type < 0)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    result = allocate(images, needs.size, type, true, &image->buffer_memory);
    if (result == VK_SUCCESS)
        result =
            vdc_call_vkBindBufferMemory((VkDevice)device, image->buffer, image->buffer_memory, 0);
    if (result == VK_SUCCESS) {
        image->pixels.part = vdc_device_memory_part(device, image->buffer_memory);
        if (!image->pixels.part)
            result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    }
    if (result == VK_SUCCESS) {
        image->copies = calloc(images->family_count, sizeof(*image->copies));
        if (!image->copies)
            result = VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    return result;
}

static void image_finish(const struct vdc_swapchain_images *images,
                         struct vdc_swapchain_image *image)
{
    VkDevice device = (VkDevice)images->device;
    if (image->image)
        vdc_vkDestroyImage(device, image->image, NULL);
    if (image->memory)
        vdc_vkFreeMemory(device, image->memory, NULL);
    if (image->buffer)
        vdc_call_vkDestroyBuffer(device, image->buffer, NULL);
    if (image->buffer_memory)
        vdc_vkFreeMemory(device, image->buffer_memory, NULL);
    free(image->copies);
    *image = (struct vdc_swapchain_image){0};
}

static VkResult fill(struct vdc_swapchain_images *images, uint32_t count,
                     const struct vdc_presenter *presenter)
{
    VkResult result = VK_SUCCESS;
    for (images->count = 0; images->count < count && result == VK_SUCCESS; images->count++) {
        struct vdc_swapchain_image *image = &images->images[images->count];
        result = image_init(images, image, presenter);
        if (result == VK_SUCCESS && images->way == VDC_IMAGE_COPIED)
            result = buffer_init(images, image);
    }
    if (result != VK_SUCCESS)
        while (images->count)
            image_finish(images, &images->images[--images->count]);
    return result;
}

VkResult vdc_swapchain_images_init(struct vdc_swapchain_images *images, struct vdc_device *device,
                                   const VkSwapchainCreateInfoKHR *info,
                                   const struct vdc_presenter *presenter)
{
    *images = (struct vdc_swapchain_images){
        .device = device,
        .own_files = presenter->ops->own_files,
        /* No surface offers others. */
        .pixel_size = info->imageFormat == VK_FORMAT_R5G6B5_UNORM_PACK16 ? 2 : 4,
        .family_count = device->physical_device->data->queue_family_count,
    };
    images->pools = calloc(images->family_count, sizeof(*images->pools));
    images->images = calloc(info->minImageCount, sizeof(*images->images));
    VkResult result =
        images->pools && images->images ? describe(images, info) : VK_ERROR_OUT_OF_HOST_MEMORY;
    if (result != VK_SUCCESS)
        goto finish;

    const bool seen = presenter->ops->takes_pitch;
    if (seen && direct_wanted(images)) {
        images->way = VDC_IMAGE_DIRECT;
        images->info.tiling = VK_IMAGE_TILING_LINEAR;
        result = fill(images, info->minImageCount, presenter);
        if (result != VK_ERROR_FEATURE_NOT_PRESENT)
            goto finish;
        images->info.tiling = VK_IMAGE_TILING_OPTIMAL;
    }
    images->way = seen ? VDC_IMAGE_COPIED : VDC_IMAGE_UNSEEN;
    if (seen)
        images->info.usage |= VK_IMAGE_USAGE_TRANSFER_SRC_BIT;
    VkImageFormatProperties limits;
    result = exists(images, VK_IMAGE_TILING_OPTIMAL, &limits)
                 ? fill(images, info->minImageCount, presenter)
                 : VK_ERROR_INITIALIZATION_FAILED;
finish:
    if (result != VK_SUCCESS)
        vdc_swapchain_images_finish(images);
    return result;
}

void vdc_swapchain_images_finish(struct vdc_swapchain_images *images)
{
    for (uint32_t i = 0; i < images->family_count && images->pools; i++)
        if (images->pools[i])
            vdc_vkDestroyCommandPool((VkDevice)images->device, images->pools[i], NULL);
    while (images->count)
        image_finish(images, &images->images[--images->count]);
    free(images->images);
    free(images->pools);
    free((void *)images->info.pQueueFamilyIndices);
    free((void *)images->formats.pViewFormats);
}

VkResult vdc_swapchain_images_alias(const struct vdc_swapchain_images *images, VkImage *image)
{
    return vdc_vkCreateImage((VkDevice)images->device, &images->info, NULL, image);
}

static void barrier(VkCommandBuffer commands, VkImage image, VkImageLayout from, VkImageLayout to,
                    VkPipelineStageFlags before, VkAccessFlags written, VkPipelineStageFlags after,
                    VkAccessFlags read)
{
    vdc_call_vkCmdPipelineBarrier(commands, before, after, 0, 0, NULL, 0, NULL, 1,
                                  &(const VkImageMemoryBarrier){
                                      .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
                                      .srcAccessMask = written,
                                      .dstAccessMask = read,
                                      .oldLayout = from,
                                      .newLayout = to,
                                      .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                                      .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                                      .image = image,
                                      .subresourceRange = whole,
                                  });
}

/* The same each time, as the application hands the image over in the same layout. */
static VkResult record(const struct vdc_swapchain_images *images,
                       const struct vdc_swapchain_image *image, VkCommandBuffer commands)
{
    VkResult result =
        vdc_vkBeginCommandBuffer(commands, &(const VkCommandBufferBeginInfo){
                                               .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                           });
    if (result != VK_SUCCESS)
        return result;
    barrier(commands, image->image, VK_IMAGE_LAYOUT_PRESENT_SRC_KHR,
            VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
            VK_ACCESS_MEMORY_WRITE_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT,
            VK_ACCESS_TRANSFER_READ_BIT);
    vdc_call_vkCmdCopyImageToBuffer(commands, image->image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
                                    image->buffer, 1,
                                    &(const VkBufferImageCopy){
                                        .bufferRowLength = image->pixels.pitch / images->pixel_size,
                                        .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                                        .imageExtent = images->info.extent,
                                    });
    barrier(commands, image->image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
            VK_IMAGE_LAYOUT_PRESENT_SRC_KHR, VK_PIPELINE_STAGE_TRANSFER_BIT, 0,
            VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, 0);
    vdc_call_vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
                                  VK_PIPELINE_STAGE_HOST_BIT, 0, 0, NULL, 1,
                                  &(const VkBufferMemoryBarrier){
                                      .sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_BARRIER,
                                      .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                                      .dstAccessMask = VK_ACCESS_HOST_READ_BIT,
                                      .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                                      .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                                      .buffer = image->buffer,
                                      .size = VK_WHOLE_SIZE,
                                  },
                                  0, NULL);
    return vdc_vkEndCommandBuffer(commands);
}

VkResult vdc_swapchain_image_copy(struct vdc_swapchain_images *images, uint32_t index,
                                  uint32_t family, VkCommandBuffer *commands)
{
    struct vdc_swapchain_image *image = &images->images[index];
    *commands = VK_NULL_HANDLE;
    if (images->way != VDC_IMAGE_COPIED)
        return VK_SUCCESS;
    if (image->copies[family]) {
        *commands = image->copies[family];
        return VK_SUCCESS;
    }
    VkDevice device = (VkDevice)images->device;
    VkResult result = VK_SUCCESS;
    if (!images->pools[family])
        result = vdc_vkCreateCommandPool(device,
                                         &(const VkCommandPoolCreateInfo){
                                             .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                             .queueFamilyIndex = family,
                                         },
                                         NULL, &images->pools[family]);
    if (result != VK_SUCCESS)
        return result;
    VkCommandBuffer copy = VK_NULL_HANDLE;
    result =
        vdc_vkAllocateCommandBuffers(device,
                                     &(const VkCommandBufferAllocateInfo){
                                         .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                         .commandPool = images->pools[family],
                                         .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                         .commandBufferCount = 1,
                                     },
                                     &copy);
    if (result == VK_SUCCESS)
        result = record(images, image, copy);
    if (result == VK_SUCCESS)
        *commands = image->copies[family] = copy;
    else if (copy)
        vdc_vkFreeCommandBuffers(device, images->pools[family], 1, &copy);
    return result;
}
