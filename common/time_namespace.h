/* SPDX-License-Identifier: MIT
 *
 * Processes of one kernel may have different clocks: a time namespace adds to CLOCK_MONOTONIC and to
 * CLOCK_BOOTTIME.
 */
#ifndef VIADUCT_COMMON_TIME_NAMESPACE_H
#define VIADUCT_COMMON_TIME_NAMESPACE_H

#include <stdbool.h>
#include <stdint.h>

/* What this process's CLOCK_MONOTONIC (and CLOCK_MONOTONIC_RAW) is ahead of the kernel's own, in ns. False:
 * it cannot be known. Opens files of /proc. */
bool vd_time_namespace_monotonic(int64_t *ns);

#endif
