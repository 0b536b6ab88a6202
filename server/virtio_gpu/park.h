/* SPDX-License-Identifier: MIT
 *
 * Commands of a context that are kept because they wait: for a word to change, which is a
 * VD_VIRTIO_GPU_WAIT, or for the end of the context, which is the one VD_VIRTIO_GPU_WATCH.
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_PARK_H
#define VIADUCT_SERVER_VIRTIO_GPU_PARK_H

#include <stdint.h>

#include "command.h"
#include "registration.h"

struct vg_parked;

struct vg_park {
    const struct vg_registrations *registrations; /* where the words are */
    uint32_t *device_count;                       /* of the waits of all contexts */
    struct vg_parked *first;                      /* the oldest wait */
    uint32_t count;
    struct vg_command *watch; /* NULL: nobody watches */
};

/* Both pointers must outlive it. */
void vg_park_init(struct vg_park *park, const struct vg_registrations *registrations,
                  uint32_t *device_count);

/* Handlers of records of a VIRTIO_GPU_CMD_SUBMIT_3D, as in submit.c. */
uint32_t vg_park_wait(struct vg_park *park, struct vg_command *command);
/* Those that are kept are as many as workers, and so leave the queue enough places. */
uint32_t vg_park_watch(struct vg_park *park, struct vg_command *command);

/* Answers the watch, if there is one. */
void vg_park_end_watch(struct vg_park *park);
/* Words may have changed, or be gone: answers the waits that are over. */
void vg_park_check(struct vg_park *park);
/* Answers the waits that have lasted too long. Returns the vd_clock_ms() until which the others may
 * last, 0: there are none. */
uint64_t vg_park_expire(struct vg_park *park, uint64_t now);
/* Answers everything. */
void vg_park_clear(struct vg_park *park);

#endif
