/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_SERVER_LOG_H
#define VIADUCT_SERVER_LOG_H

enum vd_log_level {
    VD_LOG_ERROR,
    VD_LOG_WARNING,
    VD_LOG_INFO,
    VD_LOG_DEBUG,
};

void vd_log_set_level(enum vd_log_level level);
/* What each line of this process names its client with ("client 3 (vkcube)"), copied; NULL: none. */
void vd_log_set_client(const char *name);

/* One line on stderr: "viaduct-server: LEVEL: client N (name): text"; written with one write(). */
__attribute__((format(printf, 2, 3))) void vd_log(enum vd_log_level level, const char *format, ...);

#endif
