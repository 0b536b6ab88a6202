/* SPDX-License-Identifier: MIT
 *
 * A worker: the process that serves one client.
 */
#ifndef VIADUCT_SERVER_WORKER_H
#define VIADUCT_SERVER_WORKER_H

#include "context.h"

#define VD_CLIENT_NAME_SIZE 64

struct vd_worker_options {
    struct vd_context_options context;
    unsigned number; /* the client's, for the log */
    char *name;      /* VD_CLIENT_NAME_SIZE bytes shared with the listener, for its log */
};

/* Serves the client behind `socket`, the process's only descriptor above stderr, until one of them
 * goes. SIGTERM must be blocked; it asks the worker to end. Returns the exit status. The process
 * must exit then; it is already bound to die soon. */
int vd_worker_run(int socket, const struct vd_worker_options *options);

#endif
