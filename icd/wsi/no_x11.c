/* SPDX-License-Identifier: MIT
 *
 * Stands in for X11 windows where the driver was built without (-Dx11=disabled): the extensions are
 * not offered, and there is no surface that these functions could be called with.
 */
#include <stdatomic.h>

#include "entrypoints.h"
#include "icd/log.h"
#include "surface.h"
#include "x11_available.h"

const struct vdc_surface_ops vdc_surface_x11_ops;

bool vdc_x11_available(bool xlib)
{
    (void)xlib;
    static atomic_flag said = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&said))
        vdc_log("built without X11: there are no X11 windows");
    return false;
}

VKAPI_ATTR VkResult VKAPI_CALL
vdc_vkCreateXcbSurfaceKHR(VkInstance instance, const VkXcbSurfaceCreateInfoKHR *pCreateInfo,
                          const VkAllocationCallbacks *pAllocator, VkSurfaceKHR *pSurface)
{
    (void)instance, (void)pCreateInfo, (void)pAllocator, (void)pSurface;
    return VK_ERROR_EXTENSION_NOT_PRESENT;
}

VKAPI_ATTR VkResult VKAPI_CALL
vdc_vkCreateXlibSurfaceKHR(VkInstance instance, const VkXlibSurfaceCreateInfoKHR *pCreateInfo,
                           const VkAllocationCallbacks *pAllocator, VkSurfaceKHR *pSurface)
{
    (void)instance, (void)pCreateInfo, (void)pAllocator, (void)pSurface;
    return VK_ERROR_EXTENSION_NOT_PRESENT;
}

VKAPI_ATTR VkBool32 VKAPI_CALL vdc_vkGetPhysicalDeviceXcbPresentationSupportKHR(
    VkPhysicalDevice physicalDevice, uint32_t queueFamilyIndex, xcb_connection_t *connection,
    xcb_visualid_t visual_id)
{
    (void)physicalDevice, (void)queueFamilyIndex, (void)connection, (void)visual_id;
    return VK_FALSE;
}

VKAPI_ATTR VkBool32 VKAPI_CALL vdc_vkGetPhysicalDeviceXlibPresentationSupportKHR(
    VkPhysicalDevice physicalDevice, uint32_t queueFamilyIndex, Display *dpy, VisualID visualID)
{
    (void)physicalDevice, (void)queueFamilyIndex, (void)dpy, (void)visualID;
    return VK_FALSE;
}
