/* SPDX-License-Identifier: MIT */
#include "driver_environment.h"

#include <string.h>
#include <unistd.h>

/*
 * Only what changes how a driver works for this client, and what it reads for each instance: workers have
 * loaded it, and made one, before their client comes. Not here: what chooses drivers, layers or devices (the
 * server's part), what names files, what mainly prints, and what the client's own side reads (its loader, its
 * window system).
 */
static const char *const names[] = {
    VD_DRIVER_PROGRAM,
    "RADV_DEBUG",
    "RADV_EXPERIMENTAL",
    "RADV_PERFTEST",
    "ANV_DEBUG",
    "NVK_I_WANT_A_BROKEN_VULKAN_DRIVER",
    "PAN_I_WANT_A_BROKEN_VULKAN_DRIVER",
    "LP_NATIVE_VECTOR_WIDTH",
    "LP_NUM_THREADS",
    /* An option of drirc that several drivers have, and that is a variable as well. */
    "force_vk_vendor",
};

/* Options of drirc that belong to one driver. */
static const char *const prefixes[] = {"anv_",  "hasvk_", "hk_",   "nvk_",       "pan_",
                                       "radv_", "tu_",    "v3dv_", "vk_require_"};

static bool is_printable(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return true;
}

bool vd_is_driver_variable(const char *text, size_t length)
{
    const char *equals = memchr(text, '=', length);
    if (!equals || length >= VD_VARIABLE_MAX || !is_printable(text, length))
        return false;
    const size_t size = (size_t)(equals - text);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strlen(names[i]) == size && !memcmp(names[i], text, size))
            return true;
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (size > strlen(prefixes[i]) && !memcmp(prefixes[i], text, strlen(prefixes[i])))
            return true;
    return false;
}

bool vd_has_driver_variables(void)
{
    for (char **variable = environ; variable && *variable; variable++)
        if (vd_is_driver_variable(*variable, strlen(*variable)))
            return true;
    return false;
}
