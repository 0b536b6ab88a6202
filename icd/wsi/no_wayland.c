/* SPDX-License-Identifier: MIT
 *
 * Stands in for Wayland windows where the driver was built without (-Dwayland=disabled): the extension
 * is not offered, and there is no surface that these functions could be called with.
 */
#include <stdatomic.h>

#include "entrypoints.h"
#include "icd/log.h"
#include "surface.h"
#include "wayland_available.h"

const struct vdc_surface_ops vdc_surface_wayland_ops;

bool vdc_wayland_available(void)
{
    static atomic_flag said = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&said))
        vdc_log("built without Wayland: there are no Wayland windows");
    return false;
}

VKAPI_ATTR VkResult VKAPI_CALL
vdc_vkCreateWaylandSurfaceKHR(VkInstance instance, const VkWaylandSurfaceCreateInfoKHR *pCreateInfo,
                              const VkAllocationCallbacks *pAllocator, VkSurfaceKHR *pSurface)
{
    (void)instance, (void)pCreateInfo, (void)pAllocator, (void)pSurface;
    return VK_ERROR_EXTENSION_NOT_PRESENT;
}

VKAPI_ATTR VkBool32 VKAPI_CALL vdc_vkGetPhysicalDeviceWaylandPresentationSupportKHR(
    VkPhysicalDevice physicalDevice, uint32_t queueFamilyIndex, struct wl_display *display)
{
    (void)physicalDevice, (void)queueFamilyIndex, (void)display;
    return VK_FALSE;
}
