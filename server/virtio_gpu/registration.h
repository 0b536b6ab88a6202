/* SPDX-License-Identifier: MIT
 *
 * A context's shared memory: resources whose pages its worker has mapped, or shall map, or shall let
 * go of.
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_REGISTRATION_H
#define VIADUCT_SERVER_VIRTIO_GPU_REGISTRATION_H

#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "link.h"
#include "resource.h"
#include "worker_link.h"

struct vg_registration;

struct vg_registrations {
    struct vg_worker_link *link;
    struct vg_registration *first;
    uint64_t last_token;
};

/* `link` must outlive them. */
void vg_registrations_init(struct vg_registrations *registrations, struct vg_worker_link *link);

/* Asks the worker, which there must be, to map the resource's pages as shared memory `shm`. Then the
 * command is answered, after the status is in the first word of the pages. False: it cannot be
 * asked, and the command is the caller's. */
bool vg_registrations_add(struct vg_registrations *registrations, struct vg_resource *resource,
                          uint32_t shm, struct vg_command *command);
/* What the worker answers. */
void vg_registrations_answered(struct vg_registrations *registrations,
                               const struct vg_link_message *message);
/* Asks the worker to let go of the resource. */
void vg_registrations_remove(struct vg_registrations *registrations,
                             const struct vg_resource *resource);
/* The worker is gone. */
void vg_registrations_clear(struct vg_registrations *registrations);

/* The client cannot go on without this one: the worker ends when it is to let go of it. */
void vg_registrations_set_vital(struct vg_registrations *registrations, uint32_t shm);

/* What the client calls `shm`; NULL: nothing, or nothing any more. */
struct vg_resource *vg_registrations_find(const struct vg_registrations *registrations,
                                          uint32_t shm);
/* Where a word of it is mapped; NULL also if it lies outside, or is misaligned. */
_Atomic uint32_t *vg_registrations_word(const struct vg_registrations *registrations, uint32_t shm,
                                        uint64_t offset);

/* vd_clock_ms() until which the worker has to let go of something that the guest waits for; 0:
 * nothing. And another time for all of it. */
uint64_t vg_registrations_deadline(const struct vg_registrations *registrations);
void vg_registrations_postpone(struct vg_registrations *registrations, uint64_t deadline);

#endif
