/* SPDX-License-Identifier: MIT */
#include "libraries.h"

#include "drm_library.h"
#include "wayland_available.h"
#include "x11_available.h"

bool vdc_wsi_has_libraries(enum vd_extension_index extension)
{
    switch ((int)extension) {
    case VD_EXT_KHR_wayland_surface:
        return vdc_wayland_available();
    case VD_EXT_KHR_xcb_surface:
        return vdc_x11_available(false);
    case VD_EXT_KHR_xlib_surface:
        return vdc_x11_available(true);
    case VD_EXT_KHR_display:
    case VD_EXT_KHR_get_display_properties2:
    case VD_EXT_EXT_acquire_drm_display:
    case VD_EXT_EXT_direct_mode_display:
        return vdc_drm();
    }
    return true;
}
