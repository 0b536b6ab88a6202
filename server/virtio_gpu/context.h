/* SPDX-License-Identifier: MIT
 *
 * One context of the guest, for contexts.c, where they come and go, and submit.c, where they are
 * asked for things.
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_CONTEXT_H
#define VIADUCT_SERVER_VIRTIO_GPU_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/record.h"

#include "park.h"
#include "registration.h"
#include "resource.h"
#include "worker_link.h"

struct vg_context {
    struct vg_context *next;
    struct vg_contexts *contexts;
    struct vg_resources *resources;
    uint32_t id;
    char name[64];
    uint32_t *attached; /* ids of resources */
    uint32_t attached_count, attached_capacity;

    struct vg_worker_link link;
    struct vg_registrations registrations;
    struct vg_park park;
    struct vd_setup setup; /* protocol_version 0: not yet */
    uint32_t unfenced;     /* wake-ups in a row whose fence was left alone */
};

/* Whether the guest has attached this resource to the context. */
bool vg_context_has(const struct vg_context *context, uint32_t resource);

#endif
