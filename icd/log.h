/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_ICD_LOG_H
#define VIADUCT_ICD_LOG_H

#include <stdbool.h>

/* VIADUCT_DEBUG is a list of words, separated by commas: `1` or `log` for messages, `stats` for
 * numbers when an instance is destroyed, `sync` to make every call wait for its answer.
 * Read once. */
enum vdc_debug {
    VDC_DEBUG_LOG = 1 << 0,
    VDC_DEBUG_STATS = 1 << 1,
    VDC_DEBUG_SYNC = 1 << 2,
};

unsigned vdc_debug_flags(void);

/* One line on stderr, "viaduct: ...", when VDC_DEBUG_LOG is set. */
__attribute__((format(printf, 1, 2))) void vdc_log(const char *format, ...);

/* The same without asking for the flag: for what was asked for (statistics). */
__attribute__((format(printf, 1, 2))) void vdc_print(const char *format, ...);

#endif
