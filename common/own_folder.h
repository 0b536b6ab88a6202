/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_COMMON_OWN_FOLDER_H
#define VIADUCT_COMMON_OWN_FOLDER_H

#include <stdbool.h>

/* Whether this is a folder, no link, in which nobody but this process's user and root can make anything. False
 * with errno. */
bool vd_own_folder(const char *folder);

#endif
