/* SPDX-License-Identifier: MIT */
#include "park.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "protocol/virtio_gpu.h"

/* Waits take places in the guest's queue, which has 256. */
#define PARKED_MAX         96u
#define PARKED_CONTEXT_MAX 24u
#define PARKED_MS          2000u

struct vg_parked {
    struct vg_parked *next;
    struct vg_command *command;
    struct vd_virtio_gpu_wait wait;
    uint64_t deadline;
};

void vg_park_init(struct vg_park *park, const struct vg_registrations *registrations,
                  uint32_t *device_count)
{
    *park = (struct vg_park){.registrations = registrations, .device_count = device_count};
}

static bool over(const struct vg_park *park, const struct vd_virtio_gpu_wait *wait)
{
    _Atomic uint32_t *word = vg_registrations_word(park->registrations, wait->shm, wait->offset);
    /* seq_cst: the other side stores the word and then looks whether somebody waits. */
    return !word || atomic_load(word) != wait->value;
}

/* Answers the wait that *link points to. */
static void unpark(struct vg_park *park, struct vg_parked **link)
{
    struct vg_parked *parked = *link;
    *link = parked->next;
    park->count--;
    --*park->device_count;
    vg_command_respond_type(parked->command, VIRTIO_GPU_RESP_OK_NODATA);
    free(parked);
}

uint32_t vg_park_wait(struct vg_park *park, struct vg_command *command)
{
    struct vd_virtio_gpu_wait wait;
    memcpy(&wait, command->request.bytes + sizeof(struct virtio_gpu_cmd_submit), sizeof(wait));

    for (struct vg_parked **link = &park->first; *link; link = &(*link)->next) {
        if ((*link)->wait.thread == wait.thread) {
            unpark(park, link);
            break;
        }
    }
    struct vg_parked *parked = NULL;
    if (!over(park, &wait) && (command->request.header.flags & VIRTIO_GPU_FLAG_FENCE)) {
        if (park->count >= PARKED_CONTEXT_MAX)
            unpark(park, &park->first);
        if (*park->device_count < PARKED_MAX)
            parked = malloc(sizeof(*parked));
    }
    if (!parked)
        return VIRTIO_GPU_RESP_OK_NODATA;
    *parked =
        (struct vg_parked){.command = command, .wait = wait, .deadline = vd_clock_ms() + PARKED_MS};
    struct vg_parked **last = &park->first;
    while (*last)
        last = &(*last)->next;
    *last = parked;
    park->count++;
    ++*park->device_count;
    return 0;
}

void vg_park_check(struct vg_park *park)
{
    for (struct vg_parked **link = &park->first; *link;)
        if (over(park, &(*link)->wait))
            unpark(park, link);
        else
            link = &(*link)->next;
}

uint64_t vg_park_expire(struct vg_park *park, uint64_t now)
{
    while (park->first && park->first->deadline <= now)
        unpark(park, &park->first);
    return park->first ? park->first->deadline : 0;
}

uint32_t vg_park_watch(struct vg_park *park, struct vg_command *command)
{
    vg_park_end_watch(park);
    if (!(command->request.header.flags & VIRTIO_GPU_FLAG_FENCE))
        return VIRTIO_GPU_RESP_OK_NODATA;
    park->watch = command;
    return 0;
}

void vg_park_end_watch(struct vg_park *park)
{
    if (park->watch) {
        vg_command_respond_type(park->watch, VIRTIO_GPU_RESP_OK_NODATA);
        park->watch = NULL;
    }
}

void vg_park_clear(struct vg_park *park)
{
    vg_park_end_watch(park);
    while (park->first)
        unpark(park, &park->first);
}
