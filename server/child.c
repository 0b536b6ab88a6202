/* SPDX-License-Identifier: MIT */
#include "child.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/time_namespace.h"
#include "common/trace.h"

#include "child_page.h"
#include "log.h"
#include "mapped_file.h"
#include "shader_cache.h"
#include "shm.h"
#include "udmabuf.h"
#include "worker.h"

static const char *const names[] = {
    [VDS_ROLE_NONE] = "",
    [VDS_ROLE_WORKER] = "worker",
    [VDS_ROLE_EARLY_WORKER] = "early-worker",
    [VDS_ROLE_DEVICE] = "device",
    [VDS_ROLE_COMPILER] = "compiler",
};

const char *vds_role_name(enum vds_role role)
{
    return names[role];
}

enum vds_role vds_role_of(const char *name)
{
    for (size_t i = VDS_ROLE_WORKER; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return (enum vds_role)i;
    return VDS_ROLE_NONE;
}

/* The kernel kills this process when the listener is gone. False: it is gone already. In a PID
 * namespace of its own it can not see its parent, but nobody else reads the other end of stderr. */
static bool follow_listener(void)
{
    struct pollfd log = {.fd = STDERR_FILENO};
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && poll(&log, 1, 0) >= 0 &&
           !(log.revents & POLLERR);
}

/* Some drivers keep a descriptor for each allocation. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* What is known before the sandbox is closed, of a worker's options. */
static struct vds_context_options prepare(const struct vds_child_options *options,
                                          struct vds_child_page *page)
{
    struct vds_context_options context = options->context;
    context.ways = &page->ways;
    context.counters = &page->counters;
    raise_limit();
    if (!context.memory || context.memory & 1u << VDS_MEMORY_UDMABUF)
        vds_udmabuf_open(); /* the probe says whether it was missed */
    if (!context.memory || context.memory & 1u << VDS_MEMORY_IMPORT)
        vds_mapped_file_open(); /* the same */
    return context;
}

static_assert(VDS_SHADER_CACHE_WRITTEN >= (int)VDS_CHILD_FDS_END, "what a child begins with stays");

static int run_worker(const struct vds_child_options *options, struct vds_child_page *page)
{
    vds_shader_cache_open();
    struct vds_context_options context = prepare(options, page);
    if (page->has_seal_key)
        vds_seal_set_key(page->seal_key);
    /* Nothing can be opened later. */
    if (context.trace && !vd_trace_open(context.trace, "worker"))
        vds_log(VDS_LOG_WARNING, "no trace at %s: %s", context.trace, strerror(errno));
    context.clock_known = vd_time_namespace_monotonic(&context.clock_ahead_ns);
    if (!vds_sandbox_enter(options->sandbox, VDS_SANDBOX_WORKER))
        return EXIT_FAILURE;
    const struct vds_worker_options worker = {
        .context = context,
        .early = options->role == VDS_ROLE_EARLY_WORKER,
        .sandbox = options->sandbox,
        .page = page,
        .handshake_seconds = options->handshake_seconds,
    };
    return vds_worker_run(VDS_CHILD_CHANNEL, &worker);
}

/* The first process of a namespace gets no signal that it does not handle. */
static void end(int signal)
{
    _exit(128 + signal);
}

/* Loads the drivers and makes a device of each physical device, as a worker without a client does: what drivers
 * compile then, every worker needs. */
static int run_compiler(const struct vds_child_options *options, struct vds_child_page *page)
{
    struct vds_shm_table *shm = vds_shm_table_create();
    const struct vds_context_options context = prepare(options, page);
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    signal(SIGTERM, end);
    sigprocmask(SIG_UNBLOCK, &term, NULL);
    prctl(PR_SET_NAME, "viaduct-shaders");
    if (!shm)
        return EXIT_FAILURE;
    if (!vds_shader_cache_compile()) {
        vds_log(VDS_LOG_WARNING, "no cache of shaders: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    if (!vds_sandbox_enter(options->sandbox, VDS_SANDBOX_COMPILER))
        return EXIT_FAILURE;
    struct vds_context *compiler = vds_context_create(&context, shm);
    if (!compiler)
        return EXIT_FAILURE;
    vds_context_warm(compiler);
    /* A driver that has not done writing would be in the way of its own cache. */
    if (!vds_context_destroy(compiler))
        _exit(EXIT_FAILURE);
    const int count = vds_shader_cache_publish();
    if (count < 0) {
        vds_log(VDS_LOG_WARNING, "no cache of shaders: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    if (count > 0)
        vds_log(VDS_LOG_DEBUG, "there is more for %d devices", count);
    return count > 0 ? VDS_SHADER_CACHE_NEWS : EXIT_SUCCESS;
}

static int run_device(const struct vds_child_options *options, struct vds_child_page *page)
{
    /* Its guest has connected already. */
    if (!vds_sandbox_enter(options->sandbox, VDS_SANDBOX_DEVICE) ||
        !vds_sandbox_seal(options->sandbox, &page->stopped_call))
        return EXIT_FAILURE;
    return options->run_device(VDS_CHILD_FRONTEND, VDS_CHILD_CHANNEL);
}

int vds_child_run(const struct vds_child_options *options)
{
    if (!follow_listener())
        return EXIT_FAILURE;
    struct vds_child_page *page =
        mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, VDS_CHILD_PAGE, 0);
    if (page == MAP_FAILED) {
        vds_log(VDS_LOG_ERROR, "no memory for a worker: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    close(VDS_CHILD_PAGE);
    switch (options->role) {
    case VDS_ROLE_WORKER:
    case VDS_ROLE_EARLY_WORKER:
        return run_worker(options, page);
    case VDS_ROLE_DEVICE:
        return run_device(options, page);
    case VDS_ROLE_COMPILER:
        return run_compiler(options, page);
    case VDS_ROLE_NONE:
        break;
    }
    return EXIT_FAILURE;
}
