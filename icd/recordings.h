/* SPDX-License-Identifier: MIT
 *
 * Which command buffers are being recorded, for pipeline layouts that outlive their destruction.
 * Drivers count references to layouts, so applications destroy them while command buffers that used
 * them are still being recorded; what was recorded reaches the host when recording ends, and must
 * find them there.
 */
#ifndef VIADUCT_ICD_RECORDINGS_H
#define VIADUCT_ICD_RECORDINGS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

/* Of a command buffer. */
struct vdc_recording {
    struct vdc_recording *previous, *next;
    uint64_t number; /* 0: it is not being recorded */
};

/* Of a device. */
struct vdc_recordings {
    pthread_mutex_t lock;
    uint64_t number;                       /* of the last one that began */
    struct vdc_recording *oldest, *newest; /* in the order in which they began */
    struct vdc_late_layout *first, *last;  /* destroyed meanwhile */
};

void vdc_recordings_init(struct vdc_recordings *recordings);
/* Layouts that are still there go with the device. */
void vdc_recordings_finish(struct vdc_recordings *recordings);

void vdc_recording_begin(struct vdc_recordings *recordings, struct vdc_recording *recording);
/* What was recorded has been handed over, or dropped: destroys the layouts of `device` that waited
 * for it. Nothing happens if it had not begun. */
void vdc_recording_end(struct vdc_recordings *recordings, struct vdc_recording *recording,
                       VkDevice device);

/* The layout is to be destroyed when no recording can use it any more. False: nothing is being
 * recorded, or there is no memory to remember it. */
bool vdc_recordings_put_off(struct vdc_recordings *recordings, VkPipelineLayout layout);

#endif
