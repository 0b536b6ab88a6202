/* SPDX-License-Identifier: MIT
 *
 * What the messages of one vtest connection mean (protocol/vtest.h): which are in order, what they
 * ask for, what is answered. Their bytes come and go elsewhere (vtest.c).
 */
#ifndef VIADUCT_SERVER_VTEST_SESSION_H
#define VIADUCT_SERVER_VTEST_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/record.h"
#include "protocol/vtest.h"

#include "shm.h"

/* What the messages that concern more than the socket mean to its owner. */
struct vds_vtest_listener {
    /* The client said its name: printable, not empty. */
    void (*named)(void *data, const char *name);
    /* The client wants a context. False, with a line in the log, ends the connection. */
    bool (*context_init)(void *data);
    /* The client has named its shared structures; at most once, and after context_init. As above. */
    bool (*setup)(void *data, const struct vd_setup *setup);
};

/* The handshake only goes forward. */
enum vds_vtest_stage {
    VDS_VTEST_NEW,     /* expects CREATE_RENDERER */
    VDS_VTEST_NAMED,   /* may ask and negotiate */
    VDS_VTEST_CONTEXT, /* may make shared memory and set up */
};

/* The largest answer, and a descriptor that follows it. */
struct vds_vtest_output {
    uint8_t bytes[2 * sizeof(struct vtest_header) + sizeof(struct vd_capset)];
    size_t size;
    size_t sent;
    int fd; /* -1: none */
};

struct vds_vtest_session {
    struct vds_shm_table *shm;
    const struct vds_vtest_listener *listener;
    void *data;

    enum vds_vtest_stage stage;
    bool set_up;
    int input_fd; /* received with the input, -1: none */
    struct vds_vtest_output output;
};

/* All is borrowed. */
void vds_vtest_session_init(struct vds_vtest_session *session, struct vds_shm_table *shm,
                            const struct vds_vtest_listener *listener, void *data);
/* Closes descriptors that nobody has taken. */
void vds_vtest_session_finish(struct vds_vtest_session *session);

/* Whether an answer is not sent yet; then no message may be handled. */
bool vds_vtest_output_pending(const struct vds_vtest_session *session);

struct vds_vtest_message;

/* What this message is, and its payload's size in bytes. NULL, with a line in the log: it is unknown,
 * out of order, or of a wrong size. */
const struct vds_vtest_message *vds_vtest_check(const struct vds_vtest_session *session,
                                                const struct vtest_header *header, uint32_t *size);
/* Does what it asks for, `size` as above. False, with a line in the log, ends the connection. */
bool vds_vtest_handle(struct vds_vtest_session *session, const struct vds_vtest_message *message,
                      const uint8_t *payload, uint32_t size);

#endif
