/* SPDX-License-Identifier: MIT
 *
 * Surface commands: what is the same for every kind of surface.
 */
#include "surface.h"

#include <string.h>

#include "alloc.h"
#include "entrypoints.h"
#include "extensions.h"
#include "icd/chain.h"

const struct vdc_surface_ops *vdc_surface_ops(VkSurfaceKHR surface)
{
    const VkIcdSurfaceBase *base = vdc_surface_base(surface);
    switch ((int)base->platform) {
    case VK_ICD_WSI_PLATFORM_HEADLESS:
        return &vdc_surface_headless_ops;
    case VK_ICD_WSI_PLATFORM_DISPLAY:
        return &vdc_surface_display_ops;
    case VK_ICD_WSI_PLATFORM_WAYLAND:
        return &vdc_surface_wayland_ops;
    }
    return &vdc_surface_x11_ops; /* xcb and Xlib: there are no others */
}

VkResult vdc_surface_create(const void *base, size_t size, const VkAllocationCallbacks *allocator,
                            VkSurfaceKHR *surface)
{
    void *copy = vdc_wsi_alloc(allocator, size);
    if (!copy)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    memcpy(copy, base, size);
    *surface = (VkSurfaceKHR)(uintptr_t)copy;
    return VK_SUCCESS;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkDestroySurfaceKHR(VkInstance instance, VkSurfaceKHR surface,
                                                   const VkAllocationCallbacks *pAllocator)
{
    (void)instance;
    vdc_wsi_free(pAllocator, (void *)(uintptr_t)surface);
}

/* Presenting may copy the image, which graphics and compute queues can. */
bool vdc_surface_family_presents(const struct vdc_physical_device *pd, uint32_t family)
{
    const VkQueueFamilyProperties *families =
        (const void *)((const uint8_t *)pd->data + pd->data->queue_families);
    return family < pd->data->queue_family_count &&
           families[family].queueFlags & (VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT);
}

bool vdc_surface_format_drawable(struct vdc_physical_device *pd, VkFormat format)
{
    VkFormatProperties properties;
    vdc_vkGetPhysicalDeviceFormatProperties((VkPhysicalDevice)pd, format, &properties);
    return properties.optimalTilingFeatures & VK_FORMAT_FEATURE_COLOR_ATTACHMENT_BIT;
}

VKAPI_ATTR VkResult VKAPI_CALL
vdc_vkGetPhysicalDeviceSurfaceSupportKHR(VkPhysicalDevice physicalDevice, uint32_t queueFamilyIndex,
                                         VkSurfaceKHR surface, VkBool32 *pSupported)
{
    struct vdc_physical_device *pd = (struct vdc_physical_device *)physicalDevice;
    *pSupported = VK_FALSE;
    if (!vdc_surface_family_presents(pd, queueFamilyIndex))
        return VK_SUCCESS;
    bool supported = false;
    const VkResult result =
        vdc_surface_ops(surface)->supported(pd, vdc_surface_base(surface), &supported);
    *pSupported = supported;
    return result;
}

static VkResult get_capabilities(struct vdc_physical_device *pd, VkSurfaceKHR surface,
                                 VkSurfaceCapabilitiesKHR *capabilities)
{
    *capabilities = (VkSurfaceCapabilitiesKHR){
        .maxImageArrayLayers = 1,
        .supportedTransforms = VK_SURFACE_TRANSFORM_IDENTITY_BIT_KHR,
        .currentTransform = VK_SURFACE_TRANSFORM_IDENTITY_BIT_KHR,
        .supportedUsageFlags = VK_IMAGE_USAGE_TRANSFER_SRC_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT |
                               VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_STORAGE_BIT |
                               VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT |
                               VK_IMAGE_USAGE_INPUT_ATTACHMENT_BIT,
    };
    if (pd->extensions[VD_EXT_EXT_attachment_feedback_loop_layout])
        capabilities->supportedUsageFlags |= VK_IMAGE_USAGE_ATTACHMENT_FEEDBACK_LOOP_BIT_EXT;
    return vdc_surface_ops(surface)->capabilities(pd, vdc_surface_base(surface), capabilities);
}

/* How many of `have` elements go into room for *count (not NULL `room`); *count becomes the number
 * to copy, or that there are. */
static VkResult fit(uint32_t have, const void *room, uint32_t *count)
{
    if (!room || *count > have)
        *count = have;
    return *count < have ? VK_INCOMPLETE : VK_SUCCESS;
}

/* Presenting one image does not depend on how the others were presented: from each mode one can
 * change to each other. The one asked about comes first, for a list that is too short for all. */
static void fill_compatible_modes(const struct vdc_surface_ops *ops,
                                  const VkSurfacePresentModeEXT *mode,
                                  VkSurfacePresentModeCompatibilityEXT *out)
{
    fit(ops->mode_count, out->pPresentModes, &out->presentModeCount);
    if (!out->pPresentModes || !out->presentModeCount)
        return;
    uint32_t n = 0;
    if (mode)
        out->pPresentModes[n++] = mode->presentMode;
    for (uint32_t i = 0; n < out->presentModeCount; i++)
        if (!mode || ops->modes[i] != mode->presentMode)
            out->pPresentModes[n++] = ops->modes[i];
}

/* Where images may be of another size than the surface, they are neither stretched nor moved. */
static void fill_scaling(const struct vdc_physical_device *pd, const struct vdc_surface_ops *ops,
                         const VkSurfaceCapabilitiesKHR *capabilities,
                         VkSurfacePresentScalingCapabilitiesEXT *out)
{
    const bool any = ops->max_extent;
    const uint32_t host = pd->properties.limits.maxImageDimension2D;
    const uint32_t max = host < ops->max_extent ? host : ops->max_extent;
    out->supportedPresentScaling = any ? VK_PRESENT_SCALING_ONE_TO_ONE_BIT_EXT : 0;
    out->supportedPresentGravityX = any ? VK_PRESENT_GRAVITY_MIN_BIT_EXT : 0;
    out->supportedPresentGravityY = any ? VK_PRESENT_GRAVITY_MIN_BIT_EXT : 0;
    out->minScaledImageExtent = any ? (VkExtent2D){1, 1} : capabilities->minImageExtent;
    out->maxScaledImageExtent = any ? (VkExtent2D){max, max} : capabilities->maxImageExtent;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetPhysicalDeviceSurfaceCapabilities2KHR(
    VkPhysicalDevice physicalDevice, const VkPhysicalDeviceSurfaceInfo2KHR *pSurfaceInfo,
    VkSurfaceCapabilities2KHR *pSurfaceCapabilities)
{
    const struct vdc_surface_ops *ops = vdc_surface_ops(pSurfaceInfo->surface);
    VkSurfaceCapabilitiesKHR *capabilities = &pSurfaceCapabilities->surfaceCapabilities;
    const VkResult result = get_capabilities((struct vdc_physical_device *)physicalDevice,
                                             pSurfaceInfo->surface, capabilities);
    if (result != VK_SUCCESS)
        return result;
    for (VkBaseOutStructure *next = pSurfaceCapabilities->pNext; next; next = next->pNext) {
        switch ((int)next->sType) {
        case VK_STRUCTURE_TYPE_SURFACE_PROTECTED_CAPABILITIES_KHR:
            ((VkSurfaceProtectedCapabilitiesKHR *)next)->supportsProtected = VK_FALSE;
            break;
        case VK_STRUCTURE_TYPE_SURFACE_PRESENT_MODE_COMPATIBILITY_EXT:
            fill_compatible_modes(
                ops, vd_chain_find(pSurfaceInfo->pNext, VK_STRUCTURE_TYPE_SURFACE_PRESENT_MODE_EXT),
                (VkSurfacePresentModeCompatibilityEXT *)next);
            break;
        case VK_STRUCTURE_TYPE_SURFACE_PRESENT_SCALING_CAPABILITIES_EXT:
            fill_scaling((const struct vdc_physical_device *)physicalDevice, ops, capabilities,
                         (VkSurfacePresentScalingCapabilitiesEXT *)next);
            break;
#ifdef VK_KHR_present_id2
        case VK_STRUCTURE_TYPE_SURFACE_CAPABILITIES_PRESENT_ID_2_KHR:
            ((VkSurfaceCapabilitiesPresentId2KHR *)next)->presentId2Supported = VK_TRUE;
            break;
#endif
#ifdef VK_KHR_present_wait2
        case VK_STRUCTURE_TYPE_SURFACE_CAPABILITIES_PRESENT_WAIT_2_KHR:
            ((VkSurfaceCapabilitiesPresentWait2KHR *)next)->presentWait2Supported = VK_TRUE;
            break;
#endif
        }
    }
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetPhysicalDeviceSurfaceFormats2KHR(
    VkPhysicalDevice physicalDevice, const VkPhysicalDeviceSurfaceInfo2KHR *pSurfaceInfo,
    uint32_t *pSurfaceFormatCount, VkSurfaceFormat2KHR *pSurfaceFormats)
{
    VkFormat formats[VDC_SURFACE_FORMATS_MAX];
    uint32_t have = 0;
    VkResult result = vdc_surface_ops(pSurfaceInfo->surface)
                          ->formats((struct vdc_physical_device *)physicalDevice,
                                    vdc_surface_base(pSurfaceInfo->surface), formats, &have);
    if (result != VK_SUCCESS)
        return result;
    if (have == 0 && vdc_physical_device_is_lost((struct vdc_physical_device *)physicalDevice))
        return VK_ERROR_DEVICE_LOST; /* nobody has said what can be drawn */
    result = fit(have, pSurfaceFormats, pSurfaceFormatCount);
    for (uint32_t i = 0; pSurfaceFormats && i < *pSurfaceFormatCount; i++) {
        pSurfaceFormats[i].surfaceFormat = (VkSurfaceFormatKHR){
            .format = formats[i],
            .colorSpace = VK_COLOR_SPACE_SRGB_NONLINEAR_KHR,
        };
    }
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetPhysicalDeviceSurfacePresentModesKHR(
    VkPhysicalDevice physicalDevice, VkSurfaceKHR surface, uint32_t *pPresentModeCount,
    VkPresentModeKHR *pPresentModes)
{
    (void)physicalDevice;
    const struct vdc_surface_ops *ops = vdc_surface_ops(surface);
    const VkResult result = fit(ops->mode_count, pPresentModes, pPresentModeCount);
    for (uint32_t i = 0; pPresentModes && i < *pPresentModeCount; i++)
        pPresentModes[i] = ops->modes[i];
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetPhysicalDevicePresentRectanglesKHR(
    VkPhysicalDevice physicalDevice, VkSurfaceKHR surface, uint32_t *pRectCount, VkRect2D *pRects)
{
    (void)physicalDevice;
    VkRect2D area;
    VkResult result = vdc_surface_ops(surface)->area(vdc_surface_base(surface), &area);
    if (result != VK_SUCCESS)
        return result;
    result = fit(1, pRects, pRectCount);
    if (pRects && *pRectCount)
        pRects[0] = area;
    return result;
}

/* Every group has one device, which presents what it draws itself. */
VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetDeviceGroupPresentCapabilitiesKHR(
    VkDevice device, VkDeviceGroupPresentCapabilitiesKHR *pDeviceGroupPresentCapabilities)
{
    (void)device;
    memset(pDeviceGroupPresentCapabilities->presentMask, 0,
           sizeof(pDeviceGroupPresentCapabilities->presentMask));
    pDeviceGroupPresentCapabilities->presentMask[0] = 1;
    pDeviceGroupPresentCapabilities->modes = VK_DEVICE_GROUP_PRESENT_MODE_LOCAL_BIT_KHR;
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetDeviceGroupSurfacePresentModesKHR(
    VkDevice device, VkSurfaceKHR surface, VkDeviceGroupPresentModeFlagsKHR *pModes)
{
    (void)device;
    (void)surface;
    *pModes = VK_DEVICE_GROUP_PRESENT_MODE_LOCAL_BIT_KHR;
    return VK_SUCCESS;
}
