/* SPDX-License-Identifier: MIT
 *
 * Wayland windows. They have the size of what they show: the swapchain decides, and is never
 * outdated by a compositor that wants another size, for it asks the application and not us.
 */
#include "surface.h"

#include "entrypoints.h"
#include "wayland.h"

static const VkPresentModeKHR modes[] = {
    VK_PRESENT_MODE_MAILBOX_KHR,
    VK_PRESENT_MODE_FIFO_KHR,
    VK_PRESENT_MODE_FIFO_LATEST_READY_EXT,
    VK_PRESENT_MODE_IMMEDIATE_KHR,
};

/* Formats in the order in which they are offered, and what Wayland calls them. Its names begin with the
 * highest bits of a little-endian pixel. */
static const struct pixel_layout {
    VkFormat format;
    uint32_t with_alpha, opaque; /* enum wl_shm_format */
} layouts[] = {
    {VK_FORMAT_B8G8R8A8_SRGB, WL_SHM_FORMAT_ARGB8888, WL_SHM_FORMAT_XRGB8888},
    {VK_FORMAT_B8G8R8A8_UNORM, WL_SHM_FORMAT_ARGB8888, WL_SHM_FORMAT_XRGB8888},
    {VK_FORMAT_R8G8B8A8_SRGB, WL_SHM_FORMAT_ABGR8888, WL_SHM_FORMAT_XBGR8888},
    {VK_FORMAT_R8G8B8A8_UNORM, WL_SHM_FORMAT_ABGR8888, WL_SHM_FORMAT_XBGR8888},
    {VK_FORMAT_A2R10G10B10_UNORM_PACK32, WL_SHM_FORMAT_ARGB2101010, WL_SHM_FORMAT_XRGB2101010},
    {VK_FORMAT_A2B10G10R10_UNORM_PACK32, WL_SHM_FORMAT_ABGR2101010, WL_SHM_FORMAT_XBGR2101010},
};

#define LAYOUT_COUNT (sizeof(layouts) / sizeof(layouts[0]))

static_assert(LAYOUT_COUNT <= VDC_SURFACE_FORMATS_MAX, "all of them may be offered");

static const VkIcdSurfaceWayland *surface_wayland(const VkIcdSurfaceBase *surface)
{
    return (const VkIcdSurfaceWayland *)surface;
}

VKAPI_ATTR VkResult VKAPI_CALL
vdc_vkCreateWaylandSurfaceKHR(VkInstance instance, const VkWaylandSurfaceCreateInfoKHR *pCreateInfo,
                              const VkAllocationCallbacks *pAllocator, VkSurfaceKHR *pSurface)
{
    (void)instance;
    const VkIcdSurfaceWayland surface = {
        .base.platform = VK_ICD_WSI_PLATFORM_WAYLAND,
        .display = pCreateInfo->display,
        .surface = pCreateInfo->surface,
    };
    return vdc_surface_create(&surface, sizeof(surface), pAllocator, pSurface);
}

static bool takes(const struct vdc_wayland *w, uint32_t shm_format)
{
    for (uint32_t i = 0; i < w->format_count; i++)
        if (w->formats[i] == shm_format)
            return true;
    return false;
}

/* Fills what both device and compositor know. */
static VkResult look_at(struct vdc_physical_device *pd, struct wl_display *display,
                        VkFormat formats[VDC_SURFACE_FORMATS_MAX], uint32_t *count)
{
    struct vdc_wayland w;
    *count = 0;
    const VkResult result = vdc_wayland_init(&w, display);
    if (result != VK_SUCCESS)
        return result;
    for (size_t i = 0; i < LAYOUT_COUNT; i++)
        if (takes(&w, layouts[i].with_alpha) && takes(&w, layouts[i].opaque) &&
            vdc_surface_format_drawable(pd, layouts[i].format))
            formats[(*count)++] = layouts[i].format;
    vdc_wayland_finish(&w);
    return VK_SUCCESS;
}

static VkResult get_formats(struct vdc_physical_device *pd, const VkIcdSurfaceBase *surface,
                            VkFormat formats[VDC_SURFACE_FORMATS_MAX], uint32_t *count)
{
    return look_at(pd, surface_wayland(surface)->display, formats, count);
}

VKAPI_ATTR VkBool32 VKAPI_CALL vdc_vkGetPhysicalDeviceWaylandPresentationSupportKHR(
    VkPhysicalDevice physicalDevice, uint32_t queueFamilyIndex, struct wl_display *display)
{
    struct vdc_physical_device *pd = (struct vdc_physical_device *)physicalDevice;
    VkFormat formats[VDC_SURFACE_FORMATS_MAX];
    uint32_t count;
    return vdc_surface_family_presents(pd, queueFamilyIndex) &&
           look_at(pd, display, formats, &count) == VK_SUCCESS && count > 0;
}

static VkResult is_supported(struct vdc_physical_device *pd, const VkIcdSurfaceBase *surface,
                             bool *supported)
{
    VkFormat formats[VDC_SURFACE_FORMATS_MAX];
    uint32_t count;
    const VkResult result = get_formats(pd, surface, formats, &count);
    *supported = count > 0;
    return result;
}

static VkResult get_capabilities(struct vdc_physical_device *pd, const VkIcdSurfaceBase *surface,
                                 VkSurfaceCapabilitiesKHR *capabilities)
{
    (void)surface;
    const uint32_t max = pd->properties.limits.maxImageDimension2D;
    /* One that is shown, one that the compositor has taken but not shown yet, one that waits for its
     * turn, and one to draw. */
    capabilities->minImageCount = 4;
    capabilities->currentExtent = (VkExtent2D){UINT32_MAX, UINT32_MAX};
    capabilities->minImageExtent = (VkExtent2D){1, 1};
    capabilities->maxImageExtent = (VkExtent2D){max, max};
    capabilities->supportedCompositeAlpha =
        VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR | VK_COMPOSITE_ALPHA_PRE_MULTIPLIED_BIT_KHR;
    return VK_SUCCESS;
}

static VkResult get_area(const VkIcdSurfaceBase *surface, VkRect2D *area)
{
    (void)surface;
    *area = (VkRect2D){.extent = {UINT32_MAX, UINT32_MAX}};
    return VK_SUCCESS;
}

static VkResult create_presenter(const VkSwapchainCreateInfoKHR *info,
                                 struct vdc_presenter **presenter)
{
    const VkIcdSurfaceWayland *surface = surface_wayland(vdc_surface_base(info->surface));
    for (size_t i = 0; i < LAYOUT_COUNT; i++) {
        if (layouts[i].format == info->imageFormat) {
            const bool blended = info->compositeAlpha == VK_COMPOSITE_ALPHA_PRE_MULTIPLIED_BIT_KHR;
            return vdc_wayland_presenter_create(
                &(const struct vdc_wayland_images){
                    .display = surface->display,
                    .surface = surface->surface,
                    .shm_format = blended ? layouts[i].with_alpha : layouts[i].opaque,
                    .extent = info->imageExtent,
                    .image_count = info->minImageCount,
                },
                presenter);
        }
    }
    return VK_ERROR_INITIALIZATION_FAILED;
}

const struct vdc_surface_ops vdc_surface_wayland_ops = {
    .modes = modes,
    .mode_count = sizeof(modes) / sizeof(modes[0]),
    .supported = is_supported,
    .capabilities = get_capabilities,
    .formats = get_formats,
    .area = get_area,
    .presenter = create_presenter,
};
