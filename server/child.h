/* SPDX-License-Identifier: MIT
 *
 * A process that the listener has made, from its own side: a worker, or a device.
 *
 * It is the server's program, executed anew (other addresses, another canary, nothing of the listener's
 * memory) with the listener's own arguments, which tell it all but what it is.
 */
#ifndef VIADUCT_SERVER_CHILD_H
#define VIADUCT_SERVER_CHILD_H

#include <stdbool.h>

#include "context.h"
#include "sandbox.h"

/* A program with this as its first argument is a child of the listener's, and what follows are a name
 * of vds_role_name() and the arguments of the listener. */
#define VDS_CHILD_ARGUMENT "--run-child"

enum vds_role {
    VDS_ROLE_NONE, /* the listener */
    VDS_ROLE_WORKER,
    VDS_ROLE_EARLY_WORKER, /* which is not needed yet */
    VDS_ROLE_DEVICE,
    VDS_ROLE_COMPILER, /* shader_cache.h */
};

/* The descriptors that a child begins with, above stderr. */
enum {
    VDS_CHILD_PAGE = 3, /* child_page.h */
    VDS_CHILD_CHANNEL,  /* of a worker: through which its client comes; of a device: vg_spawn */
    VDS_CHILD_FRONTEND, /* of a device: the QEMU */
    VDS_CHILD_PROGRAM,  /* what is to be executed, until then */
    VDS_CHILD_FDS_END,
};

struct vds_child_options {
    enum vds_role role;
    struct vds_context_options context;
    const struct vds_sandbox *sandbox;
    unsigned handshake_seconds; /* as in vds_limits */
    int (*run_device)(int socket, int spawn);
};

/* "worker", "early-worker", "device", "compiler". */
const char *vds_role_name(enum vds_role role);
/* VDS_ROLE_NONE: there is no such role. */
enum vds_role vds_role_of(const char *name);

/* Does the child's work. SIGTERM must be blocked. Returns the exit status. The process must exit then;
 * it is already bound to die soon. */
int vds_child_run(const struct vds_child_options *options);

#endif
