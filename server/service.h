/* SPDX-License-Identifier: MIT
 *
 * What a service manager such as systemd hands to a daemon and is told by it, as sd_listen_fds(3) and
 * sd_notify(3) specify: two variables and one datagram, for which libsystemd would be in every worker.
 */
#ifndef VIADUCT_SERVER_SERVICE_H
#define VIADUCT_SERVER_SERVICE_H

#include <stdbool.h>

/* Takes what the environment says out of it: no process that is started below is meant. Once, before any
 * descriptor is opened. False with a line in the log: more than one socket was handed over. */
bool vds_service_begin(void);
/* The listening socket that was handed over, the caller's to close; -1: none. */
int vds_service_socket(void);
/* Says a state, such as "READY=1". Nothing happens if nobody wants to know. */
void vds_service_say(const char *state);

#endif
