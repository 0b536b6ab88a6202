/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "server/log.h"

bool vg_loop_init(struct vg_loop *loop)
{
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    return loop->epoll >= 0;
}

void vg_loop_finish(struct vg_loop *loop)
{
    if (loop->epoll >= 0) {
        close(loop->epoll);
        loop->epoll = -1;
    }
}

bool vg_loop_watch(struct vg_loop *loop, struct vg_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, source->fd, &event) < 0) {
        vds_log(VDS_LOG_ERROR, "epoll: %m");
        return false;
    }
    return true;
}

void vg_loop_change(struct vg_loop *loop, struct vg_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    epoll_ctl(loop->epoll, EPOLL_CTL_MOD, source->fd, &event);
}

void vg_loop_unwatch(struct vg_loop *loop, const struct vg_source *source)
{
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
}

int vg_loop_turn(struct vg_loop *loop, int timeout_ms)
{
    /* One at a time: a source may be gone after another one's turn. */
    struct epoll_event event;
    const int count = epoll_wait(loop->epoll, &event, 1, timeout_ms);
    if (count == 1) {
        struct vg_source *source = event.data.ptr;
        source->ready(source, event.events);
    }
    return count;
}
