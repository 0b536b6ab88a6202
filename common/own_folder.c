/* SPDX-License-Identifier: MIT */
#include "own_folder.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

bool vd_own_folder(const char *folder)
{
    struct stat status;
    if (lstat(folder, &status) < 0)
        return false;
    if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid() ||
        (status.st_mode & (S_IWGRP | S_IWOTH))) {
        errno = EPERM;
        return false;
    }
    return true;
}
