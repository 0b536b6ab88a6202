/* SPDX-License-Identifier: MIT
 *
 * The command line of viaduct-server.
 */
#ifndef VIADUCT_SERVER_OPTIONS_H
#define VIADUCT_SERVER_OPTIONS_H

#include "listener.h"
#include "log.h"

/* Of --allow-uid. */
#define VDS_OPTION_USERS_MAX 64

struct vds_options {
    struct vds_listener_options listener;
    enum vds_log_level log_level;
    bool allow_root;
    const char *user;                  /* to become; NULL: stay */
    uid_t users[VDS_OPTION_USERS_MAX]; /* what listener.limits.users points to */
};

/* What vds_options_read returns where the program goes on. */
#define VDS_OPTIONS_READ (-1)

/* Reads the arguments, with defaults for what is not said. The options borrow from argv, and point into
 * themselves. Another result than VDS_OPTIONS_READ is the exit status with which the program has to end:
 * it has said what is wrong, or what it was asked for. */
int vds_options_read(struct vds_options *options, int argc, char **argv);

/* Says on stderr what is wrong with the command line. Returns the exit status for that. */
__attribute__((format(printf, 1, 2))) int vds_usage_error(const char *format, ...);

#endif
