/* SPDX-License-Identifier: MIT
 *
 * The library that Wayland windows need. An application that has a window has loaded it before.
 *
 * The requests that Wayland's headers define as inline functions call the library by name, and so
 * cannot be used here.
 */
#ifndef VIADUCT_ICD_WSI_WAYLAND_LIBRARY_H
#define VIADUCT_ICD_WSI_WAYLAND_LIBRARY_H

#include <wayland-client-core.h>
#include <wayland-client-protocol.h>

#include "icd/library.h"

#define VDC_WL_FUNCTIONS(F)                                  \
    F(wl_, buffer_interface) /* variables, like the other */ \
    F(wl_, callback_interface)                               \
    F(wl_, registry_interface)                               \
    F(wl_, shm_interface)                                    \
    F(wl_, shm_pool_interface)                               \
    F(wl_, display_cancel_read)                              \
    F(wl_, display_create_queue)                             \
    F(wl_, display_dispatch_queue_pending)                   \
    F(wl_, display_flush)                                    \
    F(wl_, display_get_error)                                \
    F(wl_, display_get_fd)                                   \
    F(wl_, display_prepare_read_queue)                       \
    F(wl_, display_read_events)                              \
    F(wl_, event_queue_destroy)                              \
    F(wl_, proxy_add_listener)                               \
    F(wl_, proxy_create_wrapper)                             \
    F(wl_, proxy_destroy)                                    \
    F(wl_, proxy_marshal)                                    \
    F(wl_, proxy_marshal_constructor)                        \
    F(wl_, proxy_marshal_constructor_versioned)              \
    F(wl_, proxy_set_queue)                                  \
    F(wl_, proxy_wrapper_destroy)

VDC_LIBRARY_DECLARE(vdc_wl, VDC_WL_FUNCTIONS)

#endif
