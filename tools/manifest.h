/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_TOOLS_MANIFEST_H
#define VIADUCT_TOOLS_MANIFEST_H

#include <limits.h>
#include <stdbool.h>

/* What a manifest of a Vulkan driver names as its library: as loaders understand it, a path with a
 * slash that is relative counts from the manifest's folder, and a bare name is for the dynamic linker.
 * False: the file cannot be read, or names none. */
bool manifest_library(const char *manifest, char library[static PATH_MAX]);

#endif
