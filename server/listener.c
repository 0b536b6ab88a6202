/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/pass_fds.h"

#include "listener.h"
#include "log.h"
#include "virtio_gpu/device.h"
#include "worker.h"

/* How long workers may take to end after SIGTERM. */
#define GRACE_MS 3000
/* How long nobody is accepted after the system ran out of something. */
#define PAUSE_MS 200
/* How many QEMUs are served at a time. */
#define DEVICES_MAX 64

struct worker_process {
    struct worker_process *next;
    pid_t pid;
    int channel;     /* through which it gets its client */
    unsigned number; /* of its client; 0: it has none yet */
    char *name;      /* VD_CLIENT_NAME_SIZE bytes shared with the worker, who may write anything */
    int spawn;       /* of a device: what it asks us for comes here; -1: it is a worker */
    pid_t device;    /* of a worker that a device has asked for, else 0 */
    uint32_t device_number; /* and the device's name for it */
};

struct listener {
    const struct vd_listener_options *options;
    int socket;
    int signal_fd;
    dev_t device; /* of the socket's file: what we may unlink */
    ino_t inode;
    struct worker_process *workers;
    struct worker_process *spare; /* one of the workers, ready for the next client; may be NULL */
    unsigned client_count;        /* since the start */
    bool wants_spare;             /* start one when there is time */
    bool stopping;
    bool paused;       /* nobody is accepted until `deadline` */
    uint64_t deadline; /* of the pause or, while stopping, of the grace */
};

/* ---- The socket */

/* Whether the process that listens at the other end is dead. A worker that it had just forked may
 * still hold the socket, for as long as it takes it to die, too. */
static bool is_orphan(int socket)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0 &&
           kill(peer.pid, 0) < 0 && errno == ESRCH;
}

/* What is in the way of a socket at this path? 0 after it has been removed, else an error. */
static int remove_stale(const struct sockaddr_un *address)
{
    struct stat before, after;
    if (lstat(address->sun_path, &before) < 0) {
        return errno == ENOENT ? 0 : errno;
    }
    if (!S_ISSOCK(before.st_mode)) {
        return EEXIST;
    }
    const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) {
        return errno;
    }
    int error = connect(probe, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0;
    if (error == 0 && is_orphan(probe)) {
        error = ECONNREFUSED;
    }
    close(probe);
    if (error == ENOENT) {
        return 0;
    }
    if (error != ECONNREFUSED) {
        /* Somebody answers, is too busy to, or does not let us ask. */
        return error == 0 || error == EAGAIN ? EADDRINUSE : error;
    }
    /* Another server may have replaced it in the meantime. */
    if (lstat(address->sun_path, &after) < 0) {
        return errno == ENOENT ? 0 : errno;
    }
    if (before.st_dev != after.st_dev || before.st_ino != after.st_ino) {
        return EADDRINUSE;
    }
    if (unlink(address->sun_path) < 0 && errno != ENOENT) {
        return errno;
    }
    vd_log(VD_LOG_INFO, "replaces the socket that a server left behind at %s", address->sun_path);
    return 0;
}

static bool open_socket(struct listener *listener)
{
    const char *path = listener->options->socket;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path[0] == '\0' || strlen(path) >= sizeof(address.sun_path)) {
        vd_log(VD_LOG_ERROR, "a socket's path has 1 to %zu bytes, this one has %zu: %s",
               sizeof(address.sun_path) - 1, strlen(path), path);
        return false;
    }
    strcpy(address.sun_path, path);

    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        vd_log(VD_LOG_ERROR, "can not make a socket: %s", strerror(errno));
        return false;
    }
    int error = 0;
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        error = errno;
    }
    if (error == EADDRINUSE) {
        error = remove_stale(&address);
        if (!error && bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
            error = errno;
        }
    }
    if (error) {
        vd_log(VD_LOG_ERROR, "can not listen at %s: %s", path,
               error == EADDRINUSE ? "another server does"
               : error == EEXIST   ? "there is a file that is no socket"
                                   : strerror(error));
        close(fd);
        return false;
    }
    struct stat file;
    if (lstat(address.sun_path, &file) < 0 || listen(fd, SOMAXCONN) < 0) {
        vd_log(VD_LOG_ERROR, "can not listen at %s: %s", address.sun_path, strerror(errno));
        unlink(address.sun_path);
        close(fd);
        return false;
    }
    listener->socket = fd;
    listener->device = file.st_dev;
    listener->inode = file.st_ino;
    return true;
}

static void close_socket(struct listener *listener)
{
    struct stat file;
    if (listener->socket < 0) {
        return;
    }
    if (lstat(listener->options->socket, &file) == 0 && file.st_dev == listener->device &&
        file.st_ino == listener->inode) {
        unlink(listener->options->socket);
    }
    close(listener->socket);
    listener->socket = -1;
}

/* ---- Workers */

/* Closes everything from `first` on. */
static void close_from(unsigned first)
{
    if (syscall(SYS_close_range, first, ~0u, 0) == 0) {
        return;
    }
    const long max = sysconf(_SC_OPEN_MAX);
    for (long fd = first; fd < (max < 0 || max > 65536 ? 65536 : max); fd++) {
        close((int)fd);
    }
}

/* What each child does first. False: the listener is gone already. */
static bool begin_child(pid_t parent)
{
    /* SIGKILL: when the listener is killed, its workers are to go at once, too. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent) {
        return false;
    }
    /* A terminal's SIGINT goes to every process; the listener passes on SIGTERM. */
    signal(SIGINT, SIG_IGN);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigaddset(&child, SIGINT);
    sigprocmask(SIG_UNBLOCK, &child, NULL);
    return true;
}

/* The child's side of fork(). Returns its exit status. */
static int become_worker(const struct listener *listener, int channel, bool early, pid_t parent,
                         const struct worker_process *worker)
{
    if (!begin_child(parent)) {
        return EXIT_FAILURE;
    }
    const int kept = STDERR_FILENO + 1;
    if (channel != kept && dup3(channel, kept, O_CLOEXEC) < 0) {
        return EXIT_FAILURE;
    }
    close_from(kept + 1);

    const struct vd_worker_options options = {
        .context = listener->options->context,
        .early = early,
        .name = worker->name,
    };
    return vd_worker_run(kept, &options);
}

static void free_worker(struct worker_process *worker)
{
    munmap(worker->name, VD_CLIENT_NAME_SIZE);
    if (worker->channel >= 0) {
        close(worker->channel);
    }
    if (worker->spawn >= 0) {
        close(worker->spawn);
    }
    free(worker);
}

/* NULL, with a line in the log, without memory. */
static struct worker_process *create_worker(void)
{
    struct worker_process *worker = calloc(1, sizeof(*worker));
    if (!worker) {
        vd_log(VD_LOG_ERROR, "no memory for a worker");
        return NULL;
    }
    worker->channel = -1;
    worker->spawn = -1;
    worker->name =
        mmap(NULL, VD_CLIENT_NAME_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (worker->name == MAP_FAILED) {
        vd_log(VD_LOG_ERROR, "no memory for a worker: %s", strerror(errno));
        free(worker);
        return NULL;
    }
    return worker;
}

/* Makes a worker without a client, listener->spare; `early`: which is not needed yet. Returns true in
 * the worker, with *status to exit with. */
static bool start_spare(struct listener *listener, bool early, int *status)
{
    int channel[2];
    struct worker_process *worker = create_worker();
    if (!worker) {
        return false;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0) {
        vd_log(VD_LOG_ERROR, "no descriptors for a worker: %s", strerror(errno));
        free_worker(worker);
        return false;
    }
    worker->channel = channel[0];
    listener->wants_spare = false;
    const pid_t self = getpid();
    worker->pid = fork();
    if (worker->pid == 0) {
        *status = become_worker(listener, channel[1], early, self, worker);
        worker->channel = -1; /* closed with everything else that was the listener's */
        free_worker(worker);
        return true;
    }
    close(channel[1]);
    if (worker->pid < 0) {
        vd_log(VD_LOG_ERROR, "no worker: %s", strerror(errno));
        free_worker(worker);
        return false;
    }
    worker->next = listener->workers;
    listener->workers = worker;
    listener->spare = worker;
    return false;
}

/* Gives the client, which a device asks us to serve under that number if it is not 0, to the spare
 * worker, or to a new one. Returns true in a new worker. */
static bool start_client(struct listener *listener, int client, pid_t device,
                         uint32_t device_number, int *status)
{
    const unsigned number = ++listener->client_count;
    /* A spare that has died in the meantime does not take it; a new one does. */
    for (int attempt = 0; attempt < 2; attempt++) {
        if (!listener->spare && start_spare(listener, false, status)) {
            return true;
        }
        struct worker_process *worker = listener->spare;
        listener->spare = NULL;
        const struct vd_worker_client arrival = {.number = number, .guest = device != 0};
        if (worker && vd_worker_give_client(worker->channel, client, &arrival)) {
            worker->number = number;
            worker->device = device;
            worker->device_number = device_number;
            close(worker->channel);
            worker->channel = -1;
            return false;
        }
    }
    vd_log(VD_LOG_ERROR, "no worker for client %u", number);
    return false;
}

/* ---- Devices */

/* The child's side of fork(). Returns its exit status. */
static int become_device(const struct listener *listener, int frontend, int spawn, pid_t parent,
                         unsigned number)
{
    if (!begin_child(parent)) {
        return EXIT_FAILURE;
    }
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_UNBLOCK, &term, NULL);
    /* To where close_from does not reach, and neither is in the way of the other. */
    const int first = STDERR_FILENO + 1;
    const int high = fcntl(spawn, F_DUPFD_CLOEXEC, first + 2);
    if (high < 0 || (frontend != first && dup3(frontend, first, O_CLOEXEC) < 0) ||
        dup3(high, first + 1, O_CLOEXEC) < 0) {
        return EXIT_FAILURE;
    }
    close_from(first + 2);
    return listener->options->run_device(first, first + 1, number);
}

/* Makes a device for a QEMU. Returns true in the device, with *status to exit with. */
static bool start_device(struct listener *listener, int frontend, int *status)
{
    int spawn[2];
    struct worker_process *device = create_worker();
    if (!device) {
        return false;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, spawn) < 0) {
        vd_log(VD_LOG_ERROR, "no descriptors for a device: %s", strerror(errno));
        free_worker(device);
        return false;
    }
    /* It knows how long each message is. */
    fcntl(frontend, F_SETFL, fcntl(frontend, F_GETFL) & ~O_NONBLOCK);
    device->number = ++listener->client_count;
    device->spawn = spawn[0];
    snprintf(device->name, VD_CLIENT_NAME_SIZE, "a guest's device");
    const pid_t self = getpid();
    device->pid = fork();
    if (device->pid == 0) {
        *status = become_device(listener, frontend, spawn[1], self, device->number);
        device->spawn = -1; /* closed with everything else that was the listener's */
        free_worker(device);
        return true;
    }
    close(spawn[1]);
    if (device->pid < 0) {
        vd_log(VD_LOG_ERROR, "no device: %s", strerror(errno));
        free_worker(device);
        return false;
    }
    device->next = listener->workers;
    listener->workers = device;
    return false;
}

static void kill_device_worker(const struct listener *listener, pid_t device, uint32_t number)
{
    for (const struct worker_process *worker = listener->workers; worker; worker = worker->next) {
        if (worker->device == device && worker->device_number == number) {
            kill(worker->pid, SIGKILL);
        }
    }
}

/* What a device asks for. As start_client. */
static bool handle_spawn(struct listener *listener, struct worker_process *device, int *status)
{
    struct vg_spawn spawn;
    int client = -1;
    unsigned count;
    const ssize_t received =
        vd_receive_fds(device->spawn, &spawn, sizeof(spawn), &client, 1, &count, MSG_DONTWAIT);
    if (received < 0 && errno == EAGAIN) {
        return false;
    }
    if (received != sizeof(spawn)) {
        close(device->spawn); /* it is about to end */
        device->spawn = -1;
        if (client >= 0) {
            close(client);
        }
        return false;
    }
    bool child = false;
    switch ((enum vg_spawn_action)spawn.action) {
    case VG_SPAWN_START:
        child = client >= 0 && !listener->stopping &&
                start_client(listener, client, device->pid, spawn.number, status);
        break;
    case VG_SPAWN_KILL:
        kill_device_worker(listener, device->pid, spawn.number);
        break;
    }
    if (client >= 0 && !child) {
        close(client);
    }
    return child;
}

/* ---- Arrivals */

static void pause_accepting(struct listener *listener)
{
    listener->paused = true;
    listener->deadline = vd_clock_ms() + PAUSE_MS;
}

/* As start_client. */
static bool accept_client(struct listener *listener, int *status)
{
    const int client = accept4(listener->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            vd_log(VD_LOG_ERROR, "can not accept a client: %s", strerror(errno));
            pause_accepting(listener);
        }
        return false;
    }
    if (listener->options->run_device ? start_device(listener, client, status)
                                      : start_client(listener, client, 0, 0, status)) {
        return true;
    }
    close(client);
    return false;
}

static void report(const struct listener *listener, const struct worker_process *worker, int status)
{
    if (!worker->number) {
        vd_log(listener->stopping ? VD_LOG_DEBUG : VD_LOG_WARNING,
               "a worker ended before it had a client");
        return;
    }
    char name[VD_CLIENT_NAME_SIZE];
    memcpy(name, worker->name, sizeof(name));
    name[sizeof(name) - 1] = '\0';
    const char *shown = name[0] ? name : "unnamed";
    const bool asked = listener->stopping && WIFSIGNALED(status) &&
                       (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM);
    if (WIFSIGNALED(status) && !asked) {
        vd_log(VD_LOG_ERROR, "client %u (%s): its worker was ended by signal %d (%s)%s",
               worker->number, shown, WTERMSIG(status), strsignal(WTERMSIG(status)),
               WCOREDUMP(status) ? ", core dumped" : "");
    } else if (WIFEXITED(status)) {
        vd_log(VD_LOG_DEBUG, "client %u (%s): its worker ended with status %d", worker->number,
               shown, WEXITSTATUS(status));
    }
}

static void reap_workers(struct listener *listener)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct worker_process **link = &listener->workers;
        while (*link && (*link)->pid != pid) {
            link = &(*link)->next;
        }
        struct worker_process *worker = *link;
        if (!worker) {
            continue;
        }
        *link = worker->next;
        if (listener->spare == worker) {
            listener->spare = NULL;
        }
        /* Now rather than when a client came: that one wants the processor for itself. Not after a
         * spare, which may be the fate of all of them. */
        listener->wants_spare |= worker->number != 0;
        report(listener, worker, status);
        free_worker(worker);
    }
}

static void signal_workers(const struct listener *listener, int signal)
{
    for (const struct worker_process *worker = listener->workers; worker; worker = worker->next) {
        kill(worker->pid, signal);
    }
}

/* ---- The loop */

static void begin_stop(struct listener *listener, int signal)
{
    if (listener->stopping) {
        /* Somebody is in a hurry. */
        signal_workers(listener, SIGKILL);
        return;
    }
    vd_log(VD_LOG_INFO, "stops after %s", signal ? strsignal(signal) : "its only connection");
    listener->stopping = true;
    listener->paused = false;
    listener->deadline = vd_clock_ms() + GRACE_MS;
    close_socket(listener);
    signal_workers(listener, SIGTERM);
}

static void handle_signals(struct listener *listener)
{
    struct signalfd_siginfo info;
    while (read(listener->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo != SIGCHLD) {
            begin_stop(listener, (int)info.ssi_signo);
        }
    }
    /* Several children may share one SIGCHLD. */
    reap_workers(listener);
}

/* What poll() is to wait for: for ever, unless something has a deadline. */
static int poll_timeout(const struct listener *listener)
{
    if (!listener->stopping && !listener->paused) {
        return -1;
    }
    const uint64_t now = vd_clock_ms();
    return listener->deadline > now ? (int)(listener->deadline - now) : 0;
}

static void handle_deadline(struct listener *listener)
{
    if (listener->stopping) {
        vd_log(VD_LOG_WARNING, "workers that do not end are killed");
        signal_workers(listener, SIGKILL);
        listener->deadline = vd_clock_ms() + GRACE_MS;
    }
    listener->paused = false;
}

/* Whether there is something left to do: with one connection instead of a path, until that ends. */
static bool wanted(const struct listener *listener)
{
    if (listener->stopping || listener->options->socket) {
        return !listener->stopping;
    }
    for (const struct worker_process *worker = listener->workers; worker; worker = worker->next) {
        if (worker->spawn >= 0) {
            return true;
        }
    }
    return false;
}

static int serve(struct listener *listener)
{
    int status = EXIT_FAILURE;
    listener->wants_spare = true;
    while (wanted(listener) || listener->workers) {
        if (!wanted(listener) && !listener->stopping) {
            begin_stop(listener, 0);
        }
        if (listener->wants_spare && !listener->spare && !listener->stopping &&
            start_spare(listener, true, &status)) {
            return status; /* we are the worker */
        }
        struct pollfd sources[2 + DEVICES_MAX] = {
            {.fd = listener->signal_fd, .events = POLLIN},
            {.fd = listener->paused ? -1 : listener->socket, .events = POLLIN},
        };
        struct worker_process *devices[DEVICES_MAX];
        unsigned count = 0;
        for (struct worker_process *worker = listener->workers; worker; worker = worker->next) {
            if (worker->spawn >= 0 && count < DEVICES_MAX) {
                sources[2 + count] = (struct pollfd){.fd = worker->spawn, .events = POLLIN};
                devices[count++] = worker;
            }
        }
        const int ready = poll(sources, 2 + count, poll_timeout(listener));
        if (ready < 0 && errno != EINTR) {
            vd_log(VD_LOG_ERROR, "poll: %s", strerror(errno));
            return EXIT_FAILURE;
        }
        if (ready == 0) {
            handle_deadline(listener);
        }
        for (unsigned i = 0; ready > 0 && i < count; i++) {
            if (sources[2 + i].revents && handle_spawn(listener, devices[i], &status)) {
                return status; /* we are the worker */
            }
        }
        if (ready > 0 && sources[0].revents) {
            handle_signals(listener);
        }
        if (ready > 0 && sources[1].revents && !listener->stopping &&
            accept_client(listener, &status)) {
            return status; /* we are the worker */
        }
    }
    vd_log(VD_LOG_INFO, "stopped");
    return EXIT_SUCCESS;
}

static void say_ready(int fd)
{
    if (fd < 0) {
        return;
    }
    if (write(fd, "\n", 1) != 1) {
        vd_log(VD_LOG_WARNING, "can not write to descriptor %d of --ready-fd: %s", fd,
               strerror(errno));
    }
    close(fd);
}

int vd_listener_run(const struct vd_listener_options *options)
{
    struct listener listener = {.options = options, .socket = -1};

    sigset_t handled;
    sigemptyset(&handled);
    sigaddset(&handled, SIGCHLD);
    sigaddset(&handled, SIGTERM);
    sigaddset(&handled, SIGINT);
    sigprocmask(SIG_BLOCK, &handled, NULL);
    signal(SIGCHLD, SIG_DFL); /* an inherited SIG_IGN would reap for us */
    signal(SIGPIPE, SIG_IGN);
    listener.signal_fd = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
    if (listener.signal_fd < 0) {
        vd_log(VD_LOG_ERROR, "can not receive signals: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    int status = EXIT_FAILURE;
    if (!options->socket) {
        if (start_device(&listener, options->fd, &status)) {
            return status;
        }
        close(options->fd);
    } else if (open_socket(&listener)) {
        vd_log(VD_LOG_INFO, "listens at %s", options->socket);
    } else {
        close(listener.signal_fd);
        return EXIT_FAILURE;
    }
    say_ready(options->ready_fd);
    status = serve(&listener);
    while (listener.workers) {
        struct worker_process *worker = listener.workers;
        listener.workers = worker->next;
        free_worker(worker);
    }
    return status;
}
