/* SPDX-License-Identifier: MIT */
#include "places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Writes "DIR/relative" to path, where DIR holds our own executable. */
static bool beside_self(char path[static PATH_MAX], const char *relative)
{
    char self[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length < 0)
        return false;
    self[length] = '\0';
    char *slash = strrchr(self, '/');
    if (!slash)
        return false;
    *slash = '\0';
    return snprintf(path, PATH_MAX, "%s/%s", self, relative) < PATH_MAX;
}

static bool find(char path[static PATH_MAX], const char *const *relatives, int mode)
{
    char candidate[PATH_MAX];
    for (; *relatives; relatives++)
        if (beside_self(candidate, *relatives) && realpath(candidate, path) &&
            access(path, mode) == 0)
            return true;
    return false;
}

bool place_of_server(char path[static PATH_MAX])
{
    static const char *const places[] = {
        "viaduct-server",           /* installed */
        "../server/viaduct-server", /* the build tree */
        NULL,
    };
    return find(path, places, X_OK);
}

bool place_of_manifest(char path[static PATH_MAX])
{
    static const char *const places[] = {
        "../icd/" PLACES_MANIFEST,                /* the build tree */
        "../share/vulkan/icd.d/" PLACES_MANIFEST, /* installed below a prefix that was moved */
        NULL,
    };
    return find(path, places, R_OK) ||
           (realpath(VIADUCT_DATADIR "/vulkan/icd.d/" PLACES_MANIFEST, path) &&
            access(path, R_OK) == 0);
}

bool place_of_container_manifest(char path[static PATH_MAX])
{
    static const char *const places[] = {
        "../icd/container_" PLACES_MANIFEST, /* the build tree */
        "../share/viaduct/" PLACES_MANIFEST, /* installed below a prefix that was moved */
        NULL,
    };
    return find(path, places, R_OK) ||
           (realpath(VIADUCT_DATADIR "/viaduct/" PLACES_MANIFEST, path) && access(path, R_OK) == 0);
}
