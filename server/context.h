/* SPDX-License-Identifier: MIT
 *
 * A context: everything that one client made. The worker feeds it spans of records, already copied
 * to private memory; it decodes, checks, and replays them on the host's driver.
 */
#ifndef VIADUCT_SERVER_CONTEXT_H
#define VIADUCT_SERVER_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/completion.h"
#include "protocol/record.h"

#include "context_options.h"
#include "executed.h"
#include "shm.h"

struct vds_context;

/* Loads the host's Vulkan. NULL, with a line in the log, when that fails. `shm` outlives it. */
struct vds_context *vds_context_create(const struct vds_context_options *options,
                                       struct vds_shm_table *shm);
/* Does in advance what takes time in the first vkCreateInstance: loads the driver, which stays. Best
 * effort; at most once, before the first record. */
void vds_context_warm(struct vds_context *context);
/* Waits for the driver where it must, frees what the client left behind. False: the driver is still at
 * work with something that stays; what the process does at exit() could meet that. */
bool vds_context_destroy(struct vds_context *context);

/* The completion page has no less. */
#define VDS_COMPLETION_MIN 4096u

/* After VD_OP_SETUP: where completions are written, and for how many queues there is room in `size` bytes.
 * The page stays mapped until destroy. */
void vds_context_set_completion(struct vds_context *context, struct vd_completion *page,
                                uint64_t size);

/* The client is in a virtual machine. Before the first record. */
void vds_context_set_guest(struct vds_context *context);

/* Replays whole records in [records, records + size), aligned to 8, private to the caller and
 * modified in place. One thread at a time; where it may be left, it is given one record. */
enum vds_executed vds_context_execute(struct vds_context *context, uint8_t *records, size_t size);

/* Waits until a record that is being executed takes long and can be left: true, and the caller goes
 * on with the next one; or until vds_context_stop: false. By one thread at a time. */
bool vds_context_await(struct vds_context *context);
void vds_context_stop(struct vds_context *context);
/* Says behind everybody's back that the stream is malformed: see vds_context_options.failed. */
void vds_context_fail(struct vds_context *context);

/* There is more to execute, after vds_context_idle or a wait. By the thread that executes it. */
void vds_context_resume(struct vds_context *context);
/* Does what was put off, before the thread waits for more to execute. False: malformed. */
bool vds_context_idle(struct vds_context *context);
/* While there is nothing to execute: tells the client which batches have finished meanwhile. By the
 * thread that executes, as the next one. */
void vds_context_look(struct vds_context *context);
/* Before that thread does something else, or sleeps: others look from now on. */
void vds_context_leave(struct vds_context *context);

/* What GET_CAPSET answers. */
void vds_capset_fill(struct vd_capset *capset);

#endif
