/* Generated from vk.xml: how each record is decoded and called. */
#ifndef VIADUCT_REPLAY_H
#define VIADUCT_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

struct vd_decoder;
struct vds_execution;

enum vd_command_flags {
    VD_COMMAND_ANSWERED = 1 << 0, /* makes no sense without an answer */
    VD_COMMAND_BLOCKING = 1 << 1, /* may wait for the GPU: called beside the ring */
    VD_COMMAND_DESTROYS = 1 << 2, /* its victim may be a poisoned object */
    VD_COMMAND_RESULT = 1 << 3,   /* returns a VkResult */
    VD_COMMAND_SETTLES = 1 << 4,  /* what was recorded must be replayed before it */
    VD_COMMAND_SOME = 1 << 5,     /* where it fails, it may have created some of its objects */
    VD_COMMAND_FORGIVEN = 1 << 6, /* where it fails, the application need not know */
    VD_COMMAND_WAITED = 1 << 7,   /* what it ends may be used by a call that waits */
    VD_COMMAND_SILENT = 1 << 8,   /* can not be answered */
};

struct vd_command {
    /* Of a record in the ring: checks its arguments, and patches ids to handles and offsets to
     * pointers; then calls the driver. NULL: there is no such record. */
    bool (*decode)(struct vd_decoder *d, void *body);
    void (*call)(struct vds_execution *x, void *body);
    /* Both at once, of a record in a stream, which there may be thousands of in a row. False: it is
     * malformed (the decoder has failed), or the device is lost. NULL: it does not stand in one. */
    bool (*replay)(struct vds_execution *x, void *body);
    uint32_t size; /* of the arguments, aligned */
    uint32_t flags;
};

/* By opcode. */
extern const struct vd_command vd_commands[];

% for plan in g.plans:
% if plan.streamed:
bool vds_replay_${plan.c.name}(struct vds_execution *x, void *body);
% else:
bool vd_decode_${plan.c.name}(struct vd_decoder *d, void *body);
void vd_replay_${plan.c.name}(struct vds_execution *x, void *body);
% endif
% endfor

#endif
