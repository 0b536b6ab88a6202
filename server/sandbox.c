/* SPDX-License-Identifier: MIT */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/layers.h"

#include "log.h"

/* Threads of a worker: the driver's, for each core, and ours. */
#define THREADS_MAX 2048

/* What the kernel's out-of-memory killer shall prefer to the listener, and to most of a desktop. */
#define OOM_SCORE "300"

static bool is_box(const struct vds_sandbox *sandbox)
{
    return sandbox->mode == VDS_SANDBOX_ON || sandbox->mode == VDS_SANDBOX_STRICT;
}

bool vds_sandbox_probe(struct vds_sandbox *sandbox)
{
    bool whole = true;
    sandbox->namespaces = 0;
    if (!is_box(sandbox)) {
        vds_log(VDS_LOG_DEBUG, "sandbox: none");
        return true;
    }
    const char *missing;
    sandbox->namespaces = vds_namespaces_probe(&missing);
    const struct {
        const char *missing, *means;
    } layers[] = {
        {missing, "a client can see more of this machine than its own"},
        {vds_files_probe() ? NULL : "Landlock",
         "a client that breaks out of a driver can read files"},
        {vds_calls_probe() ? NULL : "seccomp", "such a client can make any system call"},
    };
    for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++) {
        if (!layers[i].missing)
            continue;
        vds_log(VDS_LOG_WARNING, "DEGRADED: the sandbox lacks %s here: %s", layers[i].missing,
                layers[i].means);
        whole = false;
    }
    if (!whole && sandbox->mode == VDS_SANDBOX_STRICT) {
        vds_log(VDS_LOG_ERROR, "--sandbox=strict: does not start without them");
        return false;
    }
    return true;
}

bool vds_sandbox_keeps_files(const struct vds_sandbox *sandbox)
{
    return is_box(sandbox) && vds_files_probe();
}

pid_t vds_sandbox_fork(const struct vds_sandbox *sandbox, bool anew)
{
    return vds_namespaces_fork(sandbox->namespaces, anew);
}

bool vds_sandbox_complete(const struct vds_sandbox *sandbox)
{
    return vds_namespaces_complete(sandbox->namespaces);
}

const char *vds_sandbox_call_name(int number)
{
    return vds_calls_name(number);
}

/* Only root has any. */
static bool drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
    for (int i = 0; prctl(PR_CAPBSET_READ, i) >= 0; i++)
        prctl(PR_CAPBSET_DROP, i);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &header, none) == 0;
}

static void prefer_for_oom(void)
{
    const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t written = write(fd, OOM_SCORE, strlen(OOM_SCORE));
    (void)written;
    close(fd);
}

static bool failed(const char *what)
{
    vds_log(VDS_LOG_ERROR, "the sandbox can not be closed: %s: %m", what);
    return false;
}

/* Whether a layer that fails with this error is one that the kernel lacks. */
static bool lacks(const struct vds_sandbox *sandbox)
{
    return sandbox->mode == VDS_SANDBOX_ON && (errno == ENOSYS || errno == EOPNOTSUPP);
}

bool vds_sandbox_enter(const struct vds_sandbox *sandbox, enum vds_sandbox_kind kind)
{
    switch (sandbox->mode) {
    case VDS_SANDBOX_OFF:
        return true;
    case VDS_SANDBOX_LOG:
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                       vds_calls_watch(kind, vds_files_prepare(kind, sandbox->gpu))
                   ? true
                   : failed("system calls");
    case VDS_SANDBOX_ON:
    case VDS_SANDBOX_STRICT:
        break;
    }
    const struct rlimit none = {0}, threads = {THREADS_MAX, THREADS_MAX};
    prefer_for_oom();
    setrlimit(RLIMIT_CORE, &none);
    /* Without a user namespace this would count all of the user's processes. */
    if (getppid() == 0)
        setrlimit(RLIMIT_NPROC, &threads);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return failed("no_new_privs");
    if (!drop_capabilities())
        return failed("capabilities");
    if (!vds_files_restrict(vds_files_prepare(kind, sandbox->gpu)) && !lacks(sandbox))
        return failed("Landlock");
    if (kind != VDS_SANDBOX_COMPILER && !vds_calls_prepare(kind) && !lacks(sandbox))
        return failed("the list of system calls");
    /* Last, for it makes /proc/self root's. */
    prctl(PR_SET_DUMPABLE, 0);
    return true;
}

bool vds_sandbox_seal(const struct vds_sandbox *sandbox, _Atomic int *stopped)
{
    if (sandbox->mode == VDS_SANDBOX_OFF || vds_calls_restrict(stopped) || lacks(sandbox))
        return true;
    return failed("seccomp");
}
