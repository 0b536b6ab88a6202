/* SPDX-License-Identifier: MIT
 *
 * The server's end of a vtest socket (protocol/vtest.h): reads messages, answers them, never
 * blocks.
 */
#ifndef VIADUCT_SERVER_VTEST_H
#define VIADUCT_SERVER_VTEST_H

#include <stdbool.h>

#include "protocol/record.h"

#include "shm.h"

struct vd_vtest;

/* What the messages that concern more than the socket mean to its owner. */
struct vd_vtest_listener {
    /* The client said its name: printable, not empty. */
    void (*named)(void *data, const char *name);
    /* The client wants a context. False, with a line in the log, ends the connection. */
    bool (*context_init)(void *data);
    /* The client has named its shared structures; at most once, and after context_init. As above. */
    bool (*setup)(void *data, const struct vd_setup *setup);
};

enum vd_vtest_status {
    VD_VTEST_OPEN,
    VD_VTEST_CLOSED, /* by the client */
    VD_VTEST_FAILED, /* a line is in the log */
};

/* Does not own `fd`. NULL without memory. */
struct vd_vtest *vd_vtest_create(int fd, struct vd_shm_table *shm,
                                 const struct vd_vtest_listener *listener, void *data);
void vd_vtest_destroy(struct vd_vtest *vtest);

/* What to poll() the socket for: POLLIN, or POLLOUT while an answer is still on its way. */
short vd_vtest_events(const struct vd_vtest *vtest);

/* Reads and answers what can be read and answered without waiting. Anything but VD_VTEST_OPEN is
 * final. */
enum vd_vtest_status vd_vtest_process(struct vd_vtest *vtest);

#endif
