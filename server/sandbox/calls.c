/* SPDX-License-Identifier: MIT
 *
 * Which system calls the inside may make: a list, by seccomp. docs/sandbox.md says what drivers make of
 * it, and how to find out.
 *
 * A call that is on no list ends the process, and its number is left for the listener's log. One that
 * libraries try in passing, and can do without, fails instead.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/log.h"
#include "server/shader_cache.h"
#include "server/udmabuf.h"

#include "layers.h"
#include "watch.h"

#ifdef HAVE_SECCOMP

#include <fcntl.h>
#include <linux/udmabuf.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* ---- The lists */

/* Of workers and devices. */
static const char *const common[] = {
    /* memory */
    "brk",
    "madvise",
    "mremap",
    "munmap",
    "membarrier",
    /* descriptors that are there */
    "read",
    "readv",
    "pread64",
    "preadv",
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "lseek",
    "close",
    "dup",
    "dup3",
    "fcntl",
    "fstat",
    "newfstatat",
    "fstatat64",
    "statx",
    "ftruncate",
    "poll",
    "ppoll",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "recvmsg",
    "recvfrom",
    "sendmsg",
    "sendto",
    "shutdown",
    "getsockopt",
    "setsockopt",
    /* new ones that lead nowhere but to whom they are given */
    "eventfd2",
    "memfd_create",
    "pipe2",
    /* time and threads */
    "futex",
    "clock_gettime",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "sched_yield",
    "getcpu",
    "sched_getaffinity",
    "gettid",
    "getpid",
    "getppid",
    "exit",
    "exit_group",
    "restart_syscall",
    /* signals to itself */
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigtimedwait",
    "sigaltstack",
    "signalfd4",
    "alarm",
    "setitimer",
    /* who and where it is */
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "uname",
    "sysinfo",
    "getrandom",
    "getrusage",
    "times",
};

/* Of workers, for the drivers. */
static const char *const drivers[] = {
    "access",
    "faccessat",
    "faccessat2",
    "stat",
    "lstat",
    "getdents64",
    "readlink",
    "readlinkat",
    "getcwd",
    "statfs",
    "fstatfs",
    "fadvise64",
    "fallocate",
    "flock",
    "set_tid_address",
    "sched_setaffinity",
    "sched_getattr",
    "sched_getparam",
    "sched_getscheduler",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "getpriority",
    "capget",
    "get_mempolicy",
    "timerfd_create",
    "timerfd_settime",
    "mincore",
};

/* Of devices: sockets to their workers. */
static const char *const devices[] = {"socketpair"};

/* What libraries try in passing, and the answer. */
static const struct {
    const char *name;
    int error;
} refused[] = {
    {"clone3", ENOSYS}, /* whose arguments no filter can see; the C library goes on with clone */
    {"openat2", ENOSYS},       {"kcmp", EPERM},
    {"mbind", EPERM},          {"set_mempolicy", EPERM},
    {"mlock", EPERM},          {"mlock2", EPERM},
    {"setpriority", EPERM},    {"sched_setattr", EPERM},
    {"sched_setparam", EPERM}, {"sched_setscheduler", EPERM},
    {"inotify_init1", EMFILE}, {"mkdir", EACCES},
    {"mkdirat", EACCES},       {"rmdir", EACCES},
    {"mknod", EACCES},         {"mknodat", EACCES},
    {"link", EACCES},          {"linkat", EACCES},
    {"symlink", EACCES},       {"symlinkat", EACCES},
    {"unlink", EACCES},        {"unlinkat", EACCES},
    {"rename", EACCES},        {"renameat", EACCES},
    {"renameat2", EACCES},     {"chmod", EACCES},
    {"fchmod", EACCES},        {"fchmodat", EACCES},
};

/* NVIDIA's driver brings CUDA with it where a device has ray tracing: it listens at an abstract socket,
 * which nobody else's network namespace has, and creates no device without. A socket that only connects
 * and listens reaches nobody; and it asks for CUDA's daemon, but goes on if there is none. */
static const char *const nvidia[] = {"bind", "listen"};
static const char *const nvidia_absent[] = {"connect"};

#define SOCKET_TYPE 0xf /* the others are flags */

/* ---- The filter */

static scmp_filter_ctx filter;
static bool logs; /* a thread is told what is not on the list, and lets it happen */

static bool add(uint32_t action, const char *name, unsigned count, const struct scmp_arg_cmp *args)
{
    const int call = seccomp_syscall_resolve_name(name);
    if (call < 0)
        return true; /* not on this architecture */
    const int error = seccomp_rule_add_array(filter, action, call, count, args);
    errno = -error;
    return error == 0;
}

static bool allow(const char *name)
{
    return add(SCMP_ACT_ALLOW, name, 0, NULL);
}

static bool allow_if(const char *name, struct scmp_arg_cmp condition)
{
    return add(SCMP_ACT_ALLOW, name, 1, &condition);
}

static bool allow_all(const char *const *names, size_t count)
{
    bool ok = true;
    for (size_t i = 0; i < count; i++)
        ok &= allow(names[i]);
    return ok;
}
#define ALLOW_ALL(names) allow_all(names, sizeof(names) / sizeof((names)[0]))

static bool refuse(const char *name, int error)
{
    return add(SCMP_ACT_ERRNO((uint16_t)error), name, 0, NULL);
}

/* The type of an ioctl that the kernel's macros have made. */
static bool allow_ioctls_of(unsigned type)
{
    return allow_if("ioctl", SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00, type << 8));
}

/* Nothing that is written can be executed at the same time: drivers that generate code map it twice, or
 * change its protection. Mesa's oldest generator does neither; where it gets no memory, Mesa uses a
 * slower way for what few things it was for. NVIDIA's driver patches its own code, and goes on with
 * nothing else. */
static bool allow_mapping(const char *name, bool executable)
{
    bool ok = allow_if(name, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (executable)
        ok &= allow_if(name, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC));
    if (executable && !logs)
        ok &= add(SCMP_ACT_ERRNO(EACCES), name, 1,
                  &SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC | PROT_WRITE));
    return ok;
}

static bool fill_for_worker(void)
{
    const unsigned hardware = vds_sandbox_hardware();
    bool ok =
        ALLOW_ALL(drivers) && allow_mapping("mmap", true) &&
        (hardware & VDS_HARDWARE_NVIDIA ? allow("mprotect") : allow_mapping("mprotect", true));
    /* Threads, not processes. */
    ok &= allow_if("clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    /* Files to read; what has hardware opens its devices as well, and Mesa's cache its memory. By Landlock
     * there is nothing else. */
    const bool writes = hardware || vds_shader_cache_to_read();
    /* Emptying a file takes no more than reading it for a Landlock before Linux 6.2. */
    if (!logs)
        ok &= allow_if("openat", SCMP_A2(SCMP_CMP_MASKED_EQ,
                                         writes ? O_TRUNC : O_ACCMODE | O_CREAT | O_TRUNC, 0)) &&
              add(SCMP_ACT_ERRNO(EACCES), "openat", 1,
                  &SCMP_A2(SCMP_CMP_MASKED_EQ, O_TRUNC, O_TRUNC));
    ok &= allow_if("prctl", SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME)) &&
          allow_if("prctl", SCMP_A0(SCMP_CMP_EQ, PR_GET_NAME));
    ok &= allow_if("prlimit64", SCMP_A2(SCMP_CMP_EQ, 0)) && allow("getrlimit");
    if (hardware & VDS_HARDWARE_RENDER_NODE)
        ok &= allow_ioctls_of('d') && allow_ioctls_of('b') && allow_ioctls_of('>');
    if (vds_udmabuf_is_open())
        ok &= allow_if("ioctl", SCMP_A1(SCMP_CMP_EQ, UDMABUF_CREATE));
    if (hardware & VDS_HARDWARE_NVIDIA) {
        const struct scmp_arg_cmp listening[] = {
            SCMP_A0(SCMP_CMP_EQ, AF_UNIX),
            SCMP_A1(SCMP_CMP_MASKED_EQ, SOCKET_TYPE, SOCK_SEQPACKET),
        };
        ok &= allow("ioctl") && ALLOW_ALL(nvidia) && add(SCMP_ACT_ALLOW, "socket", 2, listening);
        for (size_t i = 0; i < sizeof(nvidia_absent) / sizeof(nvidia_absent[0]); i++)
            ok &= logs || refuse(nvidia_absent[i], ENOENT);
        for (int type = 0; !logs && type <= SOCKET_TYPE; type++)
            if (type != SOCK_SEQPACKET)
                ok &= add(SCMP_ACT_ERRNO(EACCES), "socket", 1,
                          &SCMP_A1(SCMP_CMP_MASKED_EQ, SOCKET_TYPE, (scmp_datum_t)type));
    }
    if (!logs) {
        /* The C library asks whether standard output is a terminal, before its first line. */
        if (!(hardware & VDS_HARDWARE_NVIDIA))
            ok &= add(SCMP_ACT_ERRNO(ENOTTY), "ioctl", 1, &SCMP_A1(SCMP_CMP_EQ, TCGETS));
        if (!writes)
            ok &= add(SCMP_ACT_ERRNO(EACCES), "openat", 1,
                      &SCMP_A2(SCMP_CMP_MASKED_EQ, O_WRONLY, O_WRONLY)) &&
                  add(SCMP_ACT_ERRNO(EACCES), "openat", 1,
                      &SCMP_A2(SCMP_CMP_MASKED_EQ, O_RDWR, O_RDWR)) &&
                  add(SCMP_ACT_ERRNO(EACCES), "openat", 1,
                      &SCMP_A2(SCMP_CMP_MASKED_EQ, O_CREAT, O_CREAT));
        for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
            ok &= refuse(refused[i].name, refused[i].error);
    }
    return ok;
}

static bool fill_for_device(void)
{
    return ALLOW_ALL(devices) && allow_mapping("mmap", false) && allow_mapping("mprotect", false);
}

bool vds_calls_probe(void)
{
    return prctl(PR_GET_SECCOMP) >= 0 && seccomp_api_get() >= 2;
}

static bool fill(enum vds_sandbox_kind kind, uint32_t otherwise)
{
    filter = seccomp_init(otherwise);
    if (!filter)
        return false;
    bool ok = ALLOW_ALL(common) && allow_if("tgkill", SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    switch (kind) {
    case VDS_SANDBOX_WORKER:
        ok &= fill_for_worker();
        break;
    case VDS_SANDBOX_DEVICE:
        ok &= fill_for_device();
        break;
    case VDS_SANDBOX_COMPILER:
        return false; /* has no list */
    }
    return ok && seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0;
}

bool vds_calls_prepare(enum vds_sandbox_kind kind)
{
    return fill(kind, SCMP_ACT_TRAP);
}

/* ---- What is not on the list */

static _Atomic int *stopped_call;

/* Whoever has taken the process over may prevent this, but not that the call was not made. */
static void stop(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    int none = 0;
    atomic_compare_exchange_strong(stopped_call, &none, info->si_syscall + 1);
    _exit(128 + SIGSYS);
}

bool vds_calls_restrict(_Atomic int *stopped)
{
    if (logs) {
        vds_calls_watch_all();
        return true;
    }
    struct sigaction action = {.sa_sigaction = stop, .sa_flags = SA_SIGINFO};
    stopped_call = stopped;
    sigaction(SIGSYS, &action, NULL);
    const int error = seccomp_load(filter);
    errno = -error;
    if (error < 0)
        return false;
    seccomp_release(filter);
    return true;
}

bool vds_calls_watch(enum vds_sandbox_kind kind, int files)
{
    logs = true;
    /* What the watching thread does must not wait for itself. */
    bool ok = fill(kind, SCMP_ACT_NOTIFY) && allow("ioctl") && allow("clone3") &&
              allow("seccomp") && allow("openat2") && allow("process_vm_readv") &&
              allow("landlock_restrict_self");
    const int error = ok ? seccomp_load(filter) : -EINVAL;
    errno = -error;
    return error == 0 && vds_calls_start_watching(seccomp_notify_fd(filter), files);
}

int vds_calls_refused(int number)
{
    const char *name = vds_calls_name(number);
    for (size_t i = 0; name && i < sizeof(refused) / sizeof(refused[0]); i++)
        if (strcmp(refused[i].name, name) == 0)
            return refused[i].error;
    return 0;
}

const char *vds_calls_name(int number)
{
    static char name[64];
    char *found = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
    if (!found)
        return NULL;
    strncpy(name, found, sizeof(name) - 1);
    free(found);
    return name;
}

#else

bool vds_calls_probe(void)
{
    return false;
}

bool vds_calls_prepare(enum vds_sandbox_kind kind)
{
    (void)kind;
    errno = ENOSYS;
    return false;
}

bool vds_calls_watch(enum vds_sandbox_kind kind, int files)
{
    (void)kind, (void)files;
    errno = ENOSYS;
    return false;
}

bool vds_calls_restrict(_Atomic int *stopped)
{
    (void)stopped;
    errno = ENOSYS;
    return false;
}

const char *vds_calls_name(int number)
{
    (void)number;
    return NULL;
}

#endif
