/* Generated from vk.xml: how each record is decoded and replayed. */
#ifndef VIADUCT_REPLAY_H
#define VIADUCT_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

struct vd_decoder;

enum vd_command_flags {
    VD_COMMAND_STREAMED = 1 << 0, /* stands in a stream, not in the ring */
    VD_COMMAND_BLOCKING = 1 << 1, /* may wait for the GPU: replayed beside the ring */
    VD_COMMAND_DESTROYS = 1 << 2, /* its victim may be a tombstone */
    VD_COMMAND_RESULT = 1 << 3,   /* returns a VkResult */
    VD_COMMAND_SETTLES = 1 << 4,  /* what was recorded must be replayed before it */
    VD_COMMAND_SOME = 1 << 5,     /* where it fails, it may have created some of its objects */
    VD_COMMAND_FORGIVEN = 1 << 6, /* where it fails, the application need not know */
    VD_COMMAND_WAITED = 1 << 7,   /* what it ends may be used by a call that waits */
};

struct vd_command {
    /* Checks a body and patches ids to handles and offsets to pointers. */
    bool (*decode)(struct vd_decoder *d, void *body);
    /* Calls the driver. */
    void (*call)(struct vd_decoder *d, void *body);
    uint32_t size; /* of the arguments */
    uint32_t flags;
};

/* By opcode; decode is NULL where there is no such command. */
extern const struct vd_command vd_commands[];

% for plan in g.plans:
bool vd_decode_${plan.c.name}(struct vd_decoder *d, void *body);
void vd_replay_${plan.c.name}(struct vd_decoder *d, void *body);
% endfor

#endif
