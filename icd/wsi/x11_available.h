/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_ICD_WSI_X11_AVAILABLE_H
#define VIADUCT_ICD_WSI_X11_AVAILABLE_H

#include <stdbool.h>

/* Whether the libraries of X11 windows are there, with those of Xlib if asked; loads them. Never, where
 * the driver was built without X11. */
bool vdc_x11_available(bool xlib);

#endif
