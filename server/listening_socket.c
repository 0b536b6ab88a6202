/* SPDX-License-Identifier: MIT */
#include "listening_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

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
    if (lstat(address->sun_path, &before) < 0)
        return errno == ENOENT ? 0 : errno;
    if (!S_ISSOCK(before.st_mode))
        return EEXIST;
    const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return errno;
    int error = connect(probe, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0;
    if (error == 0 && is_orphan(probe))
        error = ECONNREFUSED;
    close(probe);
    if (error == ENOENT)
        return 0;
    if (error != ECONNREFUSED) {
        /* Somebody answers, is too busy to, or does not let us ask. */
        return error == 0 || error == EAGAIN ? EADDRINUSE : error;
    }
    /* Another server may have replaced it in the meantime. */
    if (lstat(address->sun_path, &after) < 0)
        return errno == ENOENT ? 0 : errno;
    if (before.st_dev != after.st_dev || before.st_ino != after.st_ino)
        return EADDRINUSE;
    if (unlink(address->sun_path) < 0 && errno != ENOENT)
        return errno;
    vds_log(VDS_LOG_INFO, "replaces the socket that a server left behind at %s", address->sun_path);
    return 0;
}

bool vds_listening_socket_open(struct vds_listening_socket *listening, const char *path,
                               mode_t mode)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path[0] == '\0' || strlen(path) >= sizeof(address.sun_path)) {
        vds_log(VDS_LOG_ERROR, "a socket's path has 1 to %zu bytes, this one has %zu: %s",
                sizeof(address.sun_path) - 1, strlen(path), path);
        return false;
    }
    strcpy(address.sun_path, path);

    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        vds_log(VDS_LOG_ERROR, "can not make a socket: %s", strerror(errno));
        return false;
    }
    int error = 0;
    if (mode)
        fchmod(fd, mode); /* nobody else connects before chmod() */
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        error = errno;
    if (error == EADDRINUSE) {
        error = remove_stale(&address);
        if (!error && bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
            error = errno;
    }
    if (error) {
        vds_log(VDS_LOG_ERROR, "can not listen at %s: %s", path,
                error == EADDRINUSE ? "another server does"
                : error == EEXIST   ? "there is a file that is no socket"
                                    : strerror(error));
        close(fd);
        return false;
    }
    struct stat file;
    if (mode && chmod(address.sun_path, mode) < 0)
        vds_log(VDS_LOG_WARNING, "can not give %s mode %o: %s", path, (unsigned)mode,
                strerror(errno));
    if (lstat(address.sun_path, &file) < 0 || listen(fd, SOMAXCONN) < 0) {
        vds_log(VDS_LOG_ERROR, "can not listen at %s: %s", address.sun_path, strerror(errno));
        unlink(address.sun_path);
        close(fd);
        return false;
    }
    *listening = (struct vds_listening_socket){
        .fd = fd, .path = path, .device = file.st_dev, .inode = file.st_ino};
    return true;
}

bool vds_listening_socket_path(int fd, char *path, size_t size)
{
    struct sockaddr_un address = {0};
    socklen_t length = sizeof(address);
    int listens = 0, type = 0;
    socklen_t option = sizeof(int);
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0 ||
        address.sun_family != AF_UNIX || address.sun_path[0] != '/' ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &option) < 0 || !listens ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &option) < 0 || type != SOCK_STREAM) {
        vds_log(VDS_LOG_ERROR,
                "descriptor %d, which was handed over, does not listen at a path for streams", fd);
        return false;
    }
    snprintf(path, size, "%.*s", (int)sizeof(address.sun_path), address.sun_path);
    return true;
}

void vds_listening_socket_adopt(struct vds_listening_socket *listening, int fd, const char *path)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    *listening = (struct vds_listening_socket){.fd = fd, .path = path, .foreign = true};
}

void vds_listening_socket_close(struct vds_listening_socket *listening)
{
    struct stat file;
    if (listening->fd < 0)
        return;
    if (!listening->foreign && lstat(listening->path, &file) == 0 &&
        file.st_dev == listening->device && file.st_ino == listening->inode)
        unlink(listening->path);
    close(listening->fd);
    listening->fd = -1;
}
