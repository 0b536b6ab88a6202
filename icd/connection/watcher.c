/* SPDX-License-Identifier: MIT */
#include "watcher.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "icd/log.h"

#include "stand_in.h"

#define STACK_SIZE (64u << 10)

struct vdc_watcher {
    struct vdc_link *link;
    void (*lost)(void *data);
    void *data;
    pthread_t thread;
    atomic_bool stopped; /* before the transport is told to return */
};

static void *watch(void *data)
{
    struct vdc_watcher *watcher = data;
    struct vdc_transport *transport = watcher->link->transport;
    transport->ops->watch(transport, &watcher->link->completion->lost);
    if (!atomic_load(&watcher->stopped)) {
        watcher->lost(watcher->data);
        vdc_log("the server is gone");
    }
    return NULL;
}

static int create_thread(struct vdc_watcher *watcher)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    /* The application's signals are for the application's threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    int error = pthread_create(&watcher->thread, &attributes, watch, watcher);
    if (error == EINVAL) /* the program has more thread-local data than this */
        error = pthread_create(&watcher->thread, NULL, watch, watcher);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

struct vdc_watcher *vdc_watcher_start(struct vdc_link *link, void (*lost)(void *data), void *data)
{
    struct vdc_watcher *watcher = malloc(sizeof(*watcher));
    if (!watcher)
        return NULL;
    *watcher = (struct vdc_watcher){
        .link = link,
        .lost = lost,
        .data = data,
    };
    vdc_stand_in_begin();
    if (create_thread(watcher)) {
        vdc_stand_in_end();
        free(watcher);
        return NULL;
    }
    pthread_setname_np(watcher->thread, "viaduct-watch");
    return watcher;
}

void vdc_watcher_stop(struct vdc_watcher *watcher)
{
    if (!watcher)
        return;
    if (!vdc_link_forked(watcher->link)) { /* a child does not have the thread */
        struct vdc_transport *transport = watcher->link->transport;
        atomic_store(&watcher->stopped, true);
        transport->ops->unwatch(transport);
        pthread_join(watcher->thread, NULL);
        vdc_stand_in_end();
    }
    free(watcher);
}
