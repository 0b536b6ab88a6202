/* SPDX-License-Identifier: MIT
 *
 * Pipeline layouts that outlive their destruction. Drivers count references to them, so applications
 * destroy layouts while command buffers that used them are still being recorded; what was recorded
 * reaches the host when recording ends, and must find them there.
 */
#ifndef VIADUCT_ICD_PIPELINE_LAYOUT_H
#define VIADUCT_ICD_PIPELINE_LAYOUT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct vd_device;

/* Of a command buffer. */
struct vd_recording {
    struct vd_recording *previous, *next;
    uint64_t number; /* 0: it is not being recorded */
};

/* Of a device. */
struct vd_recordings {
    pthread_mutex_t lock;
    uint64_t number;                      /* of the last one that began */
    struct vd_recording *oldest, *newest; /* in the order in which they began */
    struct vd_late_layout *first, *last;  /* destroyed meanwhile */
};

void vd_recordings_init(struct vd_recordings *recordings);
/* Layouts that are still there go with the device. */
void vd_recordings_finish(struct vd_recordings *recordings);

void vd_recording_begin(struct vd_device *device, struct vd_recording *recording);
/* What was recorded has been handed over, or dropped. Nothing happens if it had not begun. */
void vd_recording_end(struct vd_device *device, struct vd_recording *recording);

#endif
