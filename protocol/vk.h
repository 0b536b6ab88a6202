/* SPDX-License-Identifier: MIT
 *
 * Vulkan with the window systems of Linux that the ICD speaks.
 */
#ifndef VIADUCT_PROTOCOL_VK_H
#define VIADUCT_PROTOCOL_VK_H

#define VK_USE_PLATFORM_XCB_KHR
#define VK_USE_PLATFORM_XLIB_KHR
#include <vulkan/vulkan.h>

#endif
