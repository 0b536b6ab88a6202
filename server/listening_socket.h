/* SPDX-License-Identifier: MIT
 *
 * A unix socket with a path, at which clients connect.
 */
#ifndef VIADUCT_SERVER_LISTENING_SOCKET_H
#define VIADUCT_SERVER_LISTENING_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct vds_listening_socket {
    int fd; /* -1: closed */
    const char *path;
    dev_t device; /* of the socket's file: only that one may be unlinked */
    ino_t inode;
    bool foreign; /* somebody else's file */
};

/* Listens at `path`, which must outlive the socket. Replaces the socket file that a dead server has
 * left there, and nothing else. `mode`: of the file; 0: as the umask says. False with a line in the log. */
bool vds_listening_socket_open(struct vds_listening_socket *listening, const char *path,
                               mode_t mode);
/* The path of a socket at which somebody else listens for us. False with a line in the log: it is no such
 * socket. */
bool vds_listening_socket_path(int fd, char *path, size_t size);
/* Takes it over, but for its file, which is not ours to remove. `path` must outlive the socket. */
void vds_listening_socket_adopt(struct vds_listening_socket *listening, int fd, const char *path);
/* Removes the file, too, if it is still ours. Nothing happens when it is closed already. */
void vds_listening_socket_close(struct vds_listening_socket *listening);

#endif
