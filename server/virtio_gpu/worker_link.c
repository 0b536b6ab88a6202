/* SPDX-License-Identifier: MIT */
#include "worker_link.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/pass_fds.h"
#include "server/log.h"

#include "complaint.h"
#include "spawn.h"

#define WORKERS_MAX 64u

/* How long a worker may take to end, and how long that is waited for. */
#define END_MS  3000u
#define STOP_MS 2000

static_assert(VG_LINK_FDS_MAX <= VD_PASS_FDS_MAX, "a message goes with all of its descriptors");

/* ---- Out */

bool vg_worker_link_send(const struct vg_worker_link *link, const struct vg_link_message *message,
                         const int *fds, unsigned fd_count)
{
    return vd_send_fds(link->link.fd, message, sizeof(*message), fds, fd_count,
                       MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(*message);
}

/* To the listener. */
static bool send_spawn(const struct vg_workers *workers, const struct vg_spawn *spawn, int fd)
{
    return vd_send_fds(workers->spawn, spawn, sizeof(*spawn), &fd, fd >= 0 ? 1 : 0,
                       MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(*spawn);
}

void vg_worker_link_kill(const struct vg_worker_link *link)
{
    const struct vg_spawn spawn = {VG_SPAWN_KILL, link->number};
    send_spawn(link->workers, &spawn, -1);
}

void vg_worker_link_give_up(struct vg_worker_link *link)
{
    vg_worker_link_kill(link);
    link->end_deadline = vd_clock_ms() + END_MS;
}

void vg_worker_link_end(struct vg_worker_link *link)
{
    if (!vg_worker_link_serves(link))
        return;
    const struct vg_link_message message = {.type = VG_LINK_END};
    if (!vg_worker_link_send(link, &message, NULL, 0))
        vg_worker_link_kill(link);
    link->end_deadline = vd_clock_ms() + END_MS;
}

/* ---- In */

static void close_link(struct vg_worker_link *link)
{
    struct vg_workers *workers = link->workers;
    vg_loop_unwatch(workers->loop, &link->link);
    vg_loop_unwatch(workers->loop, &link->wake);
    close(link->link.fd);
    close(link->wake.fd);
    link->link.fd = -1;
    link->wake.fd = -1;
    link->lost = true;
    workers->count--;
    link->listener->gone(link);
}

static void link_ready(struct vg_source *source, uint32_t events)
{
    (void)events;
    struct vg_worker_link *link =
        (struct vg_worker_link *)((uint8_t *)source - offsetof(struct vg_worker_link, link));
    struct vg_link_message message;
    const ssize_t received = recv(source->fd, &message, sizeof(message), MSG_DONTWAIT);
    if (received < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (received == sizeof(message))
        link->listener->answered(link, &message);
    else
        close_link(link);
}

static void wake_ready(struct vg_source *source, uint32_t events)
{
    (void)events;
    struct vg_worker_link *link =
        (struct vg_worker_link *)((uint8_t *)source - offsetof(struct vg_worker_link, wake));
    eventfd_t count;
    eventfd_read(source->fd, &count);
    link->listener->woke(link);
}

void vg_worker_link_stop(struct vg_worker_link *link)
{
    if (!vg_worker_link_is_open(link))
        return;
    vg_worker_link_give_up(link);
    struct vg_link_message message;
    struct pollfd source = {.fd = link->link.fd, .events = POLLIN};
    while (poll(&source, 1, STOP_MS) > 0 &&
           recv(source.fd, &message, sizeof(message), MSG_DONTWAIT) > 0) {
    }
    close_link(link);
}

/* ---- Life */

void vg_worker_link_init(struct vg_worker_link *link, struct vg_workers *workers,
                         const struct vg_worker_listener *listener)
{
    *link = (struct vg_worker_link){
        .workers = workers, .listener = listener, .link.fd = -1, .wake.fd = -1};
}

bool vg_worker_link_is_open(const struct vg_worker_link *link)
{
    return link->link.fd >= 0;
}

bool vg_worker_link_serves(const struct vg_worker_link *link)
{
    return vg_worker_link_is_open(link) && !link->end_deadline;
}

bool vg_worker_link_start(struct vg_worker_link *link, uint32_t id, const char *name)
{
    struct vg_workers *workers = link->workers;
    if (vg_worker_link_is_open(link) || link->lost)
        return vg_worker_link_serves(link);
    if (workers->count >= WORKERS_MAX) {
        vg_complain("no worker for context %u (%s): there are %u", id, name, WORKERS_MAX);
        return false;
    }
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) < 0) {
        vds_log(VDS_LOG_ERROR, "no socket for a worker: %m");
        return false;
    }
    const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    link->number = ++workers->last_number;
    link->link = (struct vg_source){.ready = link_ready, .fd = sockets[0]};
    link->wake = (struct vg_source){.ready = wake_ready, .fd = wake};
    const struct vg_spawn spawn = {VG_SPAWN_START, link->number};
    struct vg_link_message hello = {.type = VG_LINK_HELLO};
    memcpy(hello.name, name, sizeof(hello.name));
    const bool ok = wake >= 0 && send_spawn(workers, &spawn, sockets[1]) &&
                    vg_worker_link_send(link, &hello, &wake, 1) &&
                    vg_loop_watch(workers->loop, &link->link, EPOLLIN) &&
                    vg_loop_watch(workers->loop, &link->wake, EPOLLIN);
    close(sockets[1]);
    if (!ok) {
        vds_log(VDS_LOG_ERROR, "no worker for context %u (%s): %m", id, name);
        close(sockets[0]);
        if (wake >= 0)
            close(wake);
        link->link.fd = -1;
        link->wake.fd = -1;
        link->lost = true;
        return false;
    }
    workers->count++;
    return true;
}
