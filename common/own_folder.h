/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_COMMON_OWN_FOLDER_H
#define VIADUCT_COMMON_OWN_FOLDER_H

#include <stdbool.h>

/* Whether this is a folder, no link, in which nobody but this process's user and root can make anything. False
 * with errno. */
bool vd_own_folder(const char *folder);

/* Makes the folder where it is missing, and those above it. `path`, of PATH_MAX bytes, becomes the one that this
 * is, without links on its way. Such a folder stays where it is: nobody but this process's user and root can
 * replace it, or one above it. False with errno; nothing is made below a folder of somebody else. */
bool vd_make_own_folder(const char *folder, char *path);

#endif
