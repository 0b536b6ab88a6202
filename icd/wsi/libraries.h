/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_ICD_WSI_LIBRARIES_H
#define VIADUCT_ICD_WSI_LIBRARIES_H

#include <stdbool.h>

#include "extensions.h"

/* Whether the libraries are there that an instance extension needs, true if it needs none. They are
 * loaded here, when extensions are listed or enabled, and not when the first window needs them: a
 * program that locks itself in, such as a browser's GPU process, has not done so yet, and can open
 * nothing later. */
bool vdc_wsi_has_libraries(enum vd_extension_index extension);

#endif
