/* SPDX-License-Identifier: MIT
 *
 * The stderr of one child of the listener: a pipe. The listener says whose each line is, and says no
 * more of one child than the log can take.
 */
#ifndef VIADUCT_SERVER_CLIENT_LOG_H
#define VIADUCT_SERVER_CLIENT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VDS_CLIENT_LOG_LINE 1536

struct vds_client_log {
    int fd; /* what the listener reads; -1: it is closed */
    char line[VDS_CLIENT_LOG_LINE];
    size_t used;
    bool rest_of_long; /* what comes up to the next newline has been cut off */
    uint64_t credit;   /* thousandths of lines that may be said at once */
    uint64_t counted;  /* when `credit` was, ms */
    unsigned left_out; /* lines since the last one that was said */
};

/* Makes the pipe; the child's end is in *child. False with errno set. */
bool vds_client_log_open(struct vds_client_log *log, int *child);
/* Says what has come, at most one pipe full, so that others get their turn. `per_second`: how many
 * lines for long, and ten times as many at once; 0: all. False when there is nothing left to come, now
 * or ever. */
bool vds_client_log_pass_on(struct vds_client_log *log, const char *client, unsigned per_second);
/* Says what has come and closes the pipe. */
void vds_client_log_close(struct vds_client_log *log, const char *client, unsigned per_second);

#endif
