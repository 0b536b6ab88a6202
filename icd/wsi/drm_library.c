/* SPDX-License-Identifier: MIT */
#include "drm_library.h"

VDC_LIBRARY_DEFINE(vdc_drm, VDC_DRM_FUNCTIONS, "libdrm.so.2", "there are no displays")
