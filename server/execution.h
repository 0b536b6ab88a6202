/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_SERVER_EXECUTION_H
#define VIADUCT_SERVER_EXECUTION_H

#include "protocol/record.h"

#include "decode.h"
#include "dispatch.h"

struct vds_context;
struct vds_device;
struct vds_shm_region;

/* Where an answer goes. */
struct vds_answer {
    struct vd_reply_request request; /* zeroes: nobody asked */
    bool asked;
    struct vds_shm_region *region; /* referenced from vds_wait on, until the answer is sent */
};

/* A record on its way, and what is kept from one to the next. */
struct vds_execution {
    struct vds_decoder decoder;
    struct vds_context *context;
    const struct vds_command *command;

    /* Set when the record is decoded. */
    const struct vds_instance_dispatch *instance; /* NULL before vkCreateInstance */
    const struct vds_device_dispatch *device;     /* NULL at instance level */
    struct vds_device *owner;                     /* NULL at instance level */
    VkCommandBuffer command_buffer;               /* of a stream */
    uint8_t *run_end; /* of the records of a stream that may be replayed in one go */
    struct vds_answer answer;
    uint8_t *out;
    size_t out_capacity;

    /* By the call. */
    bool left;      /* another thread has the turn (turn.h), and this one touches nothing of it */
    int32_t result; /* VkResult or VkBool32 */
    uint64_t value;

    int long_call;              /* its place there (meter.h), while it goes on beside the ring */
    struct vds_execution *next; /* turn.c's */
    bool of_turn;               /* turn.c owns it */
};

void vds_execution_init(struct vds_execution *x, struct vds_context *context);
void vds_execution_finish(struct vds_execution *x);

/* The same, in memory of its own. NULL: no memory. */
struct vds_execution *vds_execution_create(struct vds_context *context);
/* NULL is fine. */
void vds_execution_destroy(struct vds_execution *x);

#endif
