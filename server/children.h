/* SPDX-License-Identifier: MIT
 *
 * The listener's child processes: a worker for each client, one more that is ready for the next
 * client, a device for each QEMU, and for a moment the compiler (shader_cache.h).
 *
 * Functions that may start a process return true in the new process, once it has done its work, with
 * the exit status in *status: the caller then has nothing left to do but to clean up and exit. In
 * the listener they return false, with a line in the log if the process could not be started.
 */
#ifndef VIADUCT_SERVER_CHILDREN_H
#define VIADUCT_SERVER_CHILDREN_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "context.h"
#include "sandbox.h"

struct vds_child_page;
struct vds_children;

struct vds_children_options {
    const struct vds_context_options *context;
    const struct vds_sandbox *sandbox;
    /* What a device runs; as in vds_listener_options. */
    int (*run_device)(int socket, int spawn);
    /* The server's arguments and its program, open, to execute children anew; NULL and -1: they go on as
     * copies of this process. */
    const char *const *argv;
    int program;
    unsigned handshake_seconds; /* as in vds_limits */
    unsigned log_lines;         /* of one child, in a second; 0: all */
    /* Bytes that the clients of one user may have, and all of them (quota.h); 0: any number. */
    uint64_t memory_of_user, memory;
    bool compiles; /* whether there shall be a compiler */
};

/* The options must outlive the children. NULL without memory. */
struct vds_children *vds_children_create(const struct vds_children_options *options);
/* Forgets the processes; it does not end them. NULL is fine. */
void vds_children_destroy(struct vds_children *children);

/* Gives the client of this user to the spare worker, or to a new one. The caller keeps its descriptor. */
bool vds_children_serve_client(struct vds_children *children, int client, uid_t user, int *status);
/* Makes a device for the QEMU at the other end. The caller keeps its descriptor. */
bool vds_children_serve_frontend(struct vds_children *children, int frontend, uid_t user,
                                 int *status);
/* How many are served: clients, or QEMUs. Contexts of guests do not count. */
unsigned vds_children_count(const struct vds_children *children);
unsigned vds_children_count_of(const struct vds_children *children, uid_t user);
/* A client, or a context of a guest, that has a worker. */
struct vds_client_view {
    unsigned number; /* as in the log */
    uid_t user;
    pid_t process; /* the client, or the QEMU whose guest it is in; 0: not known */
    pid_t worker;
    unsigned guest;                    /* number of the guest, 0: none */
    const struct vds_child_page *page; /* in which anything may stand */
};
/* One after another, in the order in which they came. */
void vds_children_visit(const struct vds_children *children,
                        void (*visit)(void *data, const struct vds_client_view *view), void *data);
/* Makes a spare worker if one is missing, and the compiler, each when it is the time for it. */
bool vds_children_start_ahead(struct vds_children *children, int *status);
/* In how many milliseconds that may be; -1: nobody knows. */
int vds_children_timeout(const struct vds_children *children);

/* What the children may say something on, for poll(): how many there are, and at most `max` of them. */
unsigned vds_children_source_count(const struct vds_children *children);
unsigned vds_children_add_sources(const struct vds_children *children, struct pollfd *sources,
                                  unsigned max);
/* One of them is readable: does what a device asks for, passes on what a child logs. */
bool vds_children_handle_source(struct vds_children *children, int fd, int *status);

/* Whether a device may still ask for something. */
bool vds_children_have_device(const struct vds_children *children);

/* Takes note of those that have ended. */
void vds_children_reap(struct vds_children *children);
/* No new workers from now on; those that end do so because they have been told to. */
void vds_children_stop(struct vds_children *children);
void vds_children_signal(const struct vds_children *children, int signal);
bool vds_children_remain(const struct vds_children *children);

#endif
