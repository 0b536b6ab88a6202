/* SPDX-License-Identifier: MIT
 *
 * The libraries that X11 windows need. An application that has a window has loaded them before.
 */
#ifndef VIADUCT_ICD_WSI_X11_LIBRARY_H
#define VIADUCT_ICD_WSI_X11_LIBRARY_H

#include <X11/Xlib-xcb.h>
#include <xcb/shm.h>
#include <xcb/xcb.h>

#include "icd/library.h"

#define VDC_XCB_FUNCTIONS(F)                \
    F(xcb_, connection_has_error)           \
    F(xcb_, create_gc_checked)              \
    F(xcb_, depth_next)                     \
    F(xcb_, depth_visuals_iterator)         \
    F(xcb_, discard_reply)                  \
    F(xcb_, flush)                          \
    F(xcb_, format_next)                    \
    F(xcb_, free_gc_checked)                \
    F(xcb_, generate_id)                    \
    F(xcb_, get_extension_data)             \
    F(xcb_, get_file_descriptor)            \
    F(xcb_, get_geometry)                   \
    F(xcb_, get_geometry_reply)             \
    F(xcb_, get_maximum_request_length)     \
    F(xcb_, get_setup)                      \
    F(xcb_, get_window_attributes)          \
    F(xcb_, get_window_attributes_reply)    \
    F(xcb_, put_image_checked)              \
    F(xcb_, request_check)                  \
    F(xcb_, screen_allowed_depths_iterator) \
    F(xcb_, screen_next)                    \
    F(xcb_, setup_pixmap_formats_iterator)  \
    F(xcb_, setup_roots_iterator)           \
    F(xcb_, visualtype_next)

/* Only used where it is there: pixels can travel through the connection as well. */
#define VDC_XCB_SHM_FUNCTIONS(F)     \
    F(xcb_shm_, attach_fd_checked)   \
    F(xcb_shm_, detach_checked)      \
    F(xcb_shm_, id) /* a variable */ \
    F(xcb_shm_, put_image_checked)   \
    F(xcb_shm_, query_version)       \
    F(xcb_shm_, query_version_reply)

/* What leads from an Xlib display to its xcb connection. */
#define VDC_X11_XCB_FUNCTIONS(F) F(X, GetXCBConnection)

VDC_LIBRARY_DECLARE(vdc_xcb, VDC_XCB_FUNCTIONS)
VDC_LIBRARY_DECLARE(vdc_xcb_shm, VDC_XCB_SHM_FUNCTIONS)
VDC_LIBRARY_DECLARE(vdc_x11_xcb, VDC_X11_XCB_FUNCTIONS)

#endif
