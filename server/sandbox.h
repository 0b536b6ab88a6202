/* SPDX-License-Identifier: MIT
 *
 * The border between a client and the rest of the machine. A driver trusts its caller, so whoever may
 * call it owns its process: a worker is ground of the client's, and so is a device the guest's. What
 * such a process can reach is decided here, and not by what its code means to do.
 *
 *     fork     namespaces of its own: no users, no network, no IPC, no other process  (sandbox/namespaces.c)
 *     enter    no capabilities, nothing of more rights by exec, limits, undumpable    (sandbox.c)
 *              the files of the driver, to read; the devices of the GPU              (sandbox/files.c)
 *     seal     the system calls of the driver and of ours, once the client comes     (sandbox/calls.c)
 *
 * A layer that the kernel lacks is left out, and the listener says so; docs/sandbox.md has the details.
 */
#ifndef VIADUCT_SERVER_SANDBOX_H
#define VIADUCT_SERVER_SANDBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sandbox/kind.h"

enum vds_sandbox_mode {
    VDS_SANDBOX_OFF,
    VDS_SANDBOX_LOG,    /* no layer holds anything back; calls that "on" would stop are said */
    VDS_SANDBOX_ON,     /* as much as the kernel has */
    VDS_SANDBOX_STRICT, /* all, or no server */
};

struct vds_sandbox {
    enum vds_sandbox_mode mode;
    const char *gpu; /* as in --gpu; NULL: any */
    int namespaces;  /* flags of clone() that are permitted here; known to the listener only */
};

/* Finds out what the kernel has, and says what it lacks. False: that is not enough. */
bool vds_sandbox_probe(struct vds_sandbox *sandbox);
/* Whether what is inside can write no file. */
bool vds_sandbox_keeps_files(const struct vds_sandbox *sandbox);
/* fork() into the namespaces that are quickly made. `anew`: the child does nothing but prepare for exec(). */
pid_t vds_sandbox_fork(const struct vds_sandbox *sandbox, bool anew);
/* Into the others, in a child that prepares for exec() and has none of the listener's descriptors left. False:
 * it must end; errno says why. */
bool vds_sandbox_complete(const struct vds_sandbox *sandbox);
/* In the new program, while it has one thread, before it loads a driver. False, with a line in the log:
 * it must end. */
bool vds_sandbox_enter(const struct vds_sandbox *sandbox, enum vds_sandbox_kind kind);
/* Before the first byte of the client's is read; binds all threads. *stopped becomes the number of the
 * system call + 1 that the process is ended for. False as above. */
bool vds_sandbox_seal(const struct vds_sandbox *sandbox, _Atomic int *stopped);
/* The system call's name, or NULL. Until the next call. */
const char *vds_sandbox_call_name(int number);

#endif
