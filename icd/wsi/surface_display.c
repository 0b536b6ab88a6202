/* SPDX-License-Identifier: MIT
 *
 * A surface that is a whole display.
 */
#include "surface.h"

#include "display.h"
#include "entrypoints.h"
#include "present_display.h"

static const VkPresentModeKHR modes[] = {
    VK_PRESENT_MODE_FIFO_KHR,
    VK_PRESENT_MODE_MAILBOX_KHR,
    VK_PRESENT_MODE_FIFO_LATEST_READY_EXT,
};

/* What every card shows: blue first, and the last byte is ignored. */
static const VkFormat all_formats[] = {
    VK_FORMAT_B8G8R8A8_SRGB,
    VK_FORMAT_B8G8R8A8_UNORM,
};

static const VkIcdSurfaceDisplay *surface_display(const VkIcdSurfaceBase *surface)
{
    return (const VkIcdSurfaceDisplay *)surface;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkCreateDisplayPlaneSurfaceKHR(
    VkInstance instance, const VkDisplaySurfaceCreateInfoKHR *pCreateInfo,
    const VkAllocationCallbacks *pAllocator, VkSurfaceKHR *pSurface)
{
    (void)instance;
    const VkIcdSurfaceDisplay surface = {
        .base.platform = VK_ICD_WSI_PLATFORM_DISPLAY,
        .displayMode = pCreateInfo->displayMode,
        .planeIndex = pCreateInfo->planeIndex,
        .planeStackIndex = pCreateInfo->planeStackIndex,
        .transform = pCreateInfo->transform,
        .globalAlpha = pCreateInfo->globalAlpha,
        .alphaMode = pCreateInfo->alphaMode,
        .imageExtent = pCreateInfo->imageExtent,
    };
    return vdc_surface_create(&surface, sizeof(surface), pAllocator, pSurface);
}

static VkResult is_supported(struct vdc_physical_device *pd, const VkIcdSurfaceBase *surface,
                             bool *supported)
{
    (void)surface;
    *supported = vdc_surface_format_drawable(pd, all_formats[0]) ||
                 vdc_surface_format_drawable(pd, all_formats[1]);
    return VK_SUCCESS;
}

static VkResult get_capabilities(struct vdc_physical_device *pd, const VkIcdSurfaceBase *surface,
                                 VkSurfaceCapabilitiesKHR *capabilities)
{
    (void)pd;
    const VkExtent2D extent = surface_display(surface)->imageExtent;
    capabilities->minImageCount = 2;
    capabilities->currentExtent = extent;
    capabilities->minImageExtent = extent;
    capabilities->maxImageExtent = extent;
    capabilities->supportedCompositeAlpha = VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR;
    return VK_SUCCESS;
}

static VkResult get_formats(struct vdc_physical_device *pd, const VkIcdSurfaceBase *surface,
                            VkFormat formats[VDC_SURFACE_FORMATS_MAX], uint32_t *count)
{
    (void)surface;
    *count = 0;
    for (size_t i = 0; i < sizeof(all_formats) / sizeof(all_formats[0]); i++)
        if (vdc_surface_format_drawable(pd, all_formats[i]))
            formats[(*count)++] = all_formats[i];
    return VK_SUCCESS;
}

static VkResult get_area(const VkIcdSurfaceBase *surface, VkRect2D *area)
{
    *area = (VkRect2D){.extent = surface_display(surface)->imageExtent};
    return VK_SUCCESS;
}

static VkResult create_presenter(const VkSwapchainCreateInfoKHR *info,
                                 struct vdc_presenter **presenter)
{
    const VkIcdSurfaceDisplay *surface = surface_display(vdc_surface_base(info->surface));
    return vdc_display_presenter_create(
        (const struct vdc_display_mode *)(uintptr_t)surface->displayMode, info->imageExtent,
        info->minImageCount, presenter);
}

const struct vdc_surface_ops vdc_surface_display_ops = {
    .modes = modes,
    .mode_count = sizeof(modes) / sizeof(modes[0]),
    .supported = is_supported,
    .capabilities = get_capabilities,
    .formats = get_formats,
    .area = get_area,
    .presenter = create_presenter,
};
