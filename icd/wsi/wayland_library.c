/* SPDX-License-Identifier: MIT */
#include "wayland_library.h"

#include "wayland_available.h"

VDC_LIBRARY_DEFINE(vdc_wl, VDC_WL_FUNCTIONS, "libwayland-client.so.0",
                   "there are no Wayland windows")

bool vdc_wayland_available(void)
{
    return vdc_wl();
}
