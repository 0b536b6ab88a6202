/* SPDX-License-Identifier: MIT
 *
 * What the server says. A listener, and whatever runs alone, writes whole lines to stderr:
 *
 *     viaduct-server: LEVEL: client N (name): text
 *
 * The stderr of its children is a pipe to the listener (client_log.h). They send it the level and the
 * text; whose line it is, the listener knows better.
 */
#ifndef VIADUCT_SERVER_LOG_H
#define VIADUCT_SERVER_LOG_H

#include <stddef.h>

enum vds_log_level {
    VDS_LOG_ERROR,
    VDS_LOG_WARNING,
    VDS_LOG_INFO,
    VDS_LOG_DEBUG,
};

/* A line of a child begins with this byte, then '0' + its level. */
#define VDS_LOG_MARK '\001'

void vds_log_set_level(enum vds_log_level level);
enum vds_log_level vds_log_level(void);
/* From now on this process's lines are those of a child. */
void vds_log_to_listener(void);
/* From now on no line waits for whoever reads stderr: what nobody reads in time is lost, and counted.
 * By a process that must never stand still. */
void vds_log_never_wait(void);

/* One line, written with one write(). */
__attribute__((format(printf, 2, 3))) void vds_log(enum vds_log_level level, const char *format,
                                                   ...);
/* A line of a child: `text` may be anything but ends at `size`. */
void vds_log_of(enum vds_log_level level, const char *client, const char *text, size_t size);
/* The same with what was not said by us, but by a driver or a library. */
void vds_log_foreign(const char *client, const char *text, size_t size);

#endif
