/* SPDX-License-Identifier: MIT */
#include "recordings.h"

#include <stdlib.h>

#include "calls.h"

struct vd_late_layout {
    struct vd_late_layout *next;
    VkPipelineLayout layout;
    uint64_t number; /* recordings up to this one may have used it */
};

void vd_recordings_init(struct vd_recordings *recordings)
{
    pthread_mutex_init(&recordings->lock, NULL);
}

void vd_recordings_finish(struct vd_recordings *recordings)
{
    while (recordings->first) {
        struct vd_late_layout *next = recordings->first->next;
        free(recordings->first);
        recordings->first = next;
    }
    pthread_mutex_destroy(&recordings->lock);
}

void vd_recording_begin(struct vd_recordings *recordings, struct vd_recording *recording)
{
    pthread_mutex_lock(&recordings->lock);
    recording->number = ++recordings->number;
    recording->next = NULL;
    recording->previous = recordings->newest;
    *(recording->previous ? &recording->previous->next : &recordings->oldest) = recording;
    recordings->newest = recording;
    pthread_mutex_unlock(&recordings->lock);
}

/* Takes the layouts that no recording can have used any more. Under the lock. */
static struct vd_late_layout *take_ripe(struct vd_recordings *recordings)
{
    const uint64_t oldest = recordings->oldest ? recordings->oldest->number : UINT64_MAX;
    struct vd_late_layout *ripe = recordings->first, **end = &ripe;
    while (*end && (*end)->number < oldest)
        end = &(*end)->next;
    recordings->first = *end;
    *end = NULL;
    return ripe;
}

void vd_recording_end(struct vd_recordings *recordings, struct vd_recording *recording,
                      VkDevice device)
{
    if (recording->number == 0)
        return;
    pthread_mutex_lock(&recordings->lock);
    *(recording->previous ? &recording->previous->next : &recordings->oldest) = recording->next;
    *(recording->next ? &recording->next->previous : &recordings->newest) = recording->previous;
    recording->number = 0;
    struct vd_late_layout *ripe = take_ripe(recordings);
    pthread_mutex_unlock(&recordings->lock);
    while (ripe) {
        struct vd_late_layout *next = ripe->next;
        vd_call_vkDestroyPipelineLayout(device, ripe->layout, NULL);
        free(ripe);
        ripe = next;
    }
}

bool vdc_recordings_put_off(struct vd_recordings *recordings, VkPipelineLayout layout)
{
    pthread_mutex_lock(&recordings->lock);
    struct vd_late_layout *late = recordings->oldest ? malloc(sizeof(*late)) : NULL;
    if (late) {
        *late = (struct vd_late_layout){NULL, layout, recordings->number};
        *(recordings->first ? &recordings->last->next : &recordings->first) = late;
        recordings->last = late;
    }
    pthread_mutex_unlock(&recordings->lock);
    return late;
}
