/* SPDX-License-Identifier: MIT
 *
 * The socket at which the listener tells what its clients do (stats.h): by HTTP/1.0, /metrics and
 * /clients; whoever says something else, or nothing, gets the metrics as they are. The server's own user
 * and root may ask, and nobody from within a container: its users may have the server's number, and the
 * folder of the client's socket, which this one lies in.
 */
#ifndef VIADUCT_SERVER_STATS_SOCKET_H
#define VIADUCT_SERVER_STATS_SOCKET_H

#include <poll.h>
#include <stdbool.h>

#include "children.h"

struct vds_stats_socket;

/* `path`, which must outlive it; NULL: it listens nowhere. Where that can not be it says so in the log, and
 * listens nowhere. `children` outlive it. NULL without memory. */
struct vds_stats_socket *vds_stats_socket_create(const char *path,
                                                 const struct vds_children *children);
/* Nobody can ask any more; removes the socket's file. */
void vds_stats_socket_close(struct vds_stats_socket *stats);
/* Closes nothing: in a child of the listener, too. NULL is fine. */
void vds_stats_socket_destroy(struct vds_stats_socket *stats);

unsigned vds_stats_socket_source_count(const struct vds_stats_socket *stats);
unsigned vds_stats_socket_add_sources(const struct vds_stats_socket *stats, struct pollfd *sources,
                                      unsigned max);
/* What poll() says of one of them; false: it is none. */
bool vds_stats_socket_handle_source(struct vds_stats_socket *stats, int fd);
/* Hangs up on those who take too long, and ends a pause. Returns milliseconds until sources are to be added
 * again, and this is to be called; -1: never. */
int vds_stats_socket_expire(struct vds_stats_socket *stats);

#endif
