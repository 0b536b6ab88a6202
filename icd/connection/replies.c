/* SPDX-License-Identifier: MIT */
#include "replies.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "buffers.h"
#include "spinner.h"

#define SLOT_SIZE       4096u
#define SLOTS_PER_BLOCK 64u
#define SLOT_CAPACITY   (SLOT_SIZE - (uint32_t)sizeof(struct vd_reply))

struct vdc_replies {
    struct vdc_link *link;
    struct vdc_buffers *buffers;
    struct vdc_spinner spinner;
    _Atomic uint64_t count;

    pthread_mutex_t lock;   /* covers what follows, also against vdc_replies_lose */
    struct vdc_shm *blocks; /* of SLOTS_PER_BLOCK slots each */
    uint32_t block_count;
    uint32_t *free_slots; /* a stack, so that warm slots are used again first */
    uint32_t free_count;
    struct vd_reply **large_replies; /* large_capacity entries, NULL: free */
    uint32_t large_capacity;
};

struct vdc_replies *vdc_replies_create(struct vdc_link *link, struct vdc_buffers *buffers)
{
    struct vdc_replies *replies = calloc(1, sizeof(*replies));
    if (replies) {
        replies->link = link;
        replies->buffers = buffers;
        vdc_spinner_init(&replies->spinner);
        pthread_mutex_init(&replies->lock, NULL);
    }
    return replies;
}

void vdc_replies_destroy(struct vdc_replies *replies)
{
    if (!replies)
        return;
    for (uint32_t i = 0; i < replies->block_count; i++)
        vdc_link_shm_destroy(replies->link, &replies->blocks[i]);
    free(replies->blocks);
    free(replies->free_slots);
    free(replies->large_replies);
    if (!vdc_link_forked(replies->link))
        pthread_mutex_destroy(&replies->lock);
    free(replies);
}

/* ---- Loss */

static _Atomic uint32_t *reply_state(struct vd_reply *reply)
{
    static_assert(sizeof(_Atomic uint32_t) == sizeof(reply->state), "a futex word");
    return (_Atomic uint32_t *)&reply->state;
}

static void lose_reply(struct vdc_replies *replies, struct vd_reply *reply)
{
    _Atomic uint32_t *state = reply_state(reply);
    uint32_t seen = atomic_load(state);
    while (seen == VD_REPLY_PENDING || seen == VD_REPLY_WAITING) {
        if (atomic_compare_exchange_weak(state, &seen, VD_REPLY_LOST)) {
            vdc_link_wake(replies->link, state);
            return;
        }
    }
}

void vdc_replies_lose(struct vdc_replies *replies)
{
    /* Under the lock: a reply that begins later sees lost. */
    pthread_mutex_lock(&replies->lock);
    for (uint32_t i = 0; i < replies->block_count; i++) {
        for (uint32_t j = 0; j < SLOTS_PER_BLOCK; j++) {
            uint8_t *slot = (uint8_t *)replies->blocks[i].map + j * SLOT_SIZE;
            lose_reply(replies, (struct vd_reply *)slot);
        }
    }
    for (uint32_t i = 0; i < replies->large_capacity; i++)
        if (replies->large_replies[i])
            lose_reply(replies, replies->large_replies[i]);
    pthread_mutex_unlock(&replies->lock);
}

/* ---- Space */

/* Adds a block of slots. Under the lock. */
static VkResult add_block(struct vdc_replies *replies)
{
    const uint32_t count = replies->block_count;
    struct vdc_shm *blocks = realloc(replies->blocks, (count + 1) * sizeof(*blocks));
    if (!blocks)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    replies->blocks = blocks;
    uint32_t *slots = realloc(replies->free_slots, (count + 1) * SLOTS_PER_BLOCK * sizeof(*slots));
    if (!slots)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    replies->free_slots = slots;
    const VkResult result =
        vdc_link_shm_create(replies->link, SLOTS_PER_BLOCK * SLOT_SIZE, &blocks[count]);
    if (result != VK_SUCCESS)
        return result;
    replies->block_count++;
    for (uint32_t i = SLOTS_PER_BLOCK; i-- > 0;)
        slots[replies->free_count++] = count * SLOTS_PER_BLOCK + i;
    return VK_SUCCESS;
}

/* Under the lock. */
static VkResult begin_small(struct vdc_replies *replies, struct vdc_reply_space *space)
{
    if (replies->free_count == 0) {
        const VkResult result = add_block(replies);
        if (result != VK_SUCCESS)
            return result;
    }
    const uint32_t slot = replies->free_slots[--replies->free_count];
    const struct vdc_shm *block = &replies->blocks[slot / SLOTS_PER_BLOCK];
    const uint32_t offset = slot % SLOTS_PER_BLOCK * SLOT_SIZE;
    *space = (struct vdc_reply_space){
        .reply = (struct vd_reply *)((uint8_t *)block->map + offset),
        .shm = block->id,
        .offset = offset,
        .capacity = SLOT_CAPACITY,
        .slot = slot,
    };
    return VK_SUCCESS;
}

/* Lists a large reply, for the watcher. Under the lock. */
static VkResult begin_large(struct vdc_replies *replies, const struct vdc_shm *shm,
                            struct vdc_reply_space *space)
{
    uint32_t slot = 0;
    while (slot < replies->large_capacity && replies->large_replies[slot])
        slot++;
    if (slot == replies->large_capacity) {
        const uint32_t capacity = slot ? slot * 2 : 8;
        struct vd_reply **grown =
            realloc(replies->large_replies, capacity * sizeof(struct vd_reply *));
        if (!grown)
            return VK_ERROR_OUT_OF_HOST_MEMORY;
        memset(grown + slot, 0, (capacity - slot) * sizeof(struct vd_reply *));
        replies->large_replies = grown;
        replies->large_capacity = capacity;
    }
    const uint64_t capacity = shm->size - sizeof(struct vd_reply);
    *space = (struct vdc_reply_space){
        .reply = shm->map,
        .shm = shm->id,
        .capacity = capacity < UINT32_MAX ? (uint32_t)capacity : UINT32_MAX,
        .slot = slot,
        .large = *shm,
    };
    replies->large_replies[slot] = space->reply;
    return VK_SUCCESS;
}

VkResult vdc_reply_begin_anyway(struct vdc_replies *replies, uint64_t size,
                                struct vdc_reply_space *space)
{
    struct vdc_shm shm = {.fd = -1};
    if (vdc_link_gone(replies->link))
        return VK_ERROR_DEVICE_LOST;
    const bool large = size > SLOT_CAPACITY;
    if (size > VD_RECORD_MAX)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    if (large) {
        const VkResult result =
            vdc_buffers_take(replies->buffers, size + sizeof(struct vd_reply), &shm);
        if (result != VK_SUCCESS)
            return result;
    }
    /* Under the lock, as the watcher's walk over the replies: either that finds this one, or this
     * finds the server gone. */
    pthread_mutex_lock(&replies->lock);
    VkResult result = large ? begin_large(replies, &shm, space) : begin_small(replies, space);
    if (result == VK_SUCCESS) {
        const bool gone = atomic_load(&replies->link->gone);
        *space->reply = (struct vd_reply){.state = gone ? VD_REPLY_LOST : VD_REPLY_PENDING};
    }
    pthread_mutex_unlock(&replies->lock);
    if (result != VK_SUCCESS && large)
        vdc_buffers_give(replies->buffers, &shm);
    return result == VK_ERROR_OUT_OF_DEVICE_MEMORY ? VK_ERROR_OUT_OF_HOST_MEMORY : result;
}

VkResult vdc_reply_begin(struct vdc_replies *replies, uint64_t size, struct vdc_reply_space *space)
{
    if (vdc_link_lost(replies->link))
        return VK_ERROR_DEVICE_LOST;
    return vdc_reply_begin_anyway(replies, size, space);
}

/* ---- Waiting */

static bool reply_ready(const void *data)
{
    const uint32_t state =
        atomic_load_explicit((const _Atomic uint32_t *)data, memory_order_acquire);
    return state != VD_REPLY_PENDING && state != VD_REPLY_WAITING;
}

VkResult vdc_reply_wait(struct vdc_replies *replies, struct vdc_reply_space *space)
{
    _Atomic uint32_t *state = reply_state(space->reply);
    atomic_fetch_add_explicit(&replies->count, 1, memory_order_relaxed);
    if (!vdc_spin(&replies->spinner, reply_ready, state)) {
        while (!reply_ready(state)) {
            /* Says that somebody sleeps: the server exchanges the state with DONE. */
            uint32_t pending = VD_REPLY_PENDING;
            atomic_compare_exchange_strong(state, &pending, VD_REPLY_WAITING);
            if (pending == VD_REPLY_PENDING || pending == VD_REPLY_WAITING)
                vdc_link_wait(replies->link, state, VD_REPLY_WAITING, UINT64_MAX);
        }
    }
    return atomic_load_explicit(state, memory_order_acquire) == VD_REPLY_DONE
               ? VK_SUCCESS
               : VK_ERROR_DEVICE_LOST;
}

void vdc_reply_end(struct vdc_replies *replies, struct vdc_reply_space *space)
{
    if (vdc_link_forked(replies->link))
        return; /* the lock may be held by a thread of the parent */
    pthread_mutex_lock(&replies->lock);
    if (space->large.id)
        replies->large_replies[space->slot] = NULL;
    else
        replies->free_slots[replies->free_count++] = space->slot;
    pthread_mutex_unlock(&replies->lock);
    if (space->large.id)
        vdc_buffers_give(replies->buffers, &space->large);
}

uint64_t vdc_replies_count(const struct vdc_replies *replies)
{
    return atomic_load_explicit(&replies->count, memory_order_relaxed);
}
