/* SPDX-License-Identifier: MIT */
#include "watch.h"

#ifdef HAVE_SECCOMP

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <seccomp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "server/log.h"

#include "layers.h"

#define CALLS_MAX 1024 /* no architecture has so many */
#define FILES_MAX 256  /* that are named */

static struct watch {
    int notifications, files;
    atomic_bool all;
    bool called[CALLS_MAX];
    uint64_t opened[FILES_MAX]; /* hashes of names */
    size_t opened_count;
} watch;

/* ---- Files */

/* The string at this address of the process, which may not be there. */
static bool read_path(uint64_t address, char path[static PATH_MAX])
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), first = page - address % page;
    const struct iovec to = {path, PATH_MAX - 1};
    const struct iovec from[] = {
        {(void *)(uintptr_t)address, first < PATH_MAX - 1 ? first : PATH_MAX - 1},
        {(void *)(uintptr_t)(address + first), first < PATH_MAX - 1 ? PATH_MAX - 1 - first : 0},
    };
    const ssize_t size = process_vm_readv(getpid(), &to, 1, from, 2, 0);
    path[size < 0 ? 0 : size] = '\0';
    return path[0];
}

static bool is_new(const char *path)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (const char *c = path; *c; c++)
        hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < watch.opened_count; i++)
        if (watch.opened[i] == hash)
            return false;
    if (watch.opened_count == FILES_MAX)
        return false;
    watch.opened[watch.opened_count++] = hash;
    return true;
}

/* This thread is restricted as the whole process would be, and so it can try. Not by openat(), which it
 * would be told of itself. */
static void try_to_open(int folder, const char *path, int flags)
{
    struct open_how how = {
        .flags = (uint64_t)((flags & (O_ACCMODE | O_DIRECTORY | O_PATH)) | O_CLOEXEC | O_NONBLOCK),
    };
    const long fd = syscall(SYS_openat2, folder, path, &how, sizeof(how));
    if (fd >= 0) {
        close((int)fd);
        return;
    }
    const int wanted = ((flags & O_ACCMODE) == O_RDONLY ? R_OK : 0) |
                       ((flags & O_ACCMODE) == O_WRONLY ? W_OK : 0) |
                       ((flags & O_ACCMODE) == O_RDWR ? R_OK | W_OK : 0);
    /* Whether it is the sandbox that does not let it. Landlock does not mind this question. */
    const bool refused = errno == ENOENT
                             ? (flags & O_CREAT) != 0
                             : errno == EACCES && faccessat(folder, path, wanted, 0) == 0;
    if (refused && is_new(path))
        vds_log(VDS_LOG_WARNING, "sandbox: would refuse to open %s%s", path,
                wanted & W_OK ? " for writing" : "");
}

/* ---- Calls */

static bool writes_code(const struct seccomp_data *call)
{
    return (call->nr == SYS_mmap || call->nr == SYS_mprotect) &&
           (call->args[2] & (PROT_WRITE | PROT_EXEC)) == (PROT_WRITE | PROT_EXEC);
}

static void say(const struct seccomp_data *call)
{
    if (call->nr < 0 || call->nr >= CALLS_MAX || watch.called[call->nr])
        return;
    watch.called[call->nr] = true;
    const char *name = vds_calls_name(call->nr);
    vds_log(VDS_LOG_WARNING,
            "sandbox: would %s system call %s (%d), arguments 0x%llx 0x%llx 0x%llx",
            vds_calls_refused(call->nr) || writes_code(call) ? "refuse" : "stop",
            name ? name : "without a name", call->nr, (unsigned long long)call->args[0],
            (unsigned long long)call->args[1], (unsigned long long)call->args[2]);
}

static void *run(void *data)
{
    struct seccomp_notif *request;
    struct seccomp_notif_resp *response;
    char path[PATH_MAX];
    (void)data;
    const bool restricted = watch.files >= 0 && vds_files_restrict(watch.files);
    if (seccomp_notify_alloc(&request, &response) < 0)
        return NULL;
    for (;;) {
        memset(request, 0, sizeof(*request));
        if (seccomp_notify_receive(watch.notifications, request) < 0)
            continue;
        const struct seccomp_data *call = &request->data;
        if (call->nr != SYS_openat) {
            if (atomic_load(&watch.all))
                say(call);
        } else if (restricted && read_path(call->args[1], path)) {
            try_to_open((int)call->args[0], path, (int)call->args[2]);
        }
        memset(response, 0, sizeof(*response));
        response->id = request->id;
        response->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        seccomp_notify_respond(watch.notifications, response);
    }
}

bool vds_calls_start_watching(int notifications, int files)
{
    pthread_t thread;
    watch.notifications = notifications;
    watch.files = files;
    errno = notifications < 0 ? EINVAL : pthread_create(&thread, NULL, run, NULL);
    return errno == 0;
}

void vds_calls_watch_all(void)
{
    atomic_store(&watch.all, true);
}

#endif
