/* SPDX-License-Identifier: MIT
 *
 * The server's end of a vtest socket (protocol/vtest.h): reads messages, answers them, never
 * blocks.
 */
#ifndef VIADUCT_SERVER_VTEST_H
#define VIADUCT_SERVER_VTEST_H

#include <stdbool.h>

#include "vtest_session.h"

struct vds_vtest;

enum vds_vtest_status {
    VDS_VTEST_OPEN,
    VDS_VTEST_CLOSED, /* by the client */
    VDS_VTEST_FAILED, /* a line is in the log */
};

/* Does not own `fd`. NULL without memory. */
struct vds_vtest *vds_vtest_create(int fd, struct vds_shm_table *shm,
                                   const struct vds_vtest_listener *listener, void *data);
void vds_vtest_destroy(struct vds_vtest *vtest);

/* What to poll() the socket for: POLLIN, or POLLOUT while an answer is still on its way. */
short vds_vtest_events(const struct vds_vtest *vtest);

/* Reads and answers what can be read and answered without waiting. Anything but VDS_VTEST_OPEN is
 * final. */
enum vds_vtest_status vds_vtest_process(struct vds_vtest *vtest);

#endif
