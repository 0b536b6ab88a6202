/* SPDX-License-Identifier: MIT
 *
 * The one place that asks for variables of the environment. In a program that runs with more rights
 * than its user (set-uid, set-gid, file capabilities) they are the user's, who must not have files
 * written, sockets chosen or libraries loaded with rights that are not theirs.
 */
#ifndef VIADUCT_COMMON_ENVIRONMENT_H
#define VIADUCT_COMMON_ENVIRONMENT_H

#include <stddef.h>
#include <stdlib.h>

/* NULL where it is not set or empty, and in such programs. The text is the environment's. */
static inline const char *vd_getenv(const char *name)
{
    const char *value = secure_getenv(name);
    return value && *value ? value : NULL;
}

/* Also in such programs: for what can do no more than switch the driver off. */
static inline const char *vd_getenv_anyway(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

#endif
