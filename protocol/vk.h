/* SPDX-License-Identifier: MIT
 *
 * Vulkan with the window systems of Linux that the ICD speaks. What X11's headers say of their types
 * is said here, so that only the files that speak to an X server need them. (Wayland's types are
 * structs that the Vulkan headers declare themselves.)
 */
#ifndef VIADUCT_PROTOCOL_VK_H
#define VIADUCT_PROTOCOL_VK_H

#include <stdint.h>

#include <vulkan/vulkan.h>

typedef struct xcb_connection_t xcb_connection_t;
typedef uint32_t xcb_window_t;
typedef uint32_t xcb_visualid_t;
typedef struct _XDisplay Display;
typedef unsigned long Window;
typedef unsigned long VisualID;

#define VK_USE_PLATFORM_WAYLAND_KHR
#define VK_USE_PLATFORM_XCB_KHR
#define VK_USE_PLATFORM_XLIB_KHR
#include <vulkan/vulkan_wayland.h>
#include <vulkan/vulkan_xcb.h>
#include <vulkan/vulkan_xlib.h>

#endif
