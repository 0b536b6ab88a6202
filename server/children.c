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

#include "common/clock.h"
#include "common/pass_fds.h"

#include "child.h"
#include "child_page.h"
#include "client_log.h"
#include "log.h"
#include "names.h"
#include "quota.h"
#include "shader_cache.h"
#include "virtio_gpu/spawn.h"
#include "worker.h"

#define LABEL_SIZE    (VDS_CLIENT_NAME_SIZE + 32)
#define ARGUMENTS_MAX 128

/* How long a server must have lived before it starts the compiler: for a single short program it is not worth
 * its time, and would take it from that. What earlier servers left is there before. */
#define COMPILE_AFTER_MS 1000

struct child {
    struct child *next;
    pid_t pid;
    int channel; /* of a worker: through which it gets its client, and asks for memory; else -1 */
    uint64_t granted;            /* bytes that it may have */
    unsigned number;             /* of its client; 0: it has none yet */
    uid_t user;                  /* whose client that is */
    pid_t process;               /* that has connected; 0: it can not be seen from here */
    struct vds_child_page *page; /* shared with the child, who may write anything */
    struct vds_client_log log;
    bool is_device, is_compiler;
    bool is_old_spare;      /* there is a better one */
    int spawn;              /* of a device: what it asks us for comes here; -1: there is none */
    pid_t device;           /* of a worker that a device has asked for, else 0 */
    uint32_t device_number; /* and the device's name for it */
};

struct vds_children {
    const struct vds_children_options *options;
    struct child *first;
    struct child *spare;         /* one of them, ready for the next client; may be NULL */
    bool wants_spare;            /* start one when there is time */
    bool wants_compiler;         /* and the compiler, not before */
    uint64_t compile_at;         /* then, in milliseconds */
    unsigned client_count;       /* since the start */
    struct vds_memory_ways ways; /* what workers have found out */
    bool stopping;
};

/* ---- The list */

/* The child's name in the log. */
static const char *label(const struct child *child, char text[static LABEL_SIZE])
{
    char name[VDS_CLIENT_NAME_SIZE];
    memcpy(name, child->page->name, sizeof(name));
    name[sizeof(name) - 1] = '\0';
    if (child->is_device)
        snprintf(text, LABEL_SIZE, "guest %u", child->number);
    else if (child->is_compiler)
        snprintf(text, LABEL_SIZE, "the compiler of shaders");
    else if (!child->number)
        snprintf(text, LABEL_SIZE, "a worker");
    else if (name[0])
        snprintf(text, LABEL_SIZE, "client %u (%s)", child->number, name);
    else
        snprintf(text, LABEL_SIZE, "client %u", child->number);
    return text;
}

static void close_sockets(struct child *child)
{
    if (child->channel >= 0)
        close(child->channel);
    if (child->spawn >= 0)
        close(child->spawn);
    child->channel = -1;
    child->spawn = -1;
}

static void drop(struct vds_children *children, struct child *child)
{
    struct child **link = &children->first;
    while (*link != child)
        link = &(*link)->next;
    *link = child->next;
    close_sockets(child);
    if (child->log.fd >= 0)
        close(child->log.fd);
    if (child->page != MAP_FAILED)
        munmap(child->page, sizeof(*child->page));
    free(child);
}

/* What a child needs of us: a page that it shares and a pipe for its log. Its ends are in *page and
 * *log. NULL, with a line in the log, without memory or descriptors. */
static struct child *add(struct vds_children *children, int *page, int *log)
{
    struct child *child = calloc(1, sizeof(*child));
    if (!child) {
        vds_log(VDS_LOG_ERROR, "no memory for a worker");
        return NULL;
    }
    child->channel = -1;
    child->spawn = -1;
    child->log.fd = -1;
    child->page = MAP_FAILED;
    child->next = children->first;
    children->first = child;
    *page = memfd_create("viaduct-child", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    /* Sealed: a child could take it away from under our eyes. */
    if (*page >= 0 && ftruncate(*page, sizeof(*child->page)) == 0 &&
        fcntl(*page, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        child->page =
            mmap(NULL, sizeof(*child->page), PROT_READ | PROT_WRITE, MAP_SHARED, *page, 0);
    if (child->page != MAP_FAILED)
        vds_memory_ways_copy(&child->page->ways, &children->ways);
    if (child->page != MAP_FAILED)
        child->page->has_seal_key = vds_seal_get_key(child->page->seal_key);
    if (child->page != MAP_FAILED && vds_client_log_open(&child->log, log))
        return child;
    vds_log(VDS_LOG_ERROR, "no memory or descriptors for a worker: %s", strerror(errno));
    if (*page >= 0)
        close(*page);
    drop(children, child);
    return NULL;
}

struct vds_children *vds_children_create(const struct vds_children_options *options)
{
    struct vds_children *children = malloc(sizeof(*children));
    if (!children)
        return NULL;
    *children = (struct vds_children){
        .options = options,
        .wants_spare = true,
        .wants_compiler = options->compiles,
        .compile_at = vd_clock_ms() + COMPILE_AFTER_MS,
    };
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

/* Leaves the standard streams (nothing, nothing, the log) and what VDS_CHILD_* says, and no more. The
 * descriptors of `fds` that are -1 are not there. */
static bool arrange_descriptors(int log, const int fds[static VDS_CHILD_FDS_END])
{
    int high[VDS_CHILD_FDS_END];
    /* First to where none is in the way of another. */
    for (int i = VDS_CHILD_PAGE; i < VDS_CHILD_FDS_END; i++) {
        high[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD, VDS_CHILD_FDS_END + 1);
        if (fds[i] >= 0 && high[i] < 0)
            return false;
    }
    const int nothing = open("/dev/null", O_RDWR);
    if (dup2(log, STDERR_FILENO) < 0)
        return false;
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(nothing, STDOUT_FILENO) < 0)
        return false;
    for (int i = VDS_CHILD_PAGE; i < VDS_CHILD_FDS_END; i++) {
        if (high[i] >= 0 && dup2(high[i], i) < 0)
            return false;
        if (high[i] < 0)
            close(i);
    }
    close_from(VDS_CHILD_FDS_END);
    return true;
}

/* What each child does. Returns its exit status. */
static int become(struct vds_children *children, enum vds_role role, int log,
                  const int fds[static VDS_CHILD_FDS_END])
{
    const struct vds_children_options *options = children->options;
    /* SIGKILL: when the listener is killed, its workers are to go at once, too. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* A terminal's SIGINT and SIGHUP go to every process; the listener passes on SIGTERM. */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (role == VDS_ROLE_DEVICE)
        sigaddset(&set, SIGTERM);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    if (!arrange_descriptors(log, fds))
        return EXIT_FAILURE;
    if (options->argv) {
        if (!vds_sandbox_complete(options->sandbox)) {
            vds_log(VDS_LOG_ERROR, "no namespaces for a worker: %s", strerror(errno));
            return EXIT_FAILURE;
        }
        const char *arguments[ARGUMENTS_MAX + 1] = {options->argv[0], VDS_CHILD_ARGUMENT,
                                                    vds_role_name(role)};
        for (int from = 1, to = 3; to < ARGUMENTS_MAX && options->argv[from]; from++, to++)
            arguments[to] = options->argv[from];
        fcntl(VDS_CHILD_PROGRAM, F_SETFD, FD_CLOEXEC);
        /* By descriptor: the program that we are, even if its file has been replaced. */
        syscall(SYS_execveat, VDS_CHILD_PROGRAM, "", arguments, environ, AT_EMPTY_PATH);
        vds_log(VDS_LOG_ERROR, "can not execute a worker anew: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    vds_log_to_listener();
    const struct vds_child_options self = {
        .role = role,
        .context = *options->context,
        .sandbox = options->sandbox,
        .handshake_seconds = options->handshake_seconds,
        .run_device = options->run_device,
    };
    return vds_child_run(&self);
}

/* The listener's list, in a child: its descriptors are closed, and their numbers may be the child's. */
static void forget(struct vds_children *children)
{
    while (children->first) {
        struct child *child = children->first;
        children->first = child->next;
        free(child);
    }
    children->spare = NULL;
}

/* Makes the process: true in it, as in children.h. `fds` and `log` are given away. The child without a
 * pid could not be made, and is gone. */
static bool start(struct vds_children *children, struct child **child, enum vds_role role, int log,
                  const int fds[static VDS_CHILD_FDS_END], int *status)
{
    const pid_t pid = vds_sandbox_fork(children->options->sandbox, children->options->argv);
    if (pid == 0) {
        *status = become(children, role, log, fds);
        if (children->options->argv)
            _exit(*status); /* only what exec() needs is there */
        forget(children);
        return true;
    }
    close(log);
    close(fds[VDS_CHILD_PAGE]);
    if (fds[VDS_CHILD_CHANNEL] >= 0)
        close(fds[VDS_CHILD_CHANNEL]);
    (*child)->pid = pid;
    if (pid < 0) {
        vds_log(VDS_LOG_ERROR, "no process: %s", strerror(errno));
        drop(children, *child);
        *child = NULL;
    }
    return false;
}

/* ---- Workers */

/* Makes a worker without a client, children->spare; `early`: which is not needed yet. */
static bool start_worker(struct vds_children *children, bool early, int *status)
{
    int channel[2], page, log;
    struct child *worker = add(children, &page, &log);
    if (!worker)
        return false;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0) {
        vds_log(VDS_LOG_ERROR, "no descriptors for a worker: %s", strerror(errno));
        close(page);
        close(log);
        drop(children, worker);
        return false;
    }
    worker->channel = channel[0];
    children->wants_spare = false;
    const int fds[VDS_CHILD_FDS_END] = {
        [VDS_CHILD_PAGE] = page,
        [VDS_CHILD_CHANNEL] = channel[1],
        [VDS_CHILD_FRONTEND] = -1,
        [VDS_CHILD_PROGRAM] = children->options->program,
    };
    if (start(children, &worker, early ? VDS_ROLE_EARLY_WORKER : VDS_ROLE_WORKER, log, fds, status))
        return true;
    children->spare = worker;
    return false;
}

/* ---- The compiler */

static bool start_compiler(struct vds_children *children, int *status)
{
    int page, log;
    struct child *compiler = add(children, &page, &log);
    children->wants_compiler = false;
    if (!compiler)
        return false;
    compiler->is_compiler = true;
    const int fds[VDS_CHILD_FDS_END] = {
        [VDS_CHILD_PAGE] = page,
        [VDS_CHILD_CHANNEL] = -1,
        [VDS_CHILD_FRONTEND] = -1,
        [VDS_CHILD_PROGRAM] = children->options->program,
    };
    /* It makes a device of each physical device only where it has to find out about its memory. */
    atomic_store(&compiler->page->ways.count, 0);
    return start(children, &compiler, VDS_ROLE_COMPILER, log, fds, status);
}

int vds_children_timeout(const struct vds_children *children)
{
    if (!children->wants_compiler || children->stopping)
        return -1;
    const uint64_t now = vd_clock_ms();
    return children->compile_at > now ? (int)(children->compile_at - now) : 0;
}

bool vds_children_start_ahead(struct vds_children *children, int *status)
{
    if (children->wants_spare && !children->spare && !children->stopping &&
        start_worker(children, true, status))
        return true;
    return vds_children_timeout(children) == 0 && start_compiler(children, status);
}

/* The process that has connected; 0: it can not be seen from here. */
static pid_t process_of(int client)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

/* If `device` is not 0, that one asks for it, and calls the worker `device_number`. */
static bool serve(struct vds_children *children, int client, uid_t user, pid_t device,
                  uint32_t device_number, int *status)
{
    const unsigned number = ++children->client_count;
    /* A spare that has died in the meantime does not take it; a new one does. */
    for (int attempt = 0; attempt < 2; attempt++) {
        if (!children->spare && start_worker(children, false, status))
            return true;
        struct child *worker = children->spare;
        children->spare = NULL;
        const struct vds_worker_client arrival = {.number = number, .guest = device != 0};
        /* Now, for no client has had anything to say yet to what stands there. */
        if (worker)
            vds_memory_ways_copy(&children->ways, &worker->page->ways);
        const pid_t peer = process_of(client);
        const int process = peer > 0 ? (int)syscall(SYS_pidfd_open, peer, 0) : -1;
        const bool given =
            worker && vds_worker_give_client(worker->channel, client, process, &arrival);
        if (process >= 0)
            close(process);
        if (given) {
            worker->number = number;
            worker->user = user;
            worker->process = peer;
            worker->device = device;
            worker->device_number = device_number;
            return false;
        }
    }
    vds_log(VDS_LOG_ERROR, "no worker for client %u", number);
    return false;
}

bool vds_children_serve_client(struct vds_children *children, int client, uid_t user, int *status)
{
    return serve(children, client, user, 0, 0, status);
}

static bool is_served(const struct child *child)
{
    return child->number && !child->device;
}

unsigned vds_children_count(const struct vds_children *children)
{
    unsigned count = 0;
    for (const struct child *child = children->first; child; child = child->next)
        count += is_served(child);
    return count;
}

unsigned vds_children_count_of(const struct vds_children *children, uid_t user)
{
    unsigned count = 0;
    for (const struct child *child = children->first; child; child = child->next)
        count += is_served(child) && child->user == user;
    return count;
}

static const struct child *device_of(const struct vds_children *children, const struct child *child)
{
    const struct child *device = child->device ? children->first : NULL;
    while (device && !(device->is_device && device->pid == child->device))
        device = device->next;
    return device;
}

/* The next one after the client `number` that has a worker; NULL: that was the last. */
static const struct child *next_client(const struct vds_children *children, unsigned number)
{
    const struct child *next = NULL;
    for (const struct child *child = children->first; child; child = child->next)
        if (!child->is_device && child->number > number && (!next || child->number < next->number))
            next = child;
    return next;
}

void vds_children_visit(const struct vds_children *children,
                        void (*visit)(void *data, const struct vds_client_view *view), void *data)
{
    const struct child *child = NULL;
    while ((child = next_client(children, child ? child->number : 0))) {
        const struct child *device = device_of(children, child);
        const struct vds_client_view view = {
            .number = child->number,
            .user = child->user,
            .process = device ? device->process : child->process,
            .worker = child->pid,
            .guest = device ? device->number : 0,
            .page = child->page,
        };
        visit(data, &view);
    }
}

/* ---- Devices */

bool vds_children_serve_frontend(struct vds_children *children, int frontend, uid_t user,
                                 int *status)
{
    int spawn[2], page, log;
    struct child *device = add(children, &page, &log);
    if (!device)
        return false;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, spawn) < 0) {
        vds_log(VDS_LOG_ERROR, "no descriptors for a device: %s", strerror(errno));
        close(page);
        close(log);
        drop(children, device);
        return false;
    }
    /* It knows how long each message is. */
    fcntl(frontend, F_SETFL, fcntl(frontend, F_GETFL) & ~O_NONBLOCK);
    device->is_device = true;
    device->number = ++children->client_count;
    device->user = user;
    device->process = process_of(frontend);
    device->spawn = spawn[0];
    const int fds[VDS_CHILD_FDS_END] = {
        [VDS_CHILD_PAGE] = page,
        [VDS_CHILD_CHANNEL] = spawn[1],
        [VDS_CHILD_FRONTEND] = frontend,
        [VDS_CHILD_PROGRAM] = children->options->program,
    };
    return start(children, &device, VDS_ROLE_DEVICE, log, fds, status);
}

unsigned vds_children_source_count(const struct vds_children *children)
{
    unsigned count = 0;
    for (const struct child *child = children->first; child; child = child->next)
        count += (child->spawn >= 0) + (child->channel >= 0) + (child->log.fd >= 0);
    return count;
}

unsigned vds_children_add_sources(const struct vds_children *children, struct pollfd *sources,
                                  unsigned max)
{
    unsigned count = 0;
    for (const struct child *child = children->first; child && count + 3 <= max;
         child = child->next) {
        if (child->spawn >= 0)
            sources[count++] = (struct pollfd){.fd = child->spawn, .events = POLLIN};
        if (child->channel >= 0 && child->number)
            sources[count++] = (struct pollfd){.fd = child->channel, .events = POLLIN};
        if (child->log.fd >= 0)
            sources[count++] = (struct pollfd){.fd = child->log.fd, .events = POLLIN};
    }
    return count;
}

bool vds_children_have_device(const struct vds_children *children)
{
    for (const struct child *child = children->first; child; child = child->next)
        if (child->spawn >= 0)
            return true;
    return false;
}

static void kill_device_worker(const struct vds_children *children, pid_t device, uint32_t number)
{
    for (const struct child *child = children->first; child; child = child->next)
        if (child->device == device && child->device_number == number)
            kill(child->pid, SIGKILL);
}

static bool fits(uint64_t limit, uint64_t others, uint64_t bytes)
{
    return limit == 0 || (others <= limit && bytes <= limit - others);
}

/* What may be had of `bytes` beside what others have. */
static bool is_free(const struct vds_children *children, const struct child *asking, uint64_t bytes)
{
    uint64_t of_user = 0, of_all = 0;
    for (const struct child *child = children->first; child; child = child->next) {
        if (child == asking)
            continue;
        of_all += child->granted;
        of_user += child->user == asking->user ? child->granted : 0;
    }
    return fits(children->options->memory_of_user, of_user, bytes) &&
           fits(children->options->memory, of_all, bytes);
}

/* What a worker asks for. It can ask for nothing that others have; less is always granted. */
static void grant(struct vds_children *children, struct child *worker)
{
    struct vds_quota_request request;
    const ssize_t received = recv(worker->channel, &request, sizeof(request), MSG_DONTWAIT);
    if (received < 0 && errno == EAGAIN)
        return;
    if (received != sizeof(request)) {
        close_sockets(worker); /* it is about to end */
        return;
    }
    const uint64_t most = UINT64_MAX / 1024; /* so that a sum of all is one */
    if (request.want <= most && is_free(children, worker, request.want))
        worker->granted = request.want;
    else if (request.need <= most && is_free(children, worker, request.need))
        worker->granted = request.need;
    ssize_t sent = send(worker->channel, &worker->granted, sizeof(worker->granted),
                        MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent;
}

bool vds_children_handle_source(struct vds_children *children, int fd, int *status)
{
    char text[LABEL_SIZE];
    struct child *device = children->first;
    while (device && device->spawn != fd && device->channel != fd && device->log.fd != fd)
        device = device->next;
    if (!device)
        return false;
    if (device->channel == fd) {
        grant(children, device);
        return false;
    }
    if (device->log.fd == fd) {
        vds_client_log_pass_on(&device->log, label(device, text), children->options->log_lines);
        return false;
    }
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
                   serve(children, client, device->user, device->pid, spawn.number, status);
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

/* The call that a worker was in; VD_OP_NOP: in none. Anything may stand there. */
static uint32_t last_call(const struct vds_child_page *page)
{
    uint32_t opcode = atomic_load(&page->counters.opcode);
    for (unsigned i = 0; !opcode && i < VDS_LONG_CALLS_MAX; i++)
        opcode = atomic_load(&page->counters.long_calls[i].opcode);
    return opcode;
}

static bool has_compiled(int status)
{
    return WIFEXITED(status) &&
           (WEXITSTATUS(status) == EXIT_SUCCESS || WEXITSTATUS(status) == VDS_SHADER_CACHE_NEWS);
}

/* What the compiler has found out is known from now on; no client was there to tell lies. A spare worker has
 * looked for the cache already, and not found the news. */
static void heed_compiler(struct vds_children *children, const struct child *compiler, int status)
{
    if (!has_compiled(status))
        return;
    if (atomic_load(&children->ways.count) == 0)
        vds_memory_ways_copy(&children->ways, &compiler->page->ways);
    if (WEXITSTATUS(status) == VDS_SHADER_CACHE_NEWS && children->spare) {
        children->spare->is_old_spare = true;
        kill(children->spare->pid, SIGTERM);
        children->spare = NULL;
        children->wants_spare = true;
    }
    vds_log(VDS_LOG_DEBUG, "the cache of shaders is ready");
}

static void report(const struct vds_children *children, const struct child *child, int status)
{
    if (child->is_old_spare)
        return;
    if (child->is_compiler) {
        if (WIFSIGNALED(status) && !children->stopping)
            vds_log(VDS_LOG_WARNING, "the compiler of shaders was ended by signal %d (%s)",
                    WTERMSIG(status), strsignal(WTERMSIG(status)));
        else if (!has_compiled(status) && !children->stopping)
            vds_log(VDS_LOG_WARNING, "the compiler of shaders failed with status %d",
                    WEXITSTATUS(status));
        return;
    }
    if (!child->number) {
        vds_log(children->stopping ? VDS_LOG_DEBUG : VDS_LOG_WARNING,
                "a worker ended before it had a client");
        return;
    }
    char shown[LABEL_SIZE];
    label(child, shown);
    const int stopped = atomic_load(&child->page->stopped_call) - 1;
    const bool asked = children->stopping && WIFSIGNALED(status) &&
                       (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM);
    if (stopped >= 0) {
        const char *name = vds_sandbox_call_name(stopped);
        vds_log(VDS_LOG_ERROR, "%s: the sandbox ended its process for the system call %s (%d)",
                shown, name ? name : "without a name", stopped);
    } else if (WIFSIGNALED(status) && !asked) {
        const uint32_t opcode = last_call(child->page);
        vds_log(VDS_LOG_ERROR, "%s: its worker was ended by signal %d (%s)%s%s%s", shown,
                WTERMSIG(status), strsignal(WTERMSIG(status)),
                WCOREDUMP(status) ? ", core dumped" : "", opcode ? ", while it was in " : "",
                opcode ? vd_opcode_name(opcode) : "");
    } else if (WIFEXITED(status)) {
        vds_log(VDS_LOG_DEBUG, "%s: its worker ended with status %d", shown, WEXITSTATUS(status));
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
        char text[LABEL_SIZE];
        vds_client_log_close(&child->log, label(child, text), children->options->log_lines);
        if (child->is_compiler)
            heed_compiler(children, child, status);
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
