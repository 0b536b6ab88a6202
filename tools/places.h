/* SPDX-License-Identifier: MIT
 *
 * Where Viaduct's own parts are: beside this program, in the build tree or installed.
 */
#ifndef VIADUCT_TOOLS_PLACES_H
#define VIADUCT_TOOLS_PLACES_H

#include <limits.h>
#include <stdbool.h>

#define PLACES_MANIFEST "viaduct_icd." VIADUCT_ARCH ".json"

/* The absolute path of the server beside this program; of the driver's manifest beside this program, or
 * where this build would have installed it. False: it is not there. */
bool place_of_server(char path[static PATH_MAX]);
bool place_of_manifest(char path[static PATH_MAX]);
/* The same of the manifest that is for containers, see cdi.c. */
bool place_of_container_manifest(char path[static PATH_MAX]);

#endif
