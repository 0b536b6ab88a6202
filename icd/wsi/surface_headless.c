/* SPDX-License-Identifier: MIT
 *
 * A surface that nobody looks at.
 */
#include "surface.h"

#include <stdlib.h>

#include "entrypoints.h"

static const VkPresentModeKHR modes[] = {
    VK_PRESENT_MODE_MAILBOX_KHR,
    VK_PRESENT_MODE_FIFO_KHR,
    VK_PRESENT_MODE_FIFO_LATEST_READY_EXT,
};

static const VkFormat all_formats[] = {
    VK_FORMAT_R8G8B8A8_UNORM,
    VK_FORMAT_B8G8R8A8_UNORM,
};

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkCreateHeadlessSurfaceEXT(
    VkInstance instance, const VkHeadlessSurfaceCreateInfoEXT *pCreateInfo,
    const VkAllocationCallbacks *pAllocator, VkSurfaceKHR *pSurface)
{
    (void)instance;
    (void)pCreateInfo;
    const VkIcdSurfaceHeadless surface = {.base.platform = VK_ICD_WSI_PLATFORM_HEADLESS};
    return vdc_surface_create(&surface, sizeof(surface), pAllocator, pSurface);
}

static VkResult is_supported(struct vdc_physical_device *pd, const VkIcdSurfaceBase *surface,
                             bool *supported)
{
    (void)pd;
    (void)surface;
    *supported = true;
    return VK_SUCCESS;
}

static VkResult get_capabilities(struct vdc_physical_device *pd, const VkIcdSurfaceBase *surface,
                                 VkSurfaceCapabilitiesKHR *capabilities)
{
    (void)surface;
    const uint32_t max = pd->properties.limits.maxImageDimension2D;
    capabilities->minImageCount = 4;
    /* The swapchain decides. */
    capabilities->currentExtent = (VkExtent2D){UINT32_MAX, UINT32_MAX};
    capabilities->minImageExtent = (VkExtent2D){1, 1};
    capabilities->maxImageExtent = (VkExtent2D){max, max};
    capabilities->supportedCompositeAlpha =
        VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR | VK_COMPOSITE_ALPHA_PRE_MULTIPLIED_BIT_KHR;
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
    (void)surface;
    *area = (VkRect2D){.extent = {UINT32_MAX, UINT32_MAX}};
    return VK_SUCCESS;
}

static VkResult show(struct vdc_presenter *presenter, const struct vdc_pixels *pixels, bool paced)
{
    (void)presenter;
    (void)pixels;
    (void)paced;
    return VK_SUCCESS;
}

static void destroy(struct vdc_presenter *presenter)
{
    (void)presenter;
}

/* It has no state, so that one is enough for all. */
static struct vdc_presenter blind = {
    .ops =
        &(const struct vdc_presenter_ops){
            .show = show,
            .destroy = destroy,
        },
};

static VkResult create_presenter(const VkSwapchainCreateInfoKHR *info,
                                 struct vdc_presenter **presenter)
{
    (void)info;
    *presenter = &blind;
    return VK_SUCCESS;
}

const struct vdc_surface_ops vdc_surface_headless_ops = {
    .modes = modes,
    .mode_count = sizeof(modes) / sizeof(modes[0]),
    .supported = is_supported,
    .capabilities = get_capabilities,
    .formats = get_formats,
    .area = get_area,
    .presenter = create_presenter,
};
