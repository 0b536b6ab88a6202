/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_ICD_TRANSPORT_VTEST_OWNER_H
#define VIADUCT_ICD_TRANSPORT_VTEST_OWNER_H

#include <stdbool.h>

/* Whether the server behind a connected socket belongs to root or to this process's user; if not, says
 * so. Whoever serves an application sees what it draws, and computes for it. */
bool vdc_vtest_owner_is_trusted(int fd, const char *path);

#endif
