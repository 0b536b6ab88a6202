/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_ICD_WSI_WAYLAND_AVAILABLE_H
#define VIADUCT_ICD_WSI_WAYLAND_AVAILABLE_H

#include <stdbool.h>

/* Whether the library of Wayland windows is there; loads it. Never, where the driver was built without
 * Wayland. */
bool vdc_wayland_available(void);

#endif
