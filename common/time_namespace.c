/* SPDX-License-Identifier: MIT */
#include "time_namespace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)

static bool read_name(const char *path, char name[64])
{
    const ssize_t size = readlink(path, name, 63);
    name[size < 0 ? 0 : size] = 0;
    return size > 0;
}

/* The offsets that can be read are those of the next child. */
static bool children_have_the_same(void)
{
    char own[64], of_children[64];
    return read_name("/proc/self/ns/time", own) &&
           read_name("/proc/self/ns/time_for_children", of_children) &&
           strcmp(own, of_children) == 0;
}

bool vd_time_namespace_monotonic(int64_t *ns)
{
    *ns = 0;
    FILE *file = fopen("/proc/self/timens_offsets", "re");
    if (!file) /* Kernels without time namespaces have /proc, and no such file. */
        return errno == ENOENT && access("/proc/self/stat", F_OK) == 0;
    bool known = false;
    char clock[32];
    int64_t seconds, nanoseconds;
    while (fscanf(file, "%31s %" SCNd64 " %" SCNd64, clock, &seconds, &nanoseconds) == 3) {
        if (strcmp(clock, "monotonic") != 0 && strcmp(clock, "1") != 0)
            continue;
        known = !__builtin_mul_overflow(seconds, NS_PER_S, ns) &&
                !__builtin_add_overflow(*ns, nanoseconds, ns) && children_have_the_same();
    }
    fclose(file);
    return known;
}
