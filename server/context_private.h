/* SPDX-License-Identifier: MIT
 *
 * What the parts of a context share.
 */
#ifndef VIADUCT_SERVER_CONTEXT_PRIVATE_H
#define VIADUCT_SERVER_CONTEXT_PRIVATE_H

#include "context.h"
#include "decode.h"
#include "fence.h"
#include "instance.h"
#include "object.h"

struct vd_job;
struct vd_lanes;
struct vd_waits;

struct vd_context {
    struct vd_context_options options;
    struct vd_shm_table *shm;
    struct vd_completion *completion; /* NULL before VD_OP_SETUP */
    _Atomic bool lost;                /* nothing is submitted any more */

    PFN_vkGetInstanceProcAddr get_instance_proc_addr;
    struct vd_host_memory_cache imports;

    struct vd_object_table objects;
    struct vd_instance *instance; /* NULL before vkCreateInstance */
    struct vd_instance *warm; /* keeps the driver loaded; NULL: vd_context_warm was not called */
    struct vd_waits *waits;
    struct vd_lanes *lanes;
    bool queue_slots[VD_QUEUE_MAX]; /* in use */
    struct vd_pending_fences fences;
    struct vd_queue *watched; /* by the thread that executes (completion.c) */
    uint32_t failures;        /* logged */
    bool stuck;               /* a device was left behind, and so its instance must be */

    /* Kept from record to record. */
    struct vd_decoder decoder;
    uint8_t *out;
    size_t out_capacity;
};

/* vd_context_create on a Vulkan that is already there. */
struct vd_context *vd_context_create_on(PFN_vkGetInstanceProcAddr get,
                                        const struct vd_context_options *options,
                                        struct vd_shm_table *shm);

/* ---- Decoders (decode.c) */

struct vd_restore {
    uint32_t offset; /* in the record */
    uint64_t value;  /* what to put back */
};

void vd_decoder_init(struct vd_decoder *d, struct vd_context *context);
/* Starts a record; what the decoder allocated, and its context, stay. */
void vd_decoder_begin(struct vd_decoder *d, uint8_t *record, uint32_t size, uint16_t opcode);
/* Takes out of the record what must not return. */
void vd_decoder_restore(struct vd_decoder *d);
/* The command is over: what it named in shared memory may go. */
void vd_decoder_unshare(struct vd_decoder *d);
void vd_decoder_finish(struct vd_decoder *d);

/* ---- Commands (context.c) */

/* Complains about a record in the log; always false. */
bool vd_malformed(const struct vd_record *record, const char *why);

struct vd_answer;

/* Checks and patches a command of the ring, with room for its output at `out`. */
bool vd_command_decode(struct vd_decoder *d, uint8_t *record, const struct vd_answer *answer,
                       uint8_t *out);
/* Calls the driver, or does not where there is no sense in it. */
bool vd_command_call(struct vd_decoder *d);

/* ---- Replies (reply.c) */

/* Where an answer goes. */
struct vd_answer {
    struct vd_shm_region *region; /* NULL: nobody asked */
    struct vd_reply_request request;
};

/* Checks a record's reply request, if it has one, and holds on to the place. False: malformed. */
bool vd_answer_begin(struct vd_context *context, struct vd_answer *answer,
                     const struct vd_record *record);
/* Writes result, output area and echo, restoring the record; then wakes the client. */
void vd_answer_send(struct vd_context *context, struct vd_answer *answer, struct vd_decoder *d);
/* Writes VK_ERROR_DEVICE_LOST instead of anything else. */
void vd_answer_send_lost(struct vd_context *context, struct vd_answer *answer);
/* Lets go of the place; may follow vd_answer_send or not. */
void vd_answer_end(struct vd_context *context, struct vd_answer *answer);

/* ---- Records of our own */

bool vd_execute_stream(struct vd_context *context, uint8_t *record);
/* The records of one stream, by any thread. False: malformed. */
bool vd_stream_replay(struct vd_job *job);
bool vd_execute_update_descriptors(struct vd_context *context, uint8_t *record);
bool vd_execute_get_queue(struct vd_context *context, uint8_t *record);
bool vd_execute_signal_fence(struct vd_context *context, uint8_t *record);
bool vd_execute_signal_semaphore(struct vd_context *context, uint8_t *record);
bool vd_execute_get_physical_devices(struct vd_context *context, uint8_t *record);

/* ---- The end of everything */

/* The client must hear VK_ERROR_DEVICE_LOST from now on. Any thread; logs the first reason. */
__attribute__((format(printf, 2, 3))) void vd_context_lose(struct vd_context *context,
                                                           const char *why, ...);

/* Whether the command that was decoded uses an object whose creation failed: the context is lost
 * then. */
bool vd_context_lose_if_failed(const struct vd_decoder *d);

/* vd_context_lose() without telling those who wait in calls (wait.c does). */
__attribute__((format(printf, 2, 3))) void vd_context_mark_lost(struct vd_context *context,
                                                                const char *why, ...);

/* Room for `size` bytes in a buffer that is kept, its contents lost; false without memory. */
bool vd_buffer_reserve(uint8_t **buffer, size_t *capacity, size_t size);

#endif
