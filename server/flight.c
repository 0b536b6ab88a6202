/* SPDX-License-Identifier: MIT */
#include "flight.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flight_private.h"
#include "opcodes.h"

/* What is longer is replayed from elsewhere. */
#define WHOLE_MAX UINT32_C(16384)
/* Of all command buffers. */
#define TAPES_MAX (UINT64_C(64) << 20)
/* Parts of one command buffer; of more, the last ones are kept. */
#define PARTS_MAX 32
struct vds_flight *vds_flight_create(struct vds_object_table *objects)
{
    struct vds_flight *flight = calloc(1, sizeof(*flight));
    if (!flight)
        return NULL;
    flight->objects = objects;
    pthread_mutex_init(&flight->lock, NULL);
    return flight;
}

void vds_flight_destroy(struct vds_flight *flight)
{
    if (!flight)
        return;
    pthread_mutex_destroy(&flight->lock);
    free(flight->names);
    free(flight);
}

/* ---- Tapes */

static uint64_t cost_of(uint32_t capacity)
{
    return sizeof(struct vds_tape) + capacity;
}

void vds_tape_put(struct vds_tape *tape)
{
    while (tape && atomic_fetch_sub_explicit(&tape->references, 1, memory_order_acq_rel) == 1) {
        struct vds_tape *previous = tape->previous;
        atomic_fetch_sub_explicit(&tape->flight->tape_bytes, cost_of(tape->capacity),
                                  memory_order_relaxed);
        free(tape);
        tape = previous;
    }
}

/* The command buffer's own reference is the only one. */
static bool can_be_reused(const struct vds_tape *tape, uint32_t size)
{
    return tape && !tape->previous && size <= tape->capacity &&
           atomic_load_explicit(&tape->references, memory_order_acquire) == 1;
}

static struct vds_tape *create_tape(struct vds_flight *flight, uint32_t size)
{
    const uint64_t sum = atomic_load_explicit(&flight->tape_bytes, memory_order_relaxed);
    if (sum + cost_of(size) > TAPES_MAX)
        return NULL;
    struct vds_tape *tape = malloc(sizeof(*tape) + size);
    if (!tape)
        return NULL;
    *tape = (struct vds_tape){.references = 1, .capacity = size, .flight = flight};
    atomic_fetch_add_explicit(&flight->tape_bytes, cost_of(size), memory_order_relaxed);
    return tape;
}

struct vds_tape *vds_flight_tape(struct vds_flight *flight, struct vds_object_links *command_buffer,
                                 uint32_t size, bool goes_on)
{
    struct vds_tape *old = NULL;
    const bool whole = size <= WHOLE_MAX;
    if (!whole)
        size = VDS_TAPE_END;
    pthread_mutex_lock(&flight->lock);
    struct vds_tape *tape = command_buffer->data;
    if (goes_on || !can_be_reused(tape, size)) {
        old = tape;
        tape = create_tape(flight, size);
        command_buffer->data = tape;
        if (tape && goes_on)
            tape->before = old ? old->before + 1 : 1;
        if (tape && old && goes_on && tape->before % PARTS_MAX) {
            tape->previous = old;
            old = NULL;
        }
    }
    if (tape) {
        tape->whole = whole;
        tape->size = whole ? size : 0;
        tape->origin = (uintptr_t)tape->bytes;
        atomic_fetch_add_explicit(&tape->references, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&flight->lock);
    vds_tape_put(old);
    return tape;
}

void vds_tape_keep(struct vds_tape *tape, const uint8_t *end, uint32_t size)
{
    memcpy(tape->bytes, end, size);
    tape->origin = (uintptr_t)end;
    tape->size = size;
}

/* ---- Batches */

void vds_flight_queue(struct vds_flight *flight, uint32_t slot)
{
    for (unsigned i = 0; i < VDS_FLIGHT_BATCHES; i++)
        if (atomic_load_explicit(&flight->batches[i].slot, memory_order_relaxed) == slot)
            atomic_store_explicit(&flight->batches[i].number, 0, memory_order_relaxed);
    vds_flight_finish(flight, slot, 0);
}

void vds_flight_submit(struct vds_flight *flight, uint32_t slot, uint64_t number, uint32_t count,
                       const void *command_buffers, size_t stride)
{
    const uint32_t next = atomic_load_explicit(&flight->next_batch, memory_order_relaxed);
    struct vds_flight_batch *batch = &flight->batches[next % VDS_FLIGHT_BATCHES];
    const uint8_t *from = command_buffers;
    for (uint32_t i = 0; i < count && i < VDS_FLIGHT_COMMAND_BUFFERS; i++) {
        uint64_t handle;
        memcpy(&handle, from + i * stride, sizeof(handle));
        atomic_store_explicit(&batch->command_buffers[i], handle, memory_order_relaxed);
    }
    atomic_store_explicit(&batch->slot, slot, memory_order_relaxed);
    atomic_store_explicit(&batch->count, count, memory_order_relaxed);
    atomic_store_explicit(&batch->number, number, memory_order_relaxed);
    atomic_store_explicit(&flight->next_batch, next + 1, memory_order_relaxed);
}

void vds_flight_finish(struct vds_flight *flight, uint32_t slot, uint64_t number)
{
    atomic_store_explicit(&flight->finished[slot], number, memory_order_relaxed);
}

/* ---- Names */

/* Neighbours that a name may be at, where others have the same hash. */
#define PLACES 8

struct vds_flight_named *vds_flight_place(struct vds_flight_named *names, uint32_t type,
                                          uint64_t handle)
{
    const uint64_t hash = (handle ^ (uint64_t)type << 56) * UINT64_C(0x9e3779b97f4a7c15) >> 40;
    struct vds_flight_named *place = &names[hash % VDS_FLIGHT_NAMES];
    for (unsigned i = 0; i < PLACES; i++) {
        struct vds_flight_named *named = &names[(hash + i) % VDS_FLIGHT_NAMES];
        if (!named->type || (named->type == type && named->handle == handle))
            return named;
    }
    return place; /* whose name gives way */
}

static bool is_told(uint32_t type)
{
    return type == VD_TYPE_VkCommandBuffer || type == VD_TYPE_VkPipeline ||
           type == VD_TYPE_VkRenderPass;
}

void vds_flight_name(struct vds_flight *flight, uint32_t type, uint64_t handle, const char *name)
{
    if (!is_told(type))
        return;
    const uint32_t births = vds_object_births(flight->objects);
    pthread_mutex_lock(&flight->lock);
    if (!flight->names)
        flight->names = calloc(VDS_FLIGHT_NAMES, sizeof(*flight->names));
    if (flight->names) {
        struct vds_flight_named *named = vds_flight_place(flight->names, type, handle);
        *named = (struct vds_flight_named){handle, type, births, ""};
        snprintf(named->name, sizeof(named->name), "%s", name ? name : "");
    }
    pthread_mutex_unlock(&flight->lock);
}
