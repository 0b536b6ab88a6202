/* SPDX-License-Identifier: MIT */
#include "default_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "environment.h"
#include "own_folder.h"

#define ROOTS_FOLDER "/run/viaduct"

/* The folder of the user's own socket. False with errno. */
static bool users_folder(struct vd_default_socket *folder)
{
    const char *runtime = vd_getenv("XDG_RUNTIME_DIR");
    if (!runtime || runtime[0] != '/') {
        errno = ENOENT;
        return false;
    }
    if (!vd_own_folder(runtime))
        return false;
    if (snprintf(folder->path, sizeof(folder->path), "%s/viaduct", runtime) >=
        (int)(sizeof(folder->path) - strlen("/socket"))) {
        errno = ENAMETOOLONG;
        return false;
    }
    return true;
}

unsigned vd_default_sockets(struct vd_default_socket sockets[VD_DEFAULT_SOCKETS_MAX])
{
    unsigned count = 0;
    if (users_folder(&sockets[count]))
        strcat(sockets[count++].path, "/socket");
    strcpy(sockets[count++].path, ROOTS_FOLDER "/socket");
    return count;
}

bool vd_default_socket_make(struct vd_default_socket *socket)
{
    const bool root = geteuid() == 0;
    if (root)
        strcpy(socket->path, ROOTS_FOLDER);
    else if (!users_folder(socket))
        return false;
    if ((mkdir(socket->path, root ? 0755 : 0700) < 0 && errno != EEXIST) ||
        !vd_own_folder(socket->path))
        return false;
    strcat(socket->path, "/socket");
    return true;
}
