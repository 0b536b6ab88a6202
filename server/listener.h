/* SPDX-License-Identifier: MIT
 *
 * The listener: accepts clients and looks after their workers.
 */
#ifndef VIADUCT_SERVER_LISTENER_H
#define VIADUCT_SERVER_LISTENER_H

#include "context.h"
#include "door.h"
#include "sandbox.h"

struct vds_listener_options {
    const char *socket; /* path, NULL: none */
    mode_t socket_mode; /* of its file */
    int socket_fd;      /* listens there already; -1: none does */
    const char *stats;  /* where what clients do is told (stats_socket.h); NULL: nowhere */
    int fd;             /* one connection that is there already, if there is no path */
    /* Not NULL: clients are no vtest clients but QEMUs, each of which gets a process that runs this,
     * and whose guest's contexts get workers. `spawn` leads to us (virtio_gpu/spawn.h). */
    int (*run_device)(int socket, int spawn);
    int ready_fd; /* told with a newline, then closed, once clients can connect; -1: none */
    struct vds_context_options context;
    struct vds_sandbox sandbox;
    const char *const *argv;  /* as in vds_children_options */
    const char *shader_cache; /* as in vds_shader_cache_begin() */
    unsigned log_lines;
    uint64_t memory_of_user, memory; /* as in vds_children_options */
    struct vds_limits limits;
};

/* Serves until SIGTERM or SIGINT. Returns the exit status of the process. Also returns, with the
 * worker's status, in each worker: the caller has nothing left to do but exit. */
int vds_listener_run(const struct vds_listener_options *options);

#endif
