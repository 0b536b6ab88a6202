/* SPDX-License-Identifier: MIT
 *
 * --sandbox=log: a thread that says what the sandbox would not let happen, and lets it happen.
 */
#ifndef VIADUCT_SERVER_SANDBOX_WATCH_H
#define VIADUCT_SERVER_SANDBOX_WATCH_H

#include <stdbool.h>

/* Starts the thread. `notifications` is seccomp's descriptor for what is not on the list of calls, with
 * all openat(); `files` the list of vds_files_prepare(), which the thread takes over, or -1. False: it
 * can not, errno says why. */
bool vds_calls_start_watching(int notifications, int files);
/* Until now only files are of interest: what is called before the client is there is not restricted. */
void vds_calls_watch_all(void);

/* What a call is answered that is not on the list, but does not end the process; else 0. */
int vds_calls_refused(int number);

#endif
