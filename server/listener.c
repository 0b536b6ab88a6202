/* SPDX-License-Identifier: MIT */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/patience.h"

#include "children.h"
#include "door.h"
#include "listening_socket.h"
#include "log.h"
#include "service.h"
#include "shader_cache.h"
#include "stats_socket.h"

/* How long workers may take to end after SIGTERM. */
#define GRACE_MS (3000 * VD_PATIENCE)
/* How long nobody is accepted after the system ran out of something. */
#define PAUSE_MS 200

struct listener {
    const struct vds_listener_options *options;
    struct vds_listening_socket socket;
    int signal_fd;
    struct vds_children *children;
    struct vds_door *door;
    struct vds_stats_socket *stats;
    struct pollfd *sources; /* what poll() is told; signals and the socket come first */
    unsigned source_capacity;
    bool stopping;
    bool paused;       /* nobody is accepted until `deadline` */
    uint64_t deadline; /* of the pause or, while stopping, of the grace */
};

/* Those that come before the devices' in `sources`. */
enum {
    SIGNALS,
    SOCKET,
    FIXED_SOURCES
};

/* ---- Arrivals */

static void pause_accepting(struct listener *listener)
{
    listener->paused = true;
    listener->deadline = vd_clock_ms() + PAUSE_MS;
}

static void accept_client(struct listener *listener)
{
    const int client = accept4(listener->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client >= 0) {
        vds_door_take(listener->door, client);
    } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        vds_log(VDS_LOG_ERROR, "can not accept a client: %s", strerror(errno));
        pause_accepting(listener);
    }
}

static unsigned serving_user(const void *data, uid_t user)
{
    const struct listener *listener = data;
    return vds_children_count_of(listener->children, user);
}

/* Serves whoever may be served now. True in a new process, as in children.h. */
static bool serve_waiting(struct listener *listener, int *status)
{
    int client;
    uid_t user;
    while (!listener->stopping &&
           (client = vds_door_admit(listener->door, vds_children_count(listener->children),
                                    serving_user, listener, &user)) >= 0) {
        if (listener->options->run_device
                ? vds_children_serve_frontend(listener->children, client, user, status)
                : vds_children_serve_client(listener->children, client, user, status))
            return true;
        close(client);
    }
    return false;
}

/* ---- The loop */

static void begin_stop(struct listener *listener, int signal)
{
    if (listener->stopping) {
        /* Somebody is in a hurry. */
        vds_children_signal(listener->children, SIGKILL);
        return;
    }
    vds_log(VDS_LOG_INFO, "stops after %s", signal ? strsignal(signal) : "its only connection");
    vds_service_say("STOPPING=1");
    listener->stopping = true;
    listener->paused = false;
    listener->deadline = vd_clock_ms() + GRACE_MS;
    vds_children_stop(listener->children);
    vds_listening_socket_close(&listener->socket);
    vds_stats_socket_close(listener->stats);
    vds_children_signal(listener->children, SIGTERM);
}

static void handle_signals(struct listener *listener)
{
    struct signalfd_siginfo info;
    while (read(listener->signal_fd, &info, sizeof(info)) == sizeof(info))
        if (info.ssi_signo != SIGCHLD)
            begin_stop(listener, (int)info.ssi_signo);
    /* Several children may share one SIGCHLD. */
    vds_children_reap(listener->children);
}

/* Of two times, of which -1 is never. */
static int sooner(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* What poll() is to wait for: for ever, unless something has a deadline. */
static int poll_timeout(struct listener *listener)
{
    const int door = listener->stopping ? -1 : vds_door_timeout(listener->door);
    const int others = sooner(sooner(door, vds_stats_socket_expire(listener->stats)),
                              vds_children_timeout(listener->children));
    if (!listener->stopping && !listener->paused)
        return others;
    const uint64_t now = vd_clock_ms();
    return sooner(others, listener->deadline > now ? (int)(listener->deadline - now) : 0);
}

static void handle_deadline(struct listener *listener)
{
    if (!(listener->stopping || listener->paused) || vd_clock_ms() < listener->deadline)
        return;
    if (listener->stopping) {
        vds_log(VDS_LOG_WARNING, "workers that do not end are killed");
        vds_children_signal(listener->children, SIGKILL);
        listener->deadline = vd_clock_ms() + GRACE_MS;
    }
    listener->paused = false;
}

/* Whether there is something left to do: with one connection instead of a path, until that ends. */
static bool wanted(const struct listener *listener)
{
    if (listener->stopping || listener->options->socket)
        return !listener->stopping;
    return vds_children_have_device(listener->children);
}

/* Fills listener->sources and returns how many there are, 0: without memory. */
static unsigned fill_sources(struct listener *listener)
{
    const unsigned count = FIXED_SOURCES + vds_door_source_count(listener->door) +
                           vds_stats_socket_source_count(listener->stats) +
                           vds_children_source_count(listener->children);
    if (count > listener->source_capacity) {
        struct pollfd *sources = realloc(listener->sources, 2 * count * sizeof(*sources));
        if (sources) {
            listener->sources = sources;
            listener->source_capacity = 2 * count;
        } else if (!listener->sources) {
            return 0;
        }
    }
    listener->sources[SIGNALS] = (struct pollfd){.fd = listener->signal_fd, .events = POLLIN};
    listener->sources[SOCKET] =
        (struct pollfd){.fd = listener->paused ? -1 : listener->socket.fd, .events = POLLIN};
    unsigned filled = FIXED_SOURCES;
    filled += vds_door_add_sources(listener->door, listener->sources + filled,
                                   listener->source_capacity - filled);
    filled += vds_stats_socket_add_sources(listener->stats, listener->sources + filled,
                                           listener->source_capacity - filled);
    return filled + vds_children_add_sources(listener->children, listener->sources + filled,
                                             listener->source_capacity - filled);
}

static int serve(struct listener *listener)
{
    int status = EXIT_FAILURE;
    while (wanted(listener) || vds_children_remain(listener->children)) {
        if (!wanted(listener) && !listener->stopping)
            begin_stop(listener, 0);
        if (vds_children_start_ahead(listener->children, &status))
            return status; /* we are the worker */
        const unsigned count = fill_sources(listener);
        if (count == 0) {
            vds_log(VDS_LOG_ERROR, "no memory for what to wait for");
            return EXIT_FAILURE;
        }
        const struct pollfd *sources = listener->sources;
        const int ready = poll(listener->sources, count, poll_timeout(listener));
        if (ready < 0 && errno != EINTR) {
            vds_log(VDS_LOG_ERROR, "poll: %s", strerror(errno));
            return EXIT_FAILURE;
        }
        handle_deadline(listener);
        for (unsigned i = FIXED_SOURCES; ready > 0 && i < count; i++)
            if (sources[i].revents &&
                !vds_door_handle_source(listener->door, sources[i].fd, sources[i].revents) &&
                !vds_stats_socket_handle_source(listener->stats, sources[i].fd) &&
                vds_children_handle_source(listener->children, sources[i].fd, &status))
                return status; /* we are the worker */
        if (ready > 0 && sources[SIGNALS].revents)
            handle_signals(listener);
        if (ready > 0 && sources[SOCKET].revents && !listener->stopping)
            accept_client(listener);
        vds_door_expire(listener->door);
        if (serve_waiting(listener, &status))
            return status; /* we are the worker, or the device */
    }
    vds_log(VDS_LOG_INFO, "stopped");
    return EXIT_SUCCESS;
}

static void say_ready(int fd)
{
    if (fd < 0)
        return;
    if (write(fd, "\n", 1) != 1) {
        vds_log(VDS_LOG_WARNING, "can not write to descriptor %d of --ready-fd: %s", fd,
                strerror(errno));
    }
    close(fd);
}

/* Signals come through a descriptor, and not to whatever runs. False with a line in the log. */
static bool open_signals(struct listener *listener)
{
    sigset_t handled;
    sigemptyset(&handled);
    sigaddset(&handled, SIGCHLD);
    sigaddset(&handled, SIGTERM);
    sigaddset(&handled, SIGINT);
    /* The terminal is gone, unless nohup has said that this does not matter. */
    struct sigaction hangup;
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaddset(&handled, SIGHUP);
    sigprocmask(SIG_BLOCK, &handled, NULL);
    signal(SIGCHLD, SIG_DFL); /* an inherited SIG_IGN would reap for us */
    signal(SIGPIPE, SIG_IGN);
    listener->signal_fd = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
    if (listener->signal_fd < 0) {
        vds_log(VDS_LOG_ERROR, "can not receive signals: %s", strerror(errno));
        return false;
    }
    return true;
}

static int run(struct listener *listener)
{
    const struct vds_listener_options *options = listener->options;
    int status = EXIT_FAILURE;
    if (!open_signals(listener))
        return EXIT_FAILURE;
    if (options->socket) {
        if (options->socket_fd >= 0)
            vds_listening_socket_adopt(&listener->socket, options->socket_fd, options->socket);
        else if (!vds_listening_socket_open(&listener->socket, options->socket,
                                            options->socket_mode))
            return EXIT_FAILURE;
        vds_log(VDS_LOG_INFO, "listens at %s", options->socket);
        listener->stats = vds_stats_socket_create(options->stats, listener->children);
    } else {
        if (vds_children_serve_frontend(listener->children, options->fd, getuid(), &status))
            return status; /* we are the device */
        close(options->fd);
        listener->stats = vds_stats_socket_create(options->stats, listener->children);
    }
    if (!listener->stats) {
        vds_log(VDS_LOG_ERROR, "no memory for a server");
        return EXIT_FAILURE;
    }
    say_ready(options->ready_fd);
    vds_service_say("READY=1");
    return serve(listener);
}

int vds_listener_run(const struct vds_listener_options *options)
{
    const int program = options->argv ? open("/proc/self/exe", O_PATH | O_CLOEXEC) : -1;
    struct vds_sandbox sandbox = options->sandbox;
    if (options->argv && program < 0) {
        vds_log(VDS_LOG_ERROR, "can not find its own program in /proc: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    vds_log_never_wait();
    if (!vds_sandbox_probe(&sandbox))
        return EXIT_FAILURE;
    const struct vds_children_options children = {
        .context = &options->context,
        .sandbox = &sandbox,
        .run_device = options->run_device,
        .argv = options->argv,
        .program = program,
        .handshake_seconds = options->limits.handshake_seconds,
        .log_lines = options->log_lines,
        .memory_of_user = options->memory_of_user,
        .memory = options->memory,
        .compiles =
            vds_shader_cache_begin(options->shader_cache, vds_sandbox_keeps_files(&sandbox)),
    };
    struct listener listener = {
        .options = options,
        .socket.fd = -1,
        .children = vds_children_create(&children),
        .door = vds_door_create(&options->limits),
    };
    if (!listener.children || !listener.door) {
        vds_log(VDS_LOG_ERROR, "no memory for a server");
        return EXIT_FAILURE;
    }
    const int status = run(&listener);
    vds_door_destroy(listener.door);
    vds_stats_socket_destroy(listener.stats);
    vds_children_destroy(listener.children);
    free(listener.sources);
    return status;
}
