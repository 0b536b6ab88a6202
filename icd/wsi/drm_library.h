/* SPDX-License-Identifier: MIT
 *
 * The library that displays need.
 */
#ifndef VIADUCT_ICD_WSI_DRM_LIBRARY_H
#define VIADUCT_ICD_WSI_DRM_LIBRARY_H

#include <xf86drm.h>
#include <xf86drmMode.h>

#include "icd/library.h"

#define VDC_DRM_FUNCTIONS(F)         \
    F(drm, DropMaster)               \
    F(drm, FreeDevices)              \
    F(drm, FreeVersion)              \
    F(drm, GetCap)                   \
    F(drm, GetDevices2)              \
    F(drm, GetVersion)               \
    F(drm, Ioctl)                    \
    F(drm, IsMaster)                 \
    F(drm, ModeAddFB2)               \
    F(drm, ModeCreateDumbBuffer)     \
    F(drm, ModeDestroyDumbBuffer)    \
    F(drm, ModeFreeConnector)        \
    F(drm, ModeFreeCrtc)             \
    F(drm, ModeFreeEncoder)          \
    F(drm, ModeFreeResources)        \
    F(drm, ModeGetConnector)         \
    F(drm, ModeGetConnectorTypeName) \
    F(drm, ModeGetCrtc)              \
    F(drm, ModeGetEncoder)           \
    F(drm, ModeGetResources)         \
    F(drm, ModeMapDumbBuffer)        \
    F(drm, ModeRmFB)                 \
    F(drm, ModeSetCrtc)              \
    F(drm, PrimeFDToHandle)          \
    F(drm, SetMaster)

VDC_LIBRARY_DECLARE(vdc_drm, VDC_DRM_FUNCTIONS)

#endif
