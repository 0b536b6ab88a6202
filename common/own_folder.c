/* SPDX-License-Identifier: MIT */
#include "own_folder.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
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

/* As realpath(), of a path whose end may be missing. */
static bool resolve(const char *folder, char *path)
{
    char existing[PATH_MAX];
    size_t size = strlen(folder);
    if (size >= sizeof(existing)) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(existing, folder, size + 1);
    while (!realpath(existing, path)) {
        char *slash = strrchr(existing, '/');
        if (errno != ENOENT || !slash)
            return false;
        slash[slash == existing] = '\0'; /* the first one is a folder */
    }
    const char *missing = folder + strlen(existing);
    if (strlen(path) + strlen(missing) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    strcat(path, missing);
    return true;
}

/* Whether nobody but this process's user and root can replace what is in this folder and theirs. */
static bool keeps(const char *folder)
{
    struct stat status;
    if (lstat(folder, &status) < 0 &&
        (errno != ENOENT || mkdir(folder, 0700) < 0 || lstat(folder, &status) < 0))
        return false;
    const bool others_write = status.st_mode & (S_IWGRP | S_IWOTH);
    if (!S_ISDIR(status.st_mode) || (status.st_uid != 0 && status.st_uid != geteuid()) ||
        (others_write && !(status.st_mode & S_ISVTX))) {
        errno = EPERM;
        return false;
    }
    return true;
}

bool vd_make_own_folder(const char *folder, char *path)
{
    if (!resolve(folder, path) || !keeps("/"))
        return false;
    for (char *slash = path; (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        const bool kept = keeps(path);
        *slash = '/';
        if (!kept)
            return false;
    }
    return keeps(path) && vd_own_folder(path);
}
