/* SPDX-License-Identifier: MIT
 *
 * Commands of VK_KHR_display and of the extensions that add to it: what displays there are, and whose.
 */
#include <sys/stat.h>

#include "display.h"
#include "drm_library.h"
#include "entrypoints.h"
#include "icd/physical_device.h"

static struct vdc_displays *displays_of(VkPhysicalDevice physicalDevice)
{
    return ((struct vdc_physical_device *)physicalDevice)->base.instance->displays;
}

static VkDisplayKHR display_handle(struct vdc_display *display)
{
    return (VkDisplayKHR)(uintptr_t)display;
}

static struct vdc_display *display_of(VkDisplayKHR handle)
{
    return (struct vdc_display *)(uintptr_t)handle;
}

/* What a query answers that has found `have` and had room for *count, if `room`. */
static VkResult counted(uint32_t have, const void *room, uint32_t *count)
{
    const bool incomplete = room && *count < have;
    if (!incomplete)
        *count = have;
    return incomplete ? VK_INCOMPLETE : VK_SUCCESS;
}

static VkDisplayPropertiesKHR display_properties(struct vdc_display *display)
{
    return (VkDisplayPropertiesKHR){
        .display = display_handle(display),
        .displayName = display->name,
        .physicalDimensions = {display->width_mm, display->height_mm},
        .physicalResolution = vdc_display_mode_extent(display->modes),
        .supportedTransforms = VK_SURFACE_TRANSFORM_IDENTITY_BIT_KHR,
    };
}

/* Fills the elements of one of two arrays, whichever is there. */
VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetPhysicalDeviceDisplayProperties2KHR(
    VkPhysicalDevice physicalDevice, uint32_t *pPropertyCount, VkDisplayProperties2KHR *pProperties)
{
    struct vdc_displays *displays = displays_of(physicalDevice);
    uint32_t have = 0;
    pthread_mutex_lock(&displays->lock);
    vdc_displays_search(displays);
    for (struct vdc_display *display = displays->first; display; display = display->next) {
        if (!display->connected || !display->modes)
            continue;
        if (pProperties && have < *pPropertyCount)
            pProperties[have].displayProperties = display_properties(display);
        have++;
    }
    pthread_mutex_unlock(&displays->lock);
    return counted(have, pProperties, pPropertyCount);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetPhysicalDeviceDisplayPlaneProperties2KHR(
    VkPhysicalDevice physicalDevice, uint32_t *pPropertyCount,
    VkDisplayPlaneProperties2KHR *pProperties)
{
    struct vdc_displays *displays = displays_of(physicalDevice);
    uint32_t have = 0;
    pthread_mutex_lock(&displays->lock);
    vdc_displays_search(displays);
    for (struct vdc_display *display = displays->first; display; display = display->next) {
        /* The plane can go nowhere else. */
        if (pProperties && have < *pPropertyCount)
            pProperties[have].displayPlaneProperties = (VkDisplayPlanePropertiesKHR){
                .currentDisplay = display_handle(display),
            };
        have++;
    }
    pthread_mutex_unlock(&displays->lock);
    return counted(have, pProperties, pPropertyCount);
}

VKAPI_ATTR VkResult VKAPI_CALL
vdc_vkGetDisplayPlaneSupportedDisplaysKHR(VkPhysicalDevice physicalDevice, uint32_t planeIndex,
                                          uint32_t *pDisplayCount, VkDisplayKHR *pDisplays)
{
    struct vdc_displays *displays = displays_of(physicalDevice);
    pthread_mutex_lock(&displays->lock);
    struct vdc_display *display = displays->first;
    while (display && planeIndex-- > 0)
        display = display->next;
    pthread_mutex_unlock(&displays->lock);
    if (pDisplays && *pDisplayCount > 0 && display)
        pDisplays[0] = display_handle(display);
    return counted(display != NULL, pDisplays, pDisplayCount);
}

/* Thousandths of a hertz. */
static uint32_t refresh_rate(const drmModeModeInfo *info)
{
    const uint64_t pixels = (uint64_t)info->htotal * info->vtotal;
    return pixels ? (uint32_t)((uint64_t)info->clock * 1000000 / pixels) : info->vrefresh * 1000;
}

static VkDisplayModePropertiesKHR mode_properties(struct vdc_display_mode *mode)
{
    return (VkDisplayModePropertiesKHR){
        .displayMode = (VkDisplayModeKHR)(uintptr_t)mode,
        .parameters = {vdc_display_mode_extent(mode), refresh_rate(&mode->info)},
    };
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetDisplayModeProperties2KHR(
    VkPhysicalDevice physicalDevice, VkDisplayKHR display, uint32_t *pPropertyCount,
    VkDisplayModeProperties2KHR *pProperties)
{
    struct vdc_displays *displays = displays_of(physicalDevice);
    uint32_t have = 0;
    pthread_mutex_lock(&displays->lock);
    for (struct vdc_display_mode *mode = display_of(display)->modes; mode; mode = mode->next) {
        if (pProperties && have < *pPropertyCount)
            pProperties[have].displayModeProperties = mode_properties(mode);
        have++;
    }
    pthread_mutex_unlock(&displays->lock);
    return counted(have, pProperties, pPropertyCount);
}

/* Only modes that the display itself has. */
VKAPI_ATTR VkResult VKAPI_CALL
vdc_vkCreateDisplayModeKHR(VkPhysicalDevice physicalDevice, VkDisplayKHR display,
                           const VkDisplayModeCreateInfoKHR *pCreateInfo,
                           const VkAllocationCallbacks *pAllocator, VkDisplayModeKHR *pMode)
{
    (void)pAllocator;
    const VkDisplayModeParametersKHR *wanted = &pCreateInfo->parameters;
    struct vdc_displays *displays = displays_of(physicalDevice);
    pthread_mutex_lock(&displays->lock);
    struct vdc_display_mode *mode = display_of(display)->modes;
    while (mode && (mode->info.hdisplay != wanted->visibleRegion.width ||
                    mode->info.vdisplay != wanted->visibleRegion.height ||
                    refresh_rate(&mode->info) != wanted->refreshRate))
        mode = mode->next;
    pthread_mutex_unlock(&displays->lock);
    *pMode = (VkDisplayModeKHR)(uintptr_t)mode;
    return mode ? VK_SUCCESS : VK_ERROR_INITIALIZATION_FAILED;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetDisplayPlaneCapabilities2KHR(
    VkPhysicalDevice physicalDevice, const VkDisplayPlaneInfo2KHR *pDisplayPlaneInfo,
    VkDisplayPlaneCapabilities2KHR *pCapabilities)
{
    (void)physicalDevice;
    const VkExtent2D extent = vdc_display_mode_extent(
        (const struct vdc_display_mode *)(uintptr_t)pDisplayPlaneInfo->mode);
    pCapabilities->capabilities = (VkDisplayPlaneCapabilitiesKHR){
        .supportedAlpha = VK_DISPLAY_PLANE_ALPHA_OPAQUE_BIT_KHR,
        .minSrcExtent = extent,
        .maxSrcExtent = extent,
        .minDstExtent = extent,
        .maxDstExtent = extent,
    };
    return VK_SUCCESS;
}

static bool is_node_of(const struct vdc_card *card, int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && status.st_rdev == card->device;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetDrmDisplayEXT(VkPhysicalDevice physicalDevice,
                                                      int32_t drmFd, uint32_t connectorId,
                                                      VkDisplayKHR *pDisplay)
{
    struct vdc_displays *displays = displays_of(physicalDevice);
    pthread_mutex_lock(&displays->lock);
    vdc_displays_search(displays);
    struct vdc_display *display = displays->first;
    while (display && (display->connector != connectorId || !is_node_of(display->card, drmFd)))
        display = display->next;
    pthread_mutex_unlock(&displays->lock);
    *pDisplay = display_handle(display);
    return display ? VK_SUCCESS : VK_ERROR_UNKNOWN;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkAcquireDrmDisplayEXT(VkPhysicalDevice physicalDevice,
                                                          int32_t drmFd, VkDisplayKHR handle)
{
    struct vdc_displays *displays = displays_of(physicalDevice);
    struct vdc_display *display = display_of(handle);
    VkResult result = VK_ERROR_INITIALIZATION_FAILED;
    pthread_mutex_lock(&displays->lock);
    if (is_node_of(display->card, drmFd) && displays->drm->IsMaster(drmFd) &&
        display->card->users == 0) {
        display->acquired = drmFd;
        result = VK_SUCCESS;
    }
    pthread_mutex_unlock(&displays->lock);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkReleaseDisplayEXT(VkPhysicalDevice physicalDevice,
                                                       VkDisplayKHR handle)
{
    struct vdc_displays *displays = displays_of(physicalDevice);
    pthread_mutex_lock(&displays->lock);
    display_of(handle)->acquired = -1;
    pthread_mutex_unlock(&displays->lock);
    return VK_SUCCESS;
}
