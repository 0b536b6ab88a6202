/* SPDX-License-Identifier: MIT
 *
 * What the parts of a context share. They all include this, so it knows them only by pointer.
 */
#ifndef VIADUCT_SERVER_CONTEXT_PRIVATE_H
#define VIADUCT_SERVER_CONTEXT_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include <vulkan/vulkan_core.h>

#include "protocol/completion.h"

#include "budget.h"
#include "context_options.h"
#include "meter.h"
#include "object.h"

struct vds_flight;
struct vds_instance;
struct vds_lanes;
struct vds_pending_fences;
struct vds_queue;
struct vds_shm_table;
struct vds_turn;
struct vds_waits;

struct vds_context {
    struct vds_context_options options;
    struct vds_shm_table *shm;
    struct vds_meter meter;
    struct vd_completion *completion; /* NULL before VD_OP_SETUP */
    struct vds_budget device_memory;  /* what it costs the host's: cost_of() in memory.c */
    _Atomic bool lost;                /* nothing is submitted any more */

    PFN_vkGetInstanceProcAddr get_instance_proc_addr;
    bool is_guest;                   /* the client is in a virtual machine: no descriptors cross */
    struct vds_memory_ways own_ways; /* where options.ways is NULL */

    struct vds_object_table objects;
    struct vds_instance *instance; /* NULL before vkCreateInstance */
    pthread_mutex_t devices_lock; /* the instance's list: whoever adds one may have lost the turn */
    struct vds_instance *warm; /* keeps the driver loaded; NULL: vds_context_warm was not called */
    struct vds_turn *turn;
    struct vds_waits *waits;
    struct vds_lanes *lanes;
    struct vds_flight *flight;
    uint32_t queue_places;          /* on the completion page */
    bool queue_slots[VD_QUEUE_MAX]; /* in use */
    struct vds_pending_fences *fences;
    struct vds_queue *watched; /* by the thread that executes (completion.c) */
    uint32_t failures;         /* logged */
    bool stuck;                /* a device was left behind, and so its instance must be */
};

/* vds_context_create on a Vulkan that is already there. */
struct vds_context *vds_context_create_on(PFN_vkGetInstanceProcAddr get,
                                          const struct vds_context_options *options,
                                          struct vds_shm_table *shm);

/* The client must hear VK_ERROR_DEVICE_LOST from now on. Any thread; logs the first reason. */
__attribute__((format(printf, 2, 3))) void vds_context_lose(struct vds_context *context,
                                                            const char *why, ...);

/* The same, where the host's driver has lost the device: the log also tells what the GPU was doing. True: that
 * is news, and vds_device_fault_report() is to follow. */
__attribute__((format(printf, 2, 3))) bool vds_context_lose_device(struct vds_context *context,
                                                                   const char *why, ...);

/* vds_context_lose_device() without telling the calls that wait (wait.c does). */
__attribute__((format(printf, 2, 3))) bool vds_context_mark_lost(struct vds_context *context,
                                                                 const char *why, ...);

#endif
