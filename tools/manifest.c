/* SPDX-License-Identifier: MIT */
#include "manifest.h"

#include <stdio.h>
#include <string.h>

/* The string behind "library_path", without its escapes. False: there is none. */
static bool read_name(const char *manifest, char name[static PATH_MAX])
{
    char text[8192];
    FILE *file = fopen(manifest, "re");
    if (!file)
        return false;
    const size_t size = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[size] = '\0';
    const char *key = strstr(text, "\"library_path\"");
    const char *colon = key ? strchr(key, ':') : NULL;
    const char *quote = colon ? strchr(colon, '"') : NULL;
    if (!quote)
        return false;
    size_t length = 0;
    for (quote++; *quote && *quote != '"' && length < PATH_MAX - 1; quote++) {
        if (*quote == '\\' && quote[1])
            quote++;
        name[length++] = *quote;
    }
    name[length] = '\0';
    return length > 0;
}

bool manifest_library(const char *manifest, char library[static PATH_MAX])
{
    char name[PATH_MAX];
    const char *slash = strrchr(manifest, '/');
    if (!read_name(manifest, name))
        return false;
    if (name[0] == '/' || !strchr(name, '/') || !slash) {
        strcpy(library, name);
        return true;
    }
    return snprintf(library, PATH_MAX, "%.*s/%s", (int)(slash - manifest), manifest, name) <
           PATH_MAX;
}
