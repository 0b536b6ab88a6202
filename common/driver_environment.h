/* SPDX-License-Identifier: MIT
 *
 * Variables of a client's environment that mean something to drivers, which run in the server's.
 */
#ifndef VIADUCT_COMMON_DRIVER_ENVIRONMENT_H
#define VIADUCT_COMMON_DRIVER_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

/* The name of the program by which Mesa looks for settings in drirc. */
#define VD_DRIVER_PROGRAM "MESA_DRICONF_EXECUTABLE_OVERRIDE"

/* Bytes of one variable, its value included, and of all that cross. */
#define VD_VARIABLE_MAX    256u
#define VD_ENVIRONMENT_MAX 4096u

/* Whether "NAME=VALUE", of `length` bytes without a NUL, may cross: a name on the list, printable ASCII. */
bool vd_is_driver_variable(const char *text, size_t length);
/* Whether one is set in this process. */
bool vd_has_driver_variables(void);

#endif
