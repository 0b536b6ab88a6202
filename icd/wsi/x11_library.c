/* SPDX-License-Identifier: MIT */
#include "x11_library.h"

VDC_LIBRARY_DEFINE(vdc_xcb, VDC_XCB_FUNCTIONS, "libxcb.so.1", "there are no X11 windows")
VDC_LIBRARY_DEFINE(vdc_xcb_shm, VDC_XCB_SHM_FUNCTIONS, "libxcb-shm.so.0",
                   "pictures are sent to the X server")
VDC_LIBRARY_DEFINE(vdc_x11_xcb, VDC_X11_XCB_FUNCTIONS, "libX11-xcb.so.1",
                   "there are no windows of Xlib")
