/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/default_socket.h"

#include "child.h"
#include "listener.h"
#include "listening_socket.h"
#include "log.h"
#include "options.h"
#include "service.h"
#include "virtio_gpu/device.h"

/* For good. False with a line in the log. */
static bool become_user(const char *name)
{
    const struct passwd *user = getpwnam(name);
    if (!user) {
        vds_log(VDS_LOG_ERROR, "--user: there is no user '%s'", name);
        return false;
    }
    if (initgroups(name, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 ||
        setuid(user->pw_uid) < 0) {
        vds_log(VDS_LOG_ERROR, "can not become user '%s': %s", name, strerror(errno));
        return false;
    }
    /* What root's environment says of root's own folders. */
    static const char *const roots[] = {"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"};
    for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
        unsetenv(roots[i]);
    if (setenv("HOME", user->pw_dir, 1) < 0 || setenv("USER", user->pw_name, 1) < 0 ||
        setenv("LOGNAME", user->pw_name, 1) < 0) {
        vds_log(VDS_LOG_ERROR, "no memory for a server");
        return false;
    }
    return true;
}

/* Descriptors 0 to 2 are the standard streams, or nothing, but never a socket of ours. */
static void open_standard_streams(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* Where what clients do is told: where the options say, or beside the socket. Lives as long as the
 * process. */
static void choose_stats(struct vds_listener_options *listener)
{
    static char beside[sizeof(((struct sockaddr_un *)0)->sun_path)];
    if (listener->stats && strcmp(listener->stats, "-") == 0)
        listener->stats = NULL;
    else if (!listener->stats && listener->socket &&
             snprintf(beside, sizeof(beside), "%s" VD_STATS_SUFFIX, listener->socket) <
                 (int)sizeof(beside))
        listener->stats = beside;
    else if (!listener->stats && listener->socket)
        vds_log(VDS_LOG_WARNING,
                "nobody can ask what clients do: %s" VD_STATS_SUFFIX
                " is too long for a socket; --stats says where else",
                listener->socket);
}

/* Listens where a service manager has begun to: a socket that is named as well must be that one. False with
 * a line in the log. */
static bool take_socket(struct vds_listener_options *listener)
{
    static char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
    listener->socket_fd = vds_service_socket();
    if (listener->socket_fd < 0)
        return true;
    if (!vds_listening_socket_path(listener->socket_fd, path, sizeof(path)))
        return false;
    if (listener->socket && strcmp(listener->socket, path) != 0) {
        vds_log(VDS_LOG_ERROR, "it was handed a socket at %s, and is told to listen at %s", path,
                listener->socket);
        return false;
    }
    listener->socket = path;
    return true;
}

/* Is the listener. Returns the exit status of the process. */
static int serve(struct vds_options *options)
{
    struct vds_listener_options *listener = &options->listener;
    struct vd_default_socket default_socket;
    if (!vds_service_begin())
        return EXIT_FAILURE;
    open_standard_streams();
    if (options->user && !become_user(options->user))
        return EXIT_FAILURE;
    if (geteuid() == 0 && !options->allow_root) {
        return vds_usage_error(
            "does not serve as root: whoever breaks out of a driver would be root. "
            "Start it as another user, or with --user NAME; --allow-root overrules");
    }
    if ((listener->fd >= 0 || listener->run_device) && !vg_device_available())
        return vds_usage_error(
            "this server was built without the GPU of virtual machines (-Dguest)");
    if (listener->fd >= 0) {
        if (listener->run_device)
            return vds_usage_error("--fd and a path of a vhost-user socket exclude each other");
        listener->socket = NULL;
        listener->run_device = vg_device_run;
    } else if (!take_socket(listener)) {
        return EXIT_FAILURE;
    } else if (!listener->socket) {
        if (!vd_default_socket_make(&default_socket))
            return vds_usage_error(
                "no --socket, and no folder for one ($XDG_RUNTIME_DIR/viaduct, for "
                "root /run/viaduct): %s",
                strerror(errno));
        listener->socket = default_socket.path;
    }
    choose_stats(listener);
    /* The loader in our workers may find Viaduct's own driver: it must not answer there. */
    setenv("VIADUCT_IN_SERVER", "1", 1);
    return vds_listener_run(listener);
}

/*
 * The process model, with vtest:
 *
 *     listener ─┬─ worker of client 1      socket, signals, watching  (first thread)
 *               │                          engine: driver, ring       (second thread)
 *               ├─ worker of client 2      and what the driver starts
 *               ├─ ...
 *               └─ compiler                for a moment, once (shader_cache.h)
 *
 * The listener owns the path in the file system. It accepts, forks, and does nothing else: it never
 * reads from a client and never loads a driver, so nothing that a client or a driver does can block
 * or crash it. It learns of signals and of dead children from one signalfd.
 *
 * A worker keeps the client's socket and the standard streams, and nothing else. It ends when the
 * client goes, breaks the protocol, or when the listener sends SIGTERM; within two seconds then,
 * whatever the driver does. With --vhost-user a QEMU gets a device, a process between listener and
 * workers: it speaks to QEMU and to the guest's kernel, and asks the listener for a worker for each
 * guest process (virtio_gpu/spawn.h). When the listener dies, the kernel kills the workers. A worker
 * that crashes costs one client its device and leaves a line in the log.
 */
int main(int argc, char **argv)
{
    /* Below the listener; the rest of the arguments is its own. */
    enum vds_role role = VDS_ROLE_NONE;
    if (argc > 2 && strcmp(argv[1], VDS_CHILD_ARGUMENT) == 0) {
        role = vds_role_of(argv[2]);
        argv[2] = argv[0];
        argv += 2;
        argc -= 2;
        vds_log_to_listener();
    }
    struct vds_options options;
    const int status = vds_options_read(&options, argc, argv);
    if (status != VDS_OPTIONS_READ)
        return status;
    vds_log_set_level(options.log_level);
    if (role == VDS_ROLE_NONE)
        return serve(&options);
    const struct vds_child_options child = {
        .role = role,
        .context = options.listener.context,
        .sandbox = &options.listener.sandbox,
        .handshake_seconds = options.listener.limits.handshake_seconds,
        .run_device = vg_device_run,
    };
    return vds_child_run(&child);
}
