/* SPDX-License-Identifier: MIT */
#include "waiter.h"

#include <assert.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/trace.h"
#include "spinner.h"

/* Words of others that are slept on at once, beside one of our own; see vdc_transport_ops.wait_any. */
#define WORDS_MAX 127

struct vdc_waiter {
    struct vdc_link *link;
    struct vdc_spinner spinner;
    _Atomic uint64_t waits, wait_ns;
};

struct vdc_waiter *vdc_waiter_create(struct vdc_link *link)
{
    struct vdc_waiter *waiter = calloc(1, sizeof(*waiter));
    if (waiter) {
        waiter->link = link;
        vdc_spinner_init(&waiter->spinner);
    }
    return waiter;
}

void vdc_waiter_destroy(struct vdc_waiter *waiter)
{
    free(waiter);
}

void vdc_waiter_lose(struct vdc_waiter *waiter)
{
    vd_completion_changed(waiter->link->completion);
    vdc_link_wake(waiter->link, &waiter->link->completion->event);
}

void vdc_waiter_stats(const struct vdc_waiter *waiter, uint64_t *waits, uint64_t *wait_ns)
{
    *waits = atomic_load_explicit(&waiter->waits, memory_order_relaxed);
    *wait_ns = atomic_load_explicit(&waiter->wait_ns, memory_order_relaxed);
}

struct wait {
    const struct vd_completion *page;
    bool (*ready)(const void *data);
    uint32_t (*words)(const void *data, struct vdc_futex_word *words, uint32_t capacity);
    const void *data;
};

static bool wait_over(const void *data)
{
    const struct wait *wait = data;
    return wait->ready(wait->data) || atomic_load_explicit(&wait->page->lost, memory_order_acquire);
}

/* Sleeps until the wait is over or the deadline has passed. */
static void sleep_until(struct vdc_waiter *waiter, const struct wait *wait, uint64_t deadline)
{
    struct vd_completion *page = waiter->link->completion;
    struct vdc_transport *transport = waiter->link->transport;
    struct vdc_futex_word words[1 + WORDS_MAX];
    words[0].address = &page->event;
    /* seq_cst all along, as vd_completion_changed says. */
    atomic_fetch_add(&page->waiters, 1);
    for (;;) {
        words[0].value = atomic_load(&page->event);
        const uint32_t others = wait->words ? wait->words(wait->data, words + 1, WORDS_MAX) : 0;
        if (wait_over(wait))
            break;
        uint64_t timeout = UINT64_MAX;
        if (deadline != UINT64_MAX) {
            const uint64_t now = vd_clock_ns();
            if (now >= deadline)
                break;
            timeout = deadline - now;
        }
        if (others)
            transport->ops->wait_any(transport, words, 1 + others, timeout);
        else
            vdc_link_wait(waiter->link, words[0].address, words[0].value, timeout);
    }
    atomic_fetch_sub(&page->waiters, 1);
}

VkResult vdc_wait_until(struct vdc_waiter *waiter, bool (*ready)(const void *data),
                        const void *data, uint64_t timeout_ns)
{
    return vdc_wait_words(waiter, ready, NULL, data, timeout_ns);
}

VkResult vdc_wait_words(struct vdc_waiter *waiter, bool (*ready)(const void *data),
                        uint32_t (*words)(const void *data, struct vdc_futex_word *words,
                                          uint32_t capacity),
                        const void *data, uint64_t timeout_ns)
{
    if (ready(data))
        return VK_SUCCESS;
    if (vdc_link_lost(waiter->link))
        return VK_ERROR_DEVICE_LOST;
    if (timeout_ns == 0)
        return VK_TIMEOUT;
    const struct wait wait = {waiter->link->completion, ready, words, data};
    const uint64_t traced = vd_trace_begin();
    const uint64_t now = vd_clock_ns();
    const uint64_t deadline = timeout_ns < UINT64_MAX - now ? now + timeout_ns : UINT64_MAX;
    if (!vdc_spin(&waiter->spinner, wait_over, &wait))
        sleep_until(waiter, &wait, deadline);
    atomic_fetch_add_explicit(&waiter->waits, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&waiter->wait_ns, vd_clock_ns() - now, memory_order_relaxed);
    vd_trace_end(traced, "wait for the GPU", 0);
    return ready(data)                   ? VK_SUCCESS
           : vdc_link_lost(waiter->link) ? VK_ERROR_DEVICE_LOST
                                         : VK_TIMEOUT;
}

void vdc_waiter_changed(struct vdc_waiter *waiter)
{
    struct vd_completion *page = waiter->link->completion;
    if (vd_completion_changed(page))
        vdc_link_wake(waiter->link, &page->event);
}

/* ---- Points */

struct awaited {
    const struct vd_completion_queue *queue;
    uint64_t number;
};

static bool has_come(const void *data)
{
    const struct awaited *awaited = data;
    /* acquire: what the host wrote before it stored `done`. */
    return atomic_load_explicit(&awaited->queue->done, memory_order_acquire) >= awaited->number;
}

static struct awaited await(const struct vdc_waiter *waiter, struct vdc_point point)
{
    assert(point.slot < VD_QUEUE_MAX);
    return (struct awaited){&waiter->link->completion->queues[point.slot], point.number};
}

bool vdc_point_done(const struct vdc_waiter *waiter, struct vdc_point point)
{
    const struct awaited awaited = await(waiter, point);
    return has_come(&awaited);
}

VkResult vdc_wait_point(struct vdc_waiter *waiter, struct vdc_point point, uint64_t timeout_ns)
{
    const struct awaited awaited = await(waiter, point);
    return vdc_wait_until(waiter, has_come, &awaited, timeout_ns);
}
