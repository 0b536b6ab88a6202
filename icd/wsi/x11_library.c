/* SPDX-License-Identifier: MIT */
#include "x11_library.h"

#include "x11_available.h"

VDC_LIBRARY_DEFINE(vdc_xcb, VDC_XCB_FUNCTIONS, "libxcb.so.1", "there are no X11 windows")
VDC_LIBRARY_DEFINE(vdc_xcb_shm, VDC_XCB_SHM_FUNCTIONS, "libxcb-shm.so.0",
                   "images are sent to the X server")
VDC_LIBRARY_DEFINE(vdc_x11_xcb, VDC_X11_XCB_FUNCTIONS, "libX11-xcb.so.1",
                   "there are no windows of Xlib")

bool vdc_x11_available(bool xlib)
{
    vdc_xcb_shm(); /* used where it is there */
    return vdc_xcb() && (!xlib || vdc_x11_xcb());
}
