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

/* The same line, of which a program can make something: why a way to the server is closed. `reason` is
 * a word of diagnose.h, `about` the socket or node that it is about, or "". */
__attribute__((format(printf, 3, 4))) void vdc_log_reason(const char *reason, const char *about,
                                                          const char *format, ...);

/* Gives all further lines to a function, whether the flag is set or not; `reason` and `about` are ""
 * where vdc_log() said it. Not thread-safe: before anything is connected. NULL ends it. */
typedef void (*vdc_log_listener)(void *data, const char *reason, const char *about,
                                 const char *text);
void vdc_log_listen(vdc_log_listener listener, void *data);

/* The same without asking for the flag: for what was asked for (statistics). */
__attribute__((format(printf, 1, 2))) void vdc_print(const char *format, ...);

#endif
