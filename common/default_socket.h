/* SPDX-License-Identifier: MIT
 *
 * Where a server listens, and a client looks for one, that was not told a socket: in a folder where
 * nobody else can put one.
 */
#ifndef VIADUCT_COMMON_DEFAULT_SOCKET_H
#define VIADUCT_COMMON_DEFAULT_SOCKET_H

#include <stdbool.h>
#include <sys/un.h>

#define VD_DEFAULT_SOCKETS_MAX 2

/* Beside a server's socket, at its path with this behind it, it tells what its clients do
 * (server/stats_socket.h). */
#define VD_STATS_SUFFIX ".stats"

struct vd_default_socket {
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* The places in the order in which a client tries them, and their number, at least 1: the user's own
 * (XDG_RUNTIME_DIR/viaduct/socket, where that folder is the user's), and root's
 * (/run/viaduct/socket). */
unsigned vd_default_sockets(struct vd_default_socket sockets[VD_DEFAULT_SOCKETS_MAX]);

/* The place for a server of this process's user: root's for root, else the user's own. Makes the
 * folder. False with errno: there is none, or it is somebody else's. */
bool vd_default_socket_make(struct vd_default_socket *socket);

#endif
