/* SPDX-License-Identifier: MIT */
#include "pending_signals.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/clock.h"

struct vdc_pending_signals {
    struct vdc_link *link;
    uint64_t signaler; /* our name in the files */
    pthread_mutex_t lock;
    struct vdc_pending_signal *first;
};

struct vdc_pending_signals *vdc_pending_signals_create(struct vdc_link *link)
{
    struct vdc_pending_signals *signals = calloc(1, sizeof(*signals));
    if (signals) {
        signals->link = link;
        signals->signaler = vd_clock_ns(); /* better than nothing */
        (void)!getrandom(&signals->signaler, sizeof(signals->signaler), 0);
        pthread_mutex_init(&signals->lock, NULL);
    }
    return signals;
}

void vdc_pending_signals_destroy(struct vdc_pending_signals *signals)
{
    if (!signals)
        return;
    if (!vdc_link_forked(signals->link))
        pthread_mutex_destroy(&signals->lock);
    free(signals);
}

void vdc_pending_signals_lose(struct vdc_pending_signals *signals)
{
    /* Under the lock: a signal that is added later finds the connection lost before it is sent. */
    pthread_mutex_lock(&signals->lock);
    for (struct vdc_pending_signal *signal = signals->first; signal; signal = signal->next) {
        struct vd_fence_file *file = signal->file;
        if (atomic_load(&file->signaler) == signals->signaler && vd_fence_mark(&file->state))
            vdc_link_wake(signals->link, &file->state);
    }
    pthread_mutex_unlock(&signals->lock);
}

void vdc_pending_signal_add(struct vdc_pending_signals *signals, struct vdc_pending_signal *signal)
{
    if (vdc_link_lost(signals->link))
        return; /* nor will it be asked for */
    pthread_mutex_lock(&signals->lock);
    atomic_store(&signal->file->signaler, signals->signaler);
    if (!signal->link) {
        signal->next = signals->first;
        signal->link = &signals->first;
        if (signal->next)
            signal->next->link = &signal->next;
        signals->first = signal;
    }
    pthread_mutex_unlock(&signals->lock);
}

void vdc_pending_signal_remove(struct vdc_pending_signals *signals,
                               struct vdc_pending_signal *signal)
{
    if (!signal->link || vdc_link_forked(signals->link))
        return;
    pthread_mutex_lock(&signals->lock);
    *signal->link = signal->next;
    if (signal->next)
        signal->next->link = signal->link;
    pthread_mutex_unlock(&signals->lock);
}
