/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_SERVER_LOG_H
#define VIADUCT_SERVER_LOG_H

enum vds_log_level {
    VDS_LOG_ERROR,
    VDS_LOG_WARNING,
    VDS_LOG_INFO,
    VDS_LOG_DEBUG,
};

void vds_log_set_level(enum vds_log_level level);
/* What each line of this process names its client with ("client 3 (vkcube)"), copied; NULL: none. */
void vds_log_set_client(const char *name);

/* One line on stderr: "viaduct-server: LEVEL: client N (name): text"; written with one write(). */
__attribute__((format(printf, 2, 3))) void vds_log(enum vds_log_level level, const char *format,
                                                   ...);

#endif
