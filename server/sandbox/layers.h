/* SPDX-License-Identifier: MIT
 *
 * The layers of the sandbox, for sandbox.c.
 */
#ifndef VIADUCT_SERVER_SANDBOX_LAYERS_H
#define VIADUCT_SERVER_SANDBOX_LAYERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "kind.h"

/* The hardware that the host's drivers may use, as far as its devices and the environment's choice of
 * drivers tell. None: drivers for the CPU, whose "GPU" is the worker's own memory. */
enum vds_sandbox_hardware {
    VDS_HARDWARE_RENDER_NODE = 1, /* of the kernel's DRM, Mesa's drivers */
    VDS_HARDWARE_NVIDIA = 2,      /* NVIDIA's own driver */
};
unsigned vds_sandbox_hardware(void);

/* The flags of clone() that the kernel permits here. *missing: the names of those that it does not, or
 * NULL. */
int vds_namespaces_probe(const char **missing);
/* fork() into some of these, as vds_sandbox_fork(); and what adds the others. False: errno says why. */
pid_t vds_namespaces_fork(int namespaces, bool anew);
bool vds_namespaces_complete(int namespaces);

/* Whether the kernel has Landlock. */
bool vds_files_probe(void);
/* A list of the files that drivers need, for vds_files_restrict(); with `gpu`, as in --gpu, of no other device as
 * far as that can be told. -1 with errno set, ENOSYS and EOPNOTSUPP: there is no Landlock. */
int vds_files_prepare(enum vds_sandbox_kind kind, const char *gpu);
/* From now on this thread and those that it starts open nothing but what is on the list, which it takes
 * over. False as above, also if the list is -1. */
bool vds_files_restrict(int list);

/* Whether the kernel has seccomp, and this program was built with libseccomp. */
bool vds_calls_probe(void);
/* Makes ready what vds_calls_restrict() loads. False: it can not, errno says why. */
bool vds_calls_prepare(enum vds_sandbox_kind kind);
/* Instead of restricting anything: from now on a thread says which files are not on the list, which it
 * takes over and which may be -1, and from vds_calls_restrict() on which system calls would be stopped.
 * False as above. */
bool vds_calls_watch(enum vds_sandbox_kind kind, int files);
/* All threads make no other system calls from now on. False as above. */
bool vds_calls_restrict(_Atomic int *stopped);
/* As vds_sandbox_call_name(). */
const char *vds_calls_name(int number);

#endif
