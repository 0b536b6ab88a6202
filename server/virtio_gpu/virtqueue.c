/* SPDX-License-Identifier: MIT */
#include "virtqueue.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "complaint.h"

/* Descriptors of one request: a list of 4 KiB pages for 4 GiB, and then some. */
#define CHAIN_MAX 65536u

void vg_queue_init(struct vg_queue *queue)
{
    *queue = (struct vg_queue){.kick = -1, .call = -1};
}

void vg_queue_finish(struct vg_queue *queue)
{
    if (queue->kick >= 0)
        close(queue->kick);
    if (queue->call >= 0)
        close(queue->call);
    vg_queue_init(queue);
}

void vg_queue_map(struct vg_queue *queue, const struct vg_memory *memory)
{
    const uint64_t size = queue->size;
    queue->desc = NULL;
    queue->avail = NULL;
    queue->used = NULL;
    if (size == 0 || size > VG_QUEUE_SIZE_MAX || (size & (size - 1)) != 0 ||
        queue->desc_user % 16 != 0 || queue->avail_user % 2 != 0 || queue->used_user % 4 != 0)
        return;
    /* Two bytes more: the event index at the end. */
    void *desc = vg_memory_at_user(memory, queue->desc_user, 16 * size);
    void *avail = vg_memory_at_user(memory, queue->avail_user, 4 + 2 * size + 2);
    void *used = vg_memory_at_user(memory, queue->used_user, 4 + 8 * size + 2);
    if (desc && avail && used) {
        queue->desc = desc;
        queue->avail = avail;
        queue->used = used;
    }
}

bool vg_queue_ready(const struct vg_queue *queue)
{
    return queue->started && queue->enabled && queue->desc && !queue->broken;
}

static uint16_t load(const __virtio16 *word)
{
    return *(const volatile uint16_t *)word;
}

static __virtio16 *used_event(struct vg_queue *queue)
{
    return &queue->avail->ring[queue->size];
}

static __virtio16 *avail_event(struct vg_queue *queue)
{
    return (__virtio16 *)&queue->used->ring[queue->size];
}

static struct vring_desc read_desc(const struct vring_desc *at)
{
    const volatile struct vring_desc *desc = at;
    return (struct vring_desc){
        .addr = desc->addr, .len = desc->len, .flags = desc->flags, .next = desc->next};
}

/* A table of descriptors: the queue's own, or a private copy of an indirect one. */
struct table {
    const struct vring_desc *entries;
    uint32_t count;
    struct vring_desc *copy;
};

static bool open_indirect(const struct vg_memory *memory, const struct vring_desc *desc,
                          struct table *table)
{
    if (desc->len == 0 || desc->len % sizeof(struct vring_desc) != 0 ||
        desc->len / sizeof(struct vring_desc) > CHAIN_MAX)
        return false;
    const struct vg_segment place = {desc->addr, desc->len};
    table->copy = malloc(desc->len);
    if (!table->copy || !vg_memory_read(memory, &place, 1, 0, table->copy, desc->len))
        return false;
    table->entries = table->copy;
    table->count = desc->len / sizeof(struct vring_desc);
    return true;
}

static bool add_segment(struct vg_chain *chain, uint32_t *capacity, const struct vring_desc *desc)
{
    const uint32_t count = chain->out_count + chain->in_count;
    if (count == *capacity) {
        const uint32_t next = count ? count * 2 : 8;
        struct vg_segment *segments = realloc(chain->segments, next * sizeof(*segments));
        if (!segments)
            return false;
        chain->segments = segments;
        *capacity = next;
    }
    chain->segments[count] = (struct vg_segment){desc->addr, desc->len};
    if (desc->flags & VRING_DESC_F_WRITE) {
        chain->in_count++;
        chain->in_size += desc->len;
    } else {
        if (chain->in_count > 0)
            return false; /* first all that is read */
        chain->out_count++;
        chain->out_size += desc->len;
    }
    return true;
}

static bool walk(struct vg_queue *queue, const struct vg_memory *memory, struct vg_chain *chain,
                 struct table *table)
{
    uint32_t index = chain->head, capacity = 0;
    bool indirect = false;
    for (uint32_t steps = 0; steps < table->count; steps++) {
        if (index >= table->count)
            return false;
        const struct vring_desc desc = read_desc(&table->entries[index]);
        if (desc.flags & VRING_DESC_F_INDIRECT) {
            if (indirect || (desc.flags & VRING_DESC_F_NEXT) ||
                !open_indirect(memory, &desc, table))
                return false;
            indirect = true;
            index = 0;
            steps = UINT32_MAX; /* 0 at the next turn */
            continue;
        }
        if (!add_segment(chain, &capacity, &desc))
            return false;
        if (!(desc.flags & VRING_DESC_F_NEXT))
            return true;
        index = desc.next;
    }
    (void)queue;
    return false; /* a loop */
}

bool vg_queue_pop(struct vg_queue *queue, const struct vg_memory *memory, struct vg_chain *chain)
{
    if (!vg_queue_ready(queue))
        return false;
    const uint16_t available = load(&queue->avail->idx);
    if (available == queue->next_avail)
        return false;
    if ((uint16_t)(available - queue->next_avail) > queue->size) {
        vg_complain("the guest's queue announces %u requests, it has %u places",
                    (uint16_t)(available - queue->next_avail), queue->size);
        queue->broken = true;
        return false;
    }
    /* What was written before idx, which the guest stores with release. */
    atomic_thread_fence(memory_order_acquire);
    *chain =
        (struct vg_chain){.head = load(&queue->avail->ring[queue->next_avail & (queue->size - 1)])};
    queue->next_avail++;
    if (chain->head >= queue->size) {
        vg_complain("the guest names descriptor %u of %u", chain->head, queue->size);
        queue->broken = true;
        return false;
    }
    struct table table = {.entries = queue->desc, .count = queue->size};
    if (!walk(queue, memory, chain, &table)) {
        vg_complain("malformed descriptors from the guest");
        chain->malformed = true;
    }
    free(table.copy);
    return true;
}

bool vg_queue_rest(struct vg_queue *queue)
{
    if (!vg_queue_ready(queue))
        return true;
    if (queue->event_index)
        *(volatile uint16_t *)avail_event(queue) = queue->next_avail;
    /* Dekker's pattern with the driver: it stores idx and then looks at avail_event. */
    atomic_thread_fence(memory_order_seq_cst);
    return load(&queue->avail->idx) == queue->next_avail;
}

void vg_queue_push(struct vg_queue *queue, uint16_t head, uint32_t written)
{
    if (!vg_queue_ready(queue))
        return;
    volatile struct vring_used_elem *place =
        &queue->used->ring[queue->next_used & (queue->size - 1)];
    place->id = head;
    place->len = written;
    queue->next_used++;
    atomic_thread_fence(memory_order_release);
    *(volatile uint16_t *)&queue->used->idx = queue->next_used;
}

void vg_queue_notify(struct vg_queue *queue)
{
    if (!vg_queue_ready(queue) || queue->next_used == queue->signalled)
        return;
    /* The driver stores used_event or flags and then looks at idx. */
    atomic_thread_fence(memory_order_seq_cst);
    const bool wanted =
        queue->event_index
            ? vring_need_event(load(used_event(queue)), queue->next_used, queue->signalled)
            : !(load(&queue->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
    queue->signalled = queue->next_used;
    if (wanted && queue->call >= 0)
        eventfd_write(queue->call, 1);
}
