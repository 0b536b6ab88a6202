/* SPDX-License-Identifier: MIT
 *
 * A surface is one of the structs of vk_icd.h and nothing more, so that it does not matter whether
 * the loader or this driver made it.
 */
#ifndef VIADUCT_ICD_WSI_SURFACE_H
#define VIADUCT_ICD_WSI_SURFACE_H

#include "protocol/vk.h"
#include <vulkan/vk_icd.h>

#include "icd/physical_device.h"
#include "presenter.h"

#define VDC_SURFACE_FORMATS_MAX 6

/* What a kind of surface is; VkIcdSurfaceBase.platform says which. */
struct vdc_surface_ops {
    const VkPresentModeKHR *modes;
    uint32_t mode_count;
    /* Images may be larger or smaller than the surface, up to this; they lie in its top left
     * corner, at their own scale. 0: they may not. */
    uint32_t max_extent;

    /* Whether the device's images can be shown there at all. */
    VkResult (*supported)(struct vdc_physical_device *pd, const VkIcdSurfaceBase *surface,
                          bool *supported);
    /* All but what is the same for every surface. */
    VkResult (*capabilities)(struct vdc_physical_device *pd, const VkIcdSurfaceBase *surface,
                             VkSurfaceCapabilitiesKHR *capabilities);
    /* All in sRGB's colour space. */
    VkResult (*formats)(struct vdc_physical_device *pd, const VkIcdSurfaceBase *surface,
                        VkFormat formats[VDC_SURFACE_FORMATS_MAX], uint32_t *count);
    /* Where images are visible. */
    VkResult (*area)(const VkIcdSurfaceBase *surface, VkRect2D *area);
    /* For minImageCount different images. */
    VkResult (*presenter)(const VkSwapchainCreateInfoKHR *info, struct vdc_presenter **presenter);
};

extern const struct vdc_surface_ops vdc_surface_wayland_ops;
extern const struct vdc_surface_ops vdc_surface_x11_ops;
extern const struct vdc_surface_ops vdc_surface_headless_ops;
extern const struct vdc_surface_ops vdc_surface_display_ops;

static inline const VkIcdSurfaceBase *vdc_surface_base(VkSurfaceKHR surface)
{
    return (const VkIcdSurfaceBase *)(uintptr_t)surface;
}

const struct vdc_surface_ops *vdc_surface_ops(VkSurfaceKHR surface);

/* Gives the application a surface that is a copy of these `size` bytes. */
VkResult vdc_surface_create(const void *base, size_t size, const VkAllocationCallbacks *allocator,
                            VkSurfaceKHR *surface);

/* Whether queues of this family can present. */
bool vdc_surface_family_presents(const struct vdc_physical_device *pd, uint32_t family);

/* Whether the device can draw to images of this format. */
bool vdc_surface_format_drawable(struct vdc_physical_device *pd, VkFormat format);

#endif
