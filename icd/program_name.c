/* SPDX-License-Identifier: MIT */
#include "program_name.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What follows the last of these characters. */
static const char *behind_last(const char *text, char separator)
{
    const char *last = strrchr(text, separator);
    return last ? last + 1 : text;
}

void vdc_program_name(char *name, size_t size)
{
    char path[PATH_MAX];
    const char *called = program_invocation_name;
    /* Some put their arguments there as well, with slashes of their own. */
    const ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = '\0';
    if (length > 0 && !strncmp(called, path, (size_t)length))
        called = behind_last(path, '/');
    else if (strchr(called, '/'))
        called = behind_last(called, '/');
    else
        called = behind_last(called, '\\'); /* C:\Games\Game.exe */
    snprintf(name, size, "%s", called);
}
