/* SPDX-License-Identifier: MIT */
#include "surface.h"

#include <stdlib.h>

#include "entrypoints.h"
#include "x11.h"

static const VkPresentModeKHR modes[] = {
    VK_PRESENT_MODE_IMMEDIATE_KHR,
    VK_PRESENT_MODE_MAILBOX_KHR,
    VK_PRESENT_MODE_FIFO_KHR,
    VK_PRESENT_MODE_FIFO_RELAXED_KHR,
    VK_PRESENT_MODE_FIFO_LATEST_READY_EXT,
};

/* Formats in the order in which they are offered, and the visuals whose pixels look like that. */
static const struct pixel_layout {
    VkFormat format;
    uint8_t bits;
    uint32_t red, green, blue;
} layouts[] = {
    {VK_FORMAT_B8G8R8A8_SRGB, 32, 0xff0000, 0x00ff00, 0x0000ff},
    {VK_FORMAT_B8G8R8A8_UNORM, 32, 0xff0000, 0x00ff00, 0x0000ff},
    {VK_FORMAT_R8G8B8A8_SRGB, 32, 0x0000ff, 0x00ff00, 0xff0000},
    {VK_FORMAT_R8G8B8A8_UNORM, 32, 0x0000ff, 0x00ff00, 0xff0000},
    {VK_FORMAT_A2R10G10B10_UNORM_PACK32, 32, 0x3ff00000, 0x000ffc00, 0x000003ff},
    {VK_FORMAT_R5G6B5_UNORM_PACK16, 16, 0xf800, 0x07e0, 0x001f},
};

#define LAYOUT_COUNT (sizeof(layouts) / sizeof(layouts[0]))

struct visual {
    const xcb_visualtype_t *type; /* NULL: the server has no such visual */
    uint8_t depth;
    uint8_t bits; /* of a pixel in memory */
};

struct window {
    const struct vdc_xcb *xcb;
    xcb_connection_t *connection;
    xcb_window_t id;
    VkExtent2D extent;
    struct visual visual;
};

VKAPI_ATTR VkResult VKAPI_CALL
vdc_vkCreateXcbSurfaceKHR(VkInstance instance, const VkXcbSurfaceCreateInfoKHR *pCreateInfo,
                          const VkAllocationCallbacks *pAllocator, VkSurfaceKHR *pSurface)
{
    (void)instance;
    const VkIcdSurfaceXcb surface = {
        .base.platform = VK_ICD_WSI_PLATFORM_XCB,
        .connection = pCreateInfo->connection,
        .window = pCreateInfo->window,
    };
    return vdc_surface_create(&surface, sizeof(surface), pAllocator, pSurface);
}

VKAPI_ATTR VkResult VKAPI_CALL
vdc_vkCreateXlibSurfaceKHR(VkInstance instance, const VkXlibSurfaceCreateInfoKHR *pCreateInfo,
                           const VkAllocationCallbacks *pAllocator, VkSurfaceKHR *pSurface)
{
    (void)instance;
    const VkIcdSurfaceXlib surface = {
        .base.platform = VK_ICD_WSI_PLATFORM_XLIB,
        .dpy = pCreateInfo->dpy,
        .window = pCreateInfo->window,
    };
    return vdc_surface_create(&surface, sizeof(surface), pAllocator, pSurface);
}

static struct visual find_visual(const struct vdc_xcb *xcb, const xcb_setup_t *setup,
                                 xcb_visualid_t id)
{
    struct visual visual = {0};
    for (xcb_screen_iterator_t screens = xcb->setup_roots_iterator(setup); screens.rem;
         xcb->screen_next(&screens)) {
        for (xcb_depth_iterator_t depths = xcb->screen_allowed_depths_iterator(screens.data);
             depths.rem; xcb->depth_next(&depths)) {
            for (xcb_visualtype_iterator_t types = xcb->depth_visuals_iterator(depths.data);
                 types.rem; xcb->visualtype_next(&types)) {
                if (types.data->visual_id == id) {
                    visual.type = types.data;
                    visual.depth = depths.data->depth;
                }
            }
        }
    }
    for (xcb_format_iterator_t formats = xcb->setup_pixmap_formats_iterator(setup); formats.rem;
         xcb->format_next(&formats)) {
        /* Presenters rely on rows that begin at multiples of 4 bytes. */
        if (formats.data->depth == visual.depth && formats.data->scanline_pad == 32)
            visual.bits = formats.data->bits_per_pixel;
    }
    return visual;
}

/* Whether images of this format can be put into windows of this visual as they are. */
static bool visual_takes(const xcb_setup_t *setup, const struct visual *visual,
                         const struct pixel_layout *layout)
{
    return visual->type && setup->image_byte_order == XCB_IMAGE_ORDER_LSB_FIRST &&
           (visual->type->_class == XCB_VISUAL_CLASS_TRUE_COLOR ||
            visual->type->_class == XCB_VISUAL_CLASS_DIRECT_COLOR) &&
           visual->bits == layout->bits && visual->type->red_mask == layout->red &&
           visual->type->green_mask == layout->green && visual->type->blue_mask == layout->blue;
}

/* Whether a compositor may look at what the colours leave of a pixel. */
static bool visual_has_alpha(const struct visual *visual)
{
    const uint32_t all = visual->depth >= 32 ? UINT32_MAX : (1u << visual->depth) - 1;
    return all & ~(visual->type->red_mask | visual->type->green_mask | visual->type->blue_mask);
}

static bool visual_supported(struct vdc_physical_device *pd, const xcb_setup_t *setup,
                             const struct visual *visual)
{
    for (size_t i = 0; i < LAYOUT_COUNT; i++)
        if (visual_takes(setup, visual, &layouts[i]) &&
            vdc_surface_format_drawable(pd, layouts[i].format))
            return true;
    return false;
}

/* NULL where that cannot be told; the library is missing then. */
static xcb_connection_t *xcb_of(Display *display)
{
    const struct vdc_x11_xcb *x11 = vdc_x11_xcb();
    return x11 ? x11->GetXCBConnection(display) : NULL;
}

/* xcb_get_setup follows a NULL pointer on connections that never came to be. */
static bool connection_presents(struct vdc_physical_device *pd, uint32_t family,
                                xcb_connection_t *connection, xcb_visualid_t id)
{
    const struct vdc_xcb *xcb = vdc_xcb();
    if (!xcb || !connection || !vdc_surface_family_presents(pd, family) ||
        xcb->connection_has_error(connection))
        return false;
    const xcb_setup_t *setup = xcb->get_setup(connection);
    const struct visual visual = find_visual(xcb, setup, id);
    return visual_supported(pd, setup, &visual);
}

VKAPI_ATTR VkBool32 VKAPI_CALL vdc_vkGetPhysicalDeviceXcbPresentationSupportKHR(
    VkPhysicalDevice physicalDevice, uint32_t queueFamilyIndex, xcb_connection_t *connection,
    xcb_visualid_t visual_id)
{
    return connection_presents((struct vdc_physical_device *)physicalDevice, queueFamilyIndex,
                               connection, visual_id);
}

VKAPI_ATTR VkBool32 VKAPI_CALL vdc_vkGetPhysicalDeviceXlibPresentationSupportKHR(
    VkPhysicalDevice physicalDevice, uint32_t queueFamilyIndex, Display *dpy, VisualID visualID)
{
    return connection_presents((struct vdc_physical_device *)physicalDevice, queueFamilyIndex,
                               xcb_of(dpy), (xcb_visualid_t)visualID);
}

/* False: a library is missing. */
static bool address(const VkIcdSurfaceBase *surface, struct window *window)
{
    *window = (struct window){.xcb = vdc_xcb()};
    if (surface->platform == VK_ICD_WSI_PLATFORM_XCB) {
        const VkIcdSurfaceXcb *base = (const VkIcdSurfaceXcb *)surface;
        window->connection = base->connection;
        window->id = base->window;
    } else {
        const VkIcdSurfaceXlib *base = (const VkIcdSurfaceXlib *)surface;
        window->connection = xcb_of(base->dpy);
        window->id = (xcb_window_t)base->window;
    }
    return window->xcb && window->connection;
}

/* Asks the X server, in one round trip. */
static VkResult look_at(const VkIcdSurfaceBase *surface, struct window *window)
{
    if (!address(surface, window) || window->xcb->connection_has_error(window->connection))
        return VK_ERROR_SURFACE_LOST_KHR;
    const struct vdc_xcb *xcb = window->xcb;
    const xcb_get_geometry_cookie_t geometry_cookie =
        xcb->get_geometry(window->connection, window->id);
    const xcb_get_window_attributes_cookie_t attributes_cookie =
        xcb->get_window_attributes(window->connection, window->id);
    xcb_get_geometry_reply_t *geometry =
        xcb->get_geometry_reply(window->connection, geometry_cookie, NULL);
    xcb_get_window_attributes_reply_t *attributes =
        xcb->get_window_attributes_reply(window->connection, attributes_cookie, NULL);
    VkResult result = VK_ERROR_SURFACE_LOST_KHR;
    if (geometry && attributes) {
        window->extent = (VkExtent2D){geometry->width, geometry->height};
        window->visual = find_visual(xcb, xcb->get_setup(window->connection), attributes->visual);
        result = VK_SUCCESS;
    }
    free(geometry);
    free(attributes);
    return result;
}

static VkResult is_supported(struct vdc_physical_device *pd, const VkIcdSurfaceBase *surface,
                             bool *supported)
{
    struct window window;
    const VkResult result = look_at(surface, &window);
    *supported = result == VK_SUCCESS &&
                 visual_supported(pd, window.xcb->get_setup(window.connection), &window.visual);
    return result;
}

static VkResult get_capabilities(struct vdc_physical_device *pd, const VkIcdSurfaceBase *surface,
                                 VkSurfaceCapabilitiesKHR *capabilities)
{
    (void)pd;
    struct window window;
    const VkResult result = look_at(surface, &window);
    if (result != VK_SUCCESS)
        return result;
    /* One that is shown, one that waits for its turn, and one to draw. */
    capabilities->minImageCount = 3;
    capabilities->currentExtent = window.extent;
    capabilities->minImageExtent = window.extent;
    capabilities->maxImageExtent = window.extent;
    capabilities->supportedCompositeAlpha =
        VK_COMPOSITE_ALPHA_INHERIT_BIT_KHR | (window.visual.type && visual_has_alpha(&window.visual)
                                                  ? VK_COMPOSITE_ALPHA_PRE_MULTIPLIED_BIT_KHR
                                                  : VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR);
    return VK_SUCCESS;
}

static VkResult get_formats(struct vdc_physical_device *pd, const VkIcdSurfaceBase *surface,
                            VkFormat formats[VDC_SURFACE_FORMATS_MAX], uint32_t *count)
{
    struct window window;
    const VkResult result = look_at(surface, &window);
    if (result != VK_SUCCESS)
        return result;
    const xcb_setup_t *setup = window.xcb->get_setup(window.connection);
    *count = 0;
    for (size_t i = 0; i < LAYOUT_COUNT && *count < VDC_SURFACE_FORMATS_MAX; i++)
        if (visual_takes(setup, &window.visual, &layouts[i]) &&
            vdc_surface_format_drawable(pd, layouts[i].format))
            formats[(*count)++] = layouts[i].format;
    return VK_SUCCESS;
}

static VkResult get_area(const VkIcdSurfaceBase *surface, VkRect2D *area)
{
    struct window window;
    const VkResult result = look_at(surface, &window);
    *area = (VkRect2D){.extent = window.extent};
    return result;
}

static VkResult create_presenter(const VkSwapchainCreateInfoKHR *info,
                                 struct vdc_presenter **presenter)
{
    struct window window;
    const VkResult result = look_at(vdc_surface_base(info->surface), &window);
    if (result != VK_SUCCESS)
        return result;
    const xcb_setup_t *setup = window.xcb->get_setup(window.connection);
    for (size_t i = 0; i < LAYOUT_COUNT; i++) {
        if (layouts[i].format == info->imageFormat &&
            visual_takes(setup, &window.visual, &layouts[i])) {
            return vdc_x11_presenter_create(
                &(const struct vdc_x11_window){
                    .xcb = window.xcb,
                    .connection = window.connection,
                    .id = window.id,
                    .depth = window.visual.depth,
                    .pixel_size = layouts[i].bits / 8,
                },
                info->imageExtent, info->minImageCount, presenter);
        }
    }
    return VK_ERROR_INITIALIZATION_FAILED;
}

const struct vdc_surface_ops vdc_surface_x11_ops = {
    .modes = modes,
    .mode_count = sizeof(modes) / sizeof(modes[0]),
    .max_extent = INT16_MAX,
    .supported = is_supported,
    .capabilities = get_capabilities,
    .formats = get_formats,
    .area = get_area,
    .presenter = create_presenter,
};
