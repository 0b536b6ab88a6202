/* SPDX-License-Identifier: MIT */
#include "recordings.h"

#include <stdlib.h>

#include "calls.h"

struct vdc_late_layout {
    struct vdc_late_layout *next;
    VkPipelineLayout layout;
    uint64_t number; /* recordings up to this one may have used it */
};

void vdc_recordings_init(struct vdc_recordings *recordings)
{
    pthread_mutex_init(&recordings->lock, NULL);
}

void vdc_recordings_finish(struct vdc_recordings *recordings)
{
    while (recordings->first) {
        struct vdc_late_layout *next = recordings->first->next;
        free(recordings->first);
        recordings->first = next;
    }
    pthread_mutex_destroy(&recordings->lock);
}

void vdc_recording_begin(struct vdc_recordings *recordings, struct vdc_recording *recording)
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
static struct vdc_late_layout *take_ripe(struct vdc_recordings *recordings)
{
    const uint64_t oldest = recordings->oldest ? recordings->oldest->number : UINT64_MAX;
    struct vdc_late_layout *ripe = recordings->first, **end = &ripe;
    while (*end && (*end)->number < oldest)
        end = &(*end)->next;
    recordings->first = *end;
    *end = NULL;
    return ripe;
}

void vdc_recording_end(struct vdc_recordings *recordings, struct vdc_recording *recording,
                       VkDevice device)
{
    if (recording->number == 0)
        return;
    pthread_mutex_lock(&recordings->lock);
    *(recording->previous ? &recording->previous->next : &recordings->oldest) = recording->next;
    *(recording->next ? &recording->next->previous : &recordings->newest) = recording->previous;
    recording->number = 0;
    struct vdc_late_layout *ripe = take_ripe(recordings);
    pthread_mutex_unlock(&recordings->lock);
    while (ripe) {
        struct vdc_late_layout *next = ripe->next;
        vdc_call_vkDestroyPipelineLayout(device, ripe->layout, NULL);
        free(ripe);
        ripe = next;
    }
}

bool vdc_recordings_put_off(struct vdc_recordings *recordings, VkPipelineLayout layout)
{
    pthread_mutex_lock(&recordings->lock);
    struct vdc_late_layout *late = recordings->oldest ? malloc(sizeof(*late)) : NULL;
    if (late) {
        *late = (struct vdc_late_layout){NULL, layout, recordings->number};
        *(recordings->first ? &recordings->last->next : &recordings->first) = late;
        recordings->last = late;
    }
    pthread_mutex_unlock(&recordings->lock);
    return late;
}
