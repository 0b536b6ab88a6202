/* SPDX-License-Identifier: MIT
 *
 * A worker: the process that serves one client.
 */
#ifndef VIADUCT_SERVER_WORKER_H
#define VIADUCT_SERVER_WORKER_H

#include <stdbool.h>

#include "child_page.h"
#include "context.h"
#include "sandbox.h"

/* What ps and top show for a worker without and with a client. */
#define VDS_SPARE_NAME  "viaduct-spare"
#define VDS_WORKER_NAME "viaduct-worker"

struct vds_worker_options {
    struct vds_context_options context;
    bool early; /* load the driver before there is a client; else only for one that speaks vtest */
    const struct vds_sandbox *sandbox;
    struct vds_child_page *page;
    unsigned handshake_seconds; /* until a client that speaks vtest must have set up; 0: any time */
};

/* Waits for a client and serves it until one of them goes. The client's socket
 * comes through `channel`, the process's only descriptor above stderr. SIGTERM must be blocked; it
 * asks the worker to end. Returns the exit status. The process must exit then; it is already bound
 * to die soon. */
int vds_worker_run(int channel, const struct vds_worker_options *options);

/* A client on its way to its worker. */
struct vds_worker_client {
    unsigned number; /* for the log */
    bool guest;      /* a context of a virtio-gpu device, which the socket leads to (link.h) */
};

/* Hands a client to the worker at the other end of the channel. `process`: a pidfd of the client, which
 * can not be seen from within the worker's sandbox; -1: there is none. False, with errno set: it did
 * not take it. The caller keeps its descriptors. */
bool vds_worker_give_client(int channel, int socket, int process,
                            const struct vds_worker_client *client);

#endif
