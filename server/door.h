/* SPDX-License-Identifier: MIT
 *
 * The door: where connections wait until they are worth a process.
 *
 * A connection that says nothing costs a descriptor, and no worker. Those that have said something are
 * served in the order in which they came, as far as the limits go; they wait otherwise, and not for
 * ever.
 */
#ifndef VIADUCT_SERVER_DOOR_H
#define VIADUCT_SERVER_DOOR_H

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

struct vds_limits {
    unsigned clients;           /* at the same time; 0: any number. The same for the others. */
    unsigned clients_of_user;   /* by the user at the other end of the socket */
    unsigned rate_of_user;      /* new clients in a second for long, and twice as many at once */
    unsigned handshake_seconds; /* until a client must have set up */
    const uid_t *users;         /* who may connect; NULL: whoever the socket's mode lets */
    unsigned user_count;
};

struct vds_door;

/* `limits` must outlive it. NULL without memory. */
struct vds_door *vds_door_create(const struct vds_limits *limits);
/* Closes what waits. NULL is fine. */
void vds_door_destroy(struct vds_door *door);

/* A new connection, which is the door's from now on. */
void vds_door_take(struct vds_door *door, int fd);
unsigned vds_door_source_count(const struct vds_door *door);
unsigned vds_door_add_sources(const struct vds_door *door, struct pollfd *sources, unsigned max);
/* What poll() says of one of them; false: it is none. */
bool vds_door_handle_source(struct vds_door *door, int fd, short events);
/* Hangs up on those whose time is over. */
void vds_door_expire(struct vds_door *door);
/* Milliseconds until something is to be done without an event; -1: nothing. */
int vds_door_timeout(const struct vds_door *door);

/* The next connection to be served, which is the caller's, or -1. `serving` clients are there, and
 * serving_user() of one user. */
int vds_door_admit(struct vds_door *door, unsigned serving,
                   unsigned (*serving_user)(const void *data, uid_t user), const void *data,
                   uid_t *user);

#endif
