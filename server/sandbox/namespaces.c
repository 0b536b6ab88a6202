/* SPDX-License-Identifier: MIT
 *
 * Namespaces. No user is mapped: inside, everybody is nobody, and exec() leaves no capability. Access to
 * files goes by the real user, as before.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "layers.h"

/* Those that the child makes for itself, after fork(). The kernel takes milliseconds for a network, and much longer
 * when many end at the same time. In clone() this would be the listener's time; and the child would have copies of
 * the listener's descriptors meanwhile, so that no client could see its own worker die. */
#define LATER (CLONE_NEWNET | CLONE_NEWIPC)

static pid_t clone_into(int namespaces)
{
    return (pid_t)syscall(SYS_clone, (unsigned long)namespaces | SIGCHLD, 0, 0, 0, 0);
}

int vds_namespaces_probe(const char **missing)
{
    static const struct {
        int flags;
        const char *missing;
    } sets[] = {
        {CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWPID, NULL},
        {CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWPID, "a user namespace"}, /* root may */
    };
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        /* In the two steps that a child takes: a filter may permit one of them only. */
        const pid_t pid = vds_namespaces_fork(sets[i].flags, true);
        int status = -1;
        if (pid == 0)
            _exit(vds_namespaces_complete(sets[i].flags) ? 0 : 1);
        if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0) {
            *missing = sets[i].missing;
            return sets[i].flags;
        }
    }
    *missing = "namespaces (user, network, IPC, PID)";
    return 0;
}

pid_t vds_namespaces_fork(int namespaces, bool anew)
{
    /* The C library knows nothing of such a child. That does not matter until exec(). */
    return anew ? clone_into(namespaces & ~LATER) : fork();
}

bool vds_namespaces_complete(int namespaces)
{
    return !(namespaces & LATER) || unshare(namespaces & LATER) == 0;
}
