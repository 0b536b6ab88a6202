/* SPDX-License-Identifier: MIT */
#include "image.h"

#include <stdlib.h>

#include "call.h"
#include "calls.h"
#include "chain.h"
#include "entrypoints.h"
#include "memory_types.h"
#include "requirements.h"
#include "wsi/swapchain.h"

/* Whether memory that applications map is wanted for such an image: for linear ones, which the
 * specification promises it to even where they are sparse; and for all where the host is a CPU, whose
 * memory is one. A GPU lays images out in a worse way if they may have the client's memory. */
static bool may_be_mapped(const struct vdc_physical_device *pd, const VkImageCreateInfo *info)
{
    return info->tiling == VK_IMAGE_TILING_LINEAR ||
           (info->tiling == VK_IMAGE_TILING_OPTIMAL &&
            pd->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU &&
            !(info->flags & VK_IMAGE_CREATE_SPARSE_BINDING_BIT));
}

/* Whether the host can back such an image with memory of the client, or with some that has a
 * descriptor. */
static bool shareable(struct vdc_device *device, const VkImageCreateInfo *info)
{
    struct vdc_physical_device *pd = device->physical_device;
    if (!may_be_mapped(pd, info) || vdc_device_status(device) != VK_SUCCESS)
        return false;
    const VkPhysicalDeviceImageFormatInfo2 question = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
        .format = info->format,
        .type = info->imageType,
        .tiling = info->tiling,
        .usage = info->usage,
        .flags = info->flags,
    };
    const uint32_t key[] = {
        (uint32_t)question.format,
        (uint32_t)question.type,
        (uint32_t)question.tiling,
        question.usage,
        question.flags,
    };
    struct vdc_memo_entry *memo = vdc_memo_find(&pd->shareable_images, key, sizeof(key));
    bool answer;
    if (vdc_memo_get(memo, &answer, sizeof(answer)))
        return answer;
    answer = vdc_image_sharing(pd, &question) &
             (pd->data->own_types ? VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT
                                  : VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT);
    if (vdc_device_status(device) == VK_SUCCESS)
        vdc_memo_put(&pd->shareable_images, memo, &answer, sizeof(answer));
    return answer;
}

static enum vdc_backing backing_of(struct vdc_device *device, const VkImageCreateInfo *info)
{
    const VkExternalMemoryImageCreateInfo *external =
        vd_chain_find(info->pNext, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO);
    const VkExternalMemoryHandleTypeFlags types = external ? external->handleTypes : 0;
    const enum vdc_backing backing = vdc_physical_device_backing(device->physical_device, types);
    /* The application has asked already. */
    const bool known = types == VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;
    return backing == VDC_BACKING_HOST || known || shareable(device, info) ? backing
                                                                           : VDC_BACKING_HOST;
}

/* Images that were created alike, as far as this can be told: those without a chain. */
static struct vdc_memo_entry *memo_of(struct vdc_device *device, const VkImageCreateInfo *info)
{
    const uint32_t key[] = {
        info->flags,
        (uint32_t)info->imageType,
        (uint32_t)info->format,
        info->extent.width,
        info->extent.height,
        info->extent.depth,
        info->mipLevels,
        info->arrayLayers,
        (uint32_t)info->samples,
        (uint32_t)info->tiling,
        info->usage,
        (uint32_t)info->sharingMode,
    };
    return info->pNext ? NULL : vdc_memo_find(&device->images, key, sizeof(key));
}

static VkResult create(struct vdc_device *device, const VkImageCreateInfo *asked, VkImage *handle)
{
    struct vdc_image *image = calloc(1, sizeof(*image));
    if (!image)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    image->format = asked->format;
    image->extent = asked->extent;
    image->layers = asked->arrayLayers;
    image->open = asked->tiling != VK_IMAGE_TILING_OPTIMAL;
    image->backing = backing_of(device, asked);
    image->memo = memo_of(device, asked);
    VkImageCreateInfo info = *asked;
    struct vdc_announcement announcement;
    const VkResult result =
        vdc_announce(device, &announcement, image->backing,
                     VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO, &info.pNext)
            ? vdc_call_vkCreateImage((VkDevice)device, &info, NULL, handle)
            : VK_ERROR_OUT_OF_HOST_MEMORY;
    free(announcement.copy);
    if (result == VK_SUCCESS)
        vdc_id_set_object(device->base.instance, (uint64_t)*handle, image);
    else
        free(image);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkCreateImage(VkDevice handle,
                                                 const VkImageCreateInfo *pCreateInfo,
                                                 const VkAllocationCallbacks *pAllocator,
                                                 VkImage *pImage)
{
    (void)pAllocator;
    struct vdc_device *device = (struct vdc_device *)handle;
    const VkImageSwapchainCreateInfoKHR *swapchain =
        vd_chain_find(pCreateInfo->pNext, VK_STRUCTURE_TYPE_IMAGE_SWAPCHAIN_CREATE_INFO_KHR);
    if (swapchain && swapchain->swapchain)
        return vdc_swapchain_create_alias(device, swapchain->swapchain, pImage);
    return create(device, pCreateInfo, pImage);
}

VKAPI_ATTR void VKAPI_CALL vdc_vkDestroyImage(VkDevice device, VkImage image,
                                              const VkAllocationCallbacks *pAllocator)
{
    struct vdc_image *object = vdc_id_object(vdc_instance_of(device), (uint64_t)image);
    vdc_call_vkDestroyImage(device, image, pAllocator);
    free(object);
}

/* Memory of swapchains is bound by the image's index instead of a VkDeviceMemory. */
VKAPI_ATTR VkResult VKAPI_CALL vdc_vkBindImageMemory2(VkDevice device, uint32_t count,
                                                      const VkBindImageMemoryInfo *infos)
{
    VkBindImageMemoryInfo small[8] = {0};
    VkBindImageMemoryInfo *ours = count <= 8 ? small : malloc(count * sizeof(*ours));
    if (!ours)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        ours[i] = infos[i];
        const VkBindImageMemorySwapchainInfoKHR *swapchain =
            vd_chain_find(infos[i].pNext, VK_STRUCTURE_TYPE_BIND_IMAGE_MEMORY_SWAPCHAIN_INFO_KHR);
        if (swapchain && swapchain->swapchain)
            vdc_swapchain_image_memory(swapchain->swapchain, swapchain->imageIndex, &ours[i].memory,
                                       &ours[i].memoryOffset);
    }
    const VkResult result = vdc_call_vkBindImageMemory2(device, count, ours);
    if (ours != small)
        free(ours);
    return result;
}

static const struct vdc_image *image_of(VkDevice device, VkImage image)
{
    return vdc_id_object(vdc_instance_of(device), (uint64_t)image);
}

static void ask_of_image(VkDevice device, const void *info, VkMemoryRequirements2 *out)
{
    vdc_call_vkGetImageMemoryRequirements2(device, info, out);
}

static void ask_of_description(VkDevice device, const void *info, VkMemoryRequirements2 *out)
{
    vdc_call_vkGetDeviceImageMemoryRequirements(device, info, out);
}

VKAPI_ATTR void VKAPI_CALL
vdc_vkGetImageMemoryRequirements2(VkDevice device, const VkImageMemoryRequirementsInfo2 *info,
                                  VkMemoryRequirements2 *requirements)
{
    const struct vdc_image *image = image_of(device, info->image);
    const struct vdc_requirements_query query = {
        .backing = image->backing,
        .memo = &((struct vdc_device *)device)->images,
        .entry = info->pNext ? NULL : image->memo,
        .ask = ask_of_image,
        .info = info,
    };
    vdc_requirements_get(device, &query, requirements);
}

VKAPI_ATTR void VKAPI_CALL
vdc_vkGetDeviceImageMemoryRequirements(VkDevice handle, const VkDeviceImageMemoryRequirements *info,
                                       VkMemoryRequirements2 *requirements)
{
    struct vdc_device *device = (struct vdc_device *)handle;
    const enum vdc_backing backing = backing_of(device, info->pCreateInfo);
    VkImageCreateInfo image = *info->pCreateInfo;
    struct vdc_announcement announcement;
    VkDeviceImageMemoryRequirements ours = *info;
    if (vdc_announce(device, &announcement, backing,
                     VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO, &image.pNext))
        ours.pCreateInfo = &image;
    /* planeAspect matters for images of several planes that are disjoint. */
    const bool disjoint = info->pCreateInfo->flags & VK_IMAGE_CREATE_DISJOINT_BIT;
    const struct vdc_requirements_query query = {
        .backing = backing,
        .memo = &device->images,
        .entry = info->pNext || disjoint ? NULL : memo_of(device, info->pCreateInfo),
        .ask = ask_of_description,
        .info = &ours,
    };
    vdc_requirements_get(handle, &query, requirements);
    free(announcement.copy);
}
