/* SPDX-License-Identifier: MIT */
#include "children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/pass_fds.h"

#include "log.h"
#include "virtio_gpu/spawn.h"
#include "worker.h"

struct child {
    struct child *next;
    pid_t pid;
    int channel;     /* of a worker without a client: through which it gets one; else -1 */
    unsigned number; /* of its client; 0: it has none yet */
    char *name;      /* VDS_CLIENT_NAME_SIZE bytes shared with the worker, who may write anything */
    int spawn;       /* of a device: what it asks us for comes here; -1: it is a worker */
    pid_t device;    /* of a worker that a device has asked for, else 0 */
    uint32_t device_number; /* and the device's name for it */
};

struct vds_children {
    const struct vds_context_options *context;
    vds_run_device run_device;
    struct child *first;
    struct child *spare;   /* one of them, ready for the next client; may be NULL */
    bool wants_spare;      /* start one when there is time */
    unsigned client_count; /* since the start */
    bool stopping;
};

/* ---- The list */

static void close_sockets(struct child *child)
{
    if (child->channel >= 0)
        close(child->channel);
    if (child->spawn >= 0)
        close(child->spawn);
    child->channel = -1;
    child->spawn = -1;
}

/* Into the list. NULL, with a line in the log, without memory. */
static struct child *add(struct vds_children *children)
{
    struct child *child = calloc(1, sizeof(*child));
    if (!child) {
        vds_log(VDS_LOG_ERROR, "no memory for a worker");
        return NULL;
    }
    child->channel = -1;
    child->spawn = -1;
    child->name =
        mmap(NULL, VDS_CLIENT_NAME_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (child->name == MAP_FAILED) {
        vds_log(VDS_LOG_ERROR, "no memory for a worker: %s", strerror(errno));
        free(child);
        return NULL;
    }
    child->next = children->first;
    children->first = child;
    return child;
}

static void drop(struct vds_children *children, struct child *child)
{
    struct child **link = &children->first;
    while (*link != child)
        link = &(*link)->next;
    *link = child->next;
    close_sockets(child);
    munmap(child->name, VDS_CLIENT_NAME_SIZE);
    free(child);
}

struct vds_children *vds_children_create(const struct vds_context_options *context,
                                         vds_run_device run_device)
{
    struct vds_children *children = malloc(sizeof(*children));
    if (!children)
        return NULL;
    *children =
        (struct vds_children){.context = context, .run_device = run_device, .wants_spare = true};
    return children;
}

void vds_children_destroy(struct vds_children *children)
{
    if (!children)
        return;
    while (children->first)
        drop(children, children->first);
    free(children);
}

/* ---- The child's side of fork() */

/* Closes everything from `first` on. */
static void close_from(unsigned first)
{
    if (syscall(SYS_close_range, first, ~0u, 0) == 0)
        return;
    const long max = sysconf(_SC_OPEN_MAX);
    for (long fd = first; fd < (max < 0 || max > 65536 ? 65536 : max); fd++)
        close((int)fd);
}

/* What each child does first. False: the listener is gone already. */
static bool begin(struct vds_children *children, pid_t parent)
{
    /* SIGKILL: when the listener is killed, its workers are to go at once, too. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        return false;
    /* A terminal's SIGINT goes to every process; the listener passes on SIGTERM. */
    signal(SIGINT, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    /* The other children's sockets are the listener's. */
    for (struct child *child = children->first; child; child = child->next)
        close_sockets(child);
    return true;
}

/* Returns its exit status. */
static int become_worker(struct vds_children *children, const struct child *self, int channel,
                         bool early, pid_t parent)
{
    if (!begin(children, parent))
        return EXIT_FAILURE;
    const int kept = STDERR_FILENO + 1;
    if (channel != kept && dup3(channel, kept, O_CLOEXEC) < 0)
        return EXIT_FAILURE;
    close_from(kept + 1);

    const struct vds_worker_options options = {
        .context = *children->context,
        .early = early,
        .name = self->name,
    };
    return vds_worker_run(kept, &options);
}

/* Returns its exit status. */
static int become_device(struct vds_children *children, const struct child *self, int frontend,
                         int spawn, pid_t parent)
{
    if (!begin(children, parent))
        return EXIT_FAILURE;
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_UNBLOCK, &term, NULL);
    /* To where close_from does not reach, and neither is in the way of the other. */
    const int first = STDERR_FILENO + 1;
    const int high = fcntl(spawn, F_DUPFD_CLOEXEC, first + 2);
    if (high < 0 || (frontend != first && dup3(frontend, first, O_CLOEXEC) < 0) ||
        dup3(high, first + 1, O_CLOEXEC) < 0)
        return EXIT_FAILURE;
    close_from(first + 2);
    return children->run_device(first, first + 1, self->number);
}

/* ---- Workers */

/* Makes a worker without a client, children->spare; `early`: which is not needed yet. */
static bool start_worker(struct vds_children *children, bool early, int *status)
{
    int channel[2];
    struct child *worker = add(children);
    if (!worker)
        return false;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0) {
        vds_log(VDS_LOG_ERROR, "no descriptors for a worker: %s", strerror(errno));
        drop(children, worker);
        return false;
    }
    worker->channel = channel[0];
    children->wants_spare = false;
    const pid_t self = getpid();
    worker->pid = fork();
    if (worker->pid == 0) {
        *status = become_worker(children, worker, channel[1], early, self);
        return true;
    }
    close(channel[1]);
    if (worker->pid < 0) {
        vds_log(VDS_LOG_ERROR, "no worker: %s", strerror(errno));
        drop(children, worker);
        return false;
    }
    children->spare = worker;
    return false;
}

bool vds_children_start_spare(struct vds_children *children, int *status)
{
    return children->wants_spare && !children->spare && !children->stopping &&
           start_worker(children, true, status);
}

/* If `device` is not 0, that one asks for it, and calls the worker `device_number`. */
static bool serve(struct vds_children *children, int client, pid_t device, uint32_t device_number,
                  int *status)
{
    const unsigned number = ++children->client_count;
    /* A spare that has died in the meantime does not take it; a new one does. */
    for (int attempt = 0; attempt < 2; attempt++) {
        if (!children->spare && start_worker(children, false, status))
            return true;
        struct child *worker = children->spare;
        children->spare = NULL;
        const struct vds_worker_client arrival = {.number = number, .guest = device != 0};
        if (worker && vds_worker_give_client(worker->channel, client, &arrival)) {
            worker->number = number;
            worker->device = device;
            worker->device_number = device_number;
            close_sockets(worker);
            return false;
        }
    }
    vds_log(VDS_LOG_ERROR, "no worker for client %u", number);
    return false;
}

bool vds_children_serve_client(struct vds_children *children, int client, int *status)
{
    return serve(children, client, 0, 0, status);
}

/* ---- Devices */

bool vds_children_serve_frontend(struct vds_children *children, int frontend, int *status)
{
    int spawn[2];
    struct child *device = add(children);
    if (!device)
        return false;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, spawn) < 0) {
        vds_log(VDS_LOG_ERROR, "no descriptors for a device: %s", strerror(errno));
        drop(children, device);
        return false;
    }
    /* It knows how long each message is. */
    fcntl(frontend, F_SETFL, fcntl(frontend, F_GETFL) & ~O_NONBLOCK);
    device->number = ++children->client_count;
    device->spawn = spawn[0];
    snprintf(device->name, VDS_CLIENT_NAME_SIZE, "a guest's device");
    const pid_t self = getpid();
    device->pid = fork();
    if (device->pid == 0) {
        *status = become_device(children, device, frontend, spawn[1], self);
        return true;
    }
    close(spawn[1]);
    if (device->pid < 0) {
        vds_log(VDS_LOG_ERROR, "no device: %s", strerror(errno));
        drop(children, device);
    }
    return false;
}

unsigned vds_children_source_count(const struct vds_children *children)
{
    unsigned count = 0;
    for (const struct child *child = children->first; child; child = child->next)
        count += child->spawn >= 0;
    return count;
}

unsigned vds_children_add_sources(const struct vds_children *children, struct pollfd *sources,
                                  unsigned max)
{
    unsigned count = 0;
    for (const struct child *child = children->first; child && count < max; child = child->next)
        if (child->spawn >= 0)
            sources[count++] = (struct pollfd){.fd = child->spawn, .events = POLLIN};
    return count;
}

static void kill_device_worker(const struct vds_children *children, pid_t device, uint32_t number)
{
    for (const struct child *child = children->first; child; child = child->next)
        if (child->device == device && child->device_number == number)
            kill(child->pid, SIGKILL);
}

bool vds_children_handle_source(struct vds_children *children, int fd, int *status)
{
    struct child *device = children->first;
    while (device && device->spawn != fd)
        device = device->next;
    if (!device)
        return false;
    struct vg_spawn spawn;
    int client = -1;
    unsigned count;
    const ssize_t received =
        vd_receive_fds(fd, &spawn, sizeof(spawn), &client, 1, &count, MSG_DONTWAIT);
    if (received < 0 && errno == EAGAIN)
        return false;
    if (received != sizeof(spawn)) {
        close_sockets(device); /* it is about to end */
        if (client >= 0)
            close(client);
        return false;
    }
    bool in_child = false;
    switch ((enum vg_spawn_action)spawn.action) {
    case VG_SPAWN_START:
        in_child = client >= 0 && !children->stopping &&
                   serve(children, client, device->pid, spawn.number, status);
        break;
    case VG_SPAWN_KILL:
        kill_device_worker(children, device->pid, spawn.number);
        break;
    }
    if (client >= 0 && !in_child)
        close(client);
    return in_child;
}

/* ---- Their end */

static void report(const struct vds_children *children, const struct child *child, int status)
{
    if (!child->number) {
        vds_log(children->stopping ? VDS_LOG_DEBUG : VDS_LOG_WARNING,
                "a worker ended before it had a client");
        return;
    }
    char name[VDS_CLIENT_NAME_SIZE];
    memcpy(name, child->name, sizeof(name));
    name[sizeof(name) - 1] = '\0';
    const char *shown = name[0] ? name : "unnamed";
    const bool asked = children->stopping && WIFSIGNALED(status) &&
                       (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM);
    if (WIFSIGNALED(status) && !asked) {
        vds_log(VDS_LOG_ERROR, "client %u (%s): its worker was ended by signal %d (%s)%s",
                child->number, shown, WTERMSIG(status), strsignal(WTERMSIG(status)),
                WCOREDUMP(status) ? ", core dumped" : "");
    } else if (WIFEXITED(status)) {
        vds_log(VDS_LOG_DEBUG, "client %u (%s): its worker ended with status %d", child->number,
                shown, WEXITSTATUS(status));
    }
}

void vds_children_reap(struct vds_children *children)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct child *child = children->first;
        while (child && child->pid != pid)
            child = child->next;
        if (!child)
            continue;
        if (children->spare == child)
            children->spare = NULL;
        /* Now rather than when a client came: that one wants the processor for itself. Not after a
         * spare, which may be the fate of all of them. */
        children->wants_spare |= child->number != 0;
        report(children, child, status);
        drop(children, child);
    }
}

void vds_children_stop(struct vds_children *children)
{
    children->stopping = true;
}

void vds_children_signal(const struct vds_children *children, int signal)
{
    for (const struct child *child = children->first; child; child = child->next)
        kill(child->pid, signal);
}

bool vds_children_remain(const struct vds_children *children)
{
    return children->first != NULL;
}
