/* Generated from vk.xml: how each record is decoded and called. */
#ifndef VIADUCT_REPLAY_H
#define VIADUCT_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

struct vds_decoder;
struct vds_execution;

enum vds_command_flags {
    VDS_COMMAND_ANSWERED = 1 << 0,    /* makes no sense without an answer */
    VDS_COMMAND_BLOCKING = 1 << 1,    /* may wait for the GPU: called beside the ring */
    VDS_COMMAND_DESTROYS = 1 << 2,    /* its victim may be a poisoned object */
    VDS_COMMAND_RESULT = 1 << 3,      /* returns a VkResult */
    VDS_COMMAND_SETTLES = 1 << 4,     /* what was recorded must be replayed before it */
    VDS_COMMAND_SOME = 1 << 5,        /* where it fails, it may have created some of its objects */
    VDS_COMMAND_FORGIVEN = 1 << 6,    /* where it fails, the application need not know */
    VDS_COMMAND_WAITED = 1 << 7,      /* what it ends may be used by a call that waits */
    VDS_COMMAND_SILENT = 1 << 8,      /* can not be answered */
    VDS_COMMAND_KEEPS_TURN = 1 << 9,  /* the ring waits until it has returned */
    VDS_COMMAND_AFTER_LOSS = 1 << 10, /* asks why the device was lost */
    VDS_COMMAND_ACTION = 1 << 11,     /* recorded, has the GPU do work */
};

struct vds_command {
    /* Of a record in the ring: checks its arguments, and patches ids to handles and offsets to
     * pointers; then calls the driver. NULL: there is no such record. */
    bool (*decode)(struct vds_decoder *d, void *body);
    void (*call)(struct vds_execution *x, void *body);
    /* Both at once, of a record in a stream, which there may be thousands of in a row. False: it is
     * malformed (the decoder has failed), or the device is lost. NULL: it does not stand in one. */
    bool (*replay)(struct vds_execution *x, void *body);
    uint32_t size; /* of the arguments, aligned */
    uint32_t flags;
};

/* By opcode. */
extern const struct vds_command vds_commands[];

% for plan in g.plans:
% if plan.streamed:
bool vds_replay_${plan.c.name}(struct vds_execution *x, void *body);
% else:
bool vds_decode_${plan.c.name}(struct vds_decoder *d, void *body);
void vds_call_${plan.c.name}(struct vds_execution *x, void *body);
% endif
% endfor

#endif
