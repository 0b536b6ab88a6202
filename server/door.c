/* SPDX-License-Identifier: MIT */
#include "door.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/patience.h"

#include "log.h"

/* Connections that wait. A new one is always let in; somebody else goes then. */
#define WAITING_MAX 256
/* Users whose rate is known. */
#define USERS_MAX 64
/* How often those are looked at that wait for a limit. */
#define LOOK_MS 20
/* Between two lines that say that somebody was turned away. */
#define SAY_MS 1000

struct waiting {
    int fd;
    uid_t user;
    uint64_t since;
    bool ready; /* it has said something */
};

struct user {
    uid_t id;
    uint64_t credit; /* thousandths of clients */
    uint64_t counted;
};

struct vds_door {
    const struct vds_limits *limits;
    struct waiting waiting[WAITING_MAX]; /* the oldest first */
    unsigned count;
    struct user users[USERS_MAX];
    unsigned user_count;
    uint64_t said;
    unsigned unsaid;
};

struct vds_door *vds_door_create(const struct vds_limits *limits)
{
    struct vds_door *door = calloc(1, sizeof(*door));
    if (door)
        door->limits = limits;
    return door;
}

static void leave(struct vds_door *door, unsigned index)
{
    door->count--;
    memmove(door->waiting + index, door->waiting + index + 1,
            (door->count - index) * sizeof(*door->waiting));
}

static void turn_away(struct vds_door *door, unsigned index)
{
    close(door->waiting[index].fd);
    leave(door, index);
}

void vds_door_destroy(struct vds_door *door)
{
    if (!door)
        return;
    while (door->count)
        turn_away(door, door->count - 1);
    free(door);
}

/* ---- Why somebody is turned away */

static void say(struct vds_door *door, uid_t user, const char *why)
{
    const uint64_t now = vd_clock_ms();
    if (door->said && now - door->said < SAY_MS) {
        door->unsaid++;
        return;
    }
    if (door->unsaid)
        vds_log(VDS_LOG_WARNING, "turned away %u others since then", door->unsaid);
    door->said = now;
    door->unsaid = 0;
    vds_log(VDS_LOG_WARNING, "turned away a connection of user %u: %s", (unsigned)user, why);
}

static bool may_connect(const struct vds_limits *limits, uid_t user)
{
    bool may = !limits->users;
    for (unsigned i = 0; i < limits->user_count && !may; i++)
        may = limits->users[i] == user;
    return may;
}

/* Of whoever has most of them, the one that has waited longest. */
static unsigned most_dispensable(const struct vds_door *door)
{
    unsigned chosen = 0, most = 0;
    for (unsigned i = 0; i < door->count; i++) {
        unsigned same = 0;
        for (unsigned j = i; j < door->count; j++)
            same += door->waiting[j].user == door->waiting[i].user;
        if (same > most) {
            most = same;
            chosen = i;
        }
    }
    return chosen;
}

void vds_door_take(struct vds_door *door, int fd)
{
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t size = sizeof(peer);
    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    if (!may_connect(door->limits, peer.uid)) {
        say(door, peer.uid, "it is none of --allow-uid");
        close(fd);
        return;
    }
    if (door->count == WAITING_MAX) {
        const unsigned index = most_dispensable(door);
        say(door, door->waiting[index].user, "too many are waiting");
        turn_away(door, index);
    }
    door->waiting[door->count++] =
        (struct waiting){.fd = fd, .user = peer.uid, .since = vd_clock_ms()};
}

/* ---- Events */

unsigned vds_door_source_count(const struct vds_door *door)
{
    return door->count;
}

unsigned vds_door_add_sources(const struct vds_door *door, struct pollfd *sources, unsigned max)
{
    unsigned count = 0;
    for (; count < door->count && count < max; count++) {
        const struct waiting *waiting = &door->waiting[count];
        sources[count] = (struct pollfd){.fd = waiting->fd, .events = waiting->ready ? 0 : POLLIN};
    }
    return count;
}

bool vds_door_handle_source(struct vds_door *door, int fd, short events)
{
    for (unsigned i = 0; i < door->count; i++) {
        if (door->waiting[i].fd != fd)
            continue;
        if (events & POLLIN)
            door->waiting[i].ready = true;
        else if (events & (POLLHUP | POLLERR))
            turn_away(door, i); /* it is gone */
        return true;
    }
    return false;
}

static uint64_t deadline(const struct vds_door *door, const struct waiting *waiting)
{
    return waiting->since + (uint64_t)door->limits->handshake_seconds * 1000 * VD_PATIENCE;
}

void vds_door_expire(struct vds_door *door)
{
    const uint64_t now = vd_clock_ms();
    for (unsigned i = door->limits->handshake_seconds ? door->count : 0; i-- > 0;) {
        if (now < deadline(door, &door->waiting[i]))
            continue;
        say(door, door->waiting[i].user,
            door->waiting[i].ready ? "as many are served as may be" : "it has said nothing");
        turn_away(door, i);
    }
}

int vds_door_timeout(const struct vds_door *door)
{
    int timeout = -1;
    const uint64_t now = vd_clock_ms();
    for (unsigned i = 0; i < door->count; i++) {
        if (door->waiting[i].ready)
            return LOOK_MS;
        if (i == 0 && door->limits->handshake_seconds) {
            const uint64_t end = deadline(door, &door->waiting[0]);
            timeout = end > now ? (int)(end - now) : 0;
        }
    }
    return timeout;
}

/* ---- Whose turn it is */

/* The user's entry; the one that was needed longest ago gives way. */
static struct user *user_of(struct vds_door *door, uid_t id)
{
    struct user *oldest = &door->users[0];
    for (unsigned i = 0; i < door->user_count; i++) {
        if (door->users[i].id == id)
            return &door->users[i];
        if (door->users[i].counted < oldest->counted)
            oldest = &door->users[i];
    }
    if (door->user_count < USERS_MAX)
        oldest = &door->users[door->user_count++];
    *oldest = (struct user){.id = id};
    return oldest;
}

static bool in_rate(struct vds_door *door, uid_t id)
{
    const uint64_t rate = door->limits->rate_of_user, most = 2 * rate * 1000;
    if (rate == 0)
        return true;
    struct user *user = user_of(door, id);
    const uint64_t now = vd_clock_ms();
    user->credit = user->counted ? user->credit + (now - user->counted) * rate : most;
    user->counted = now;
    if (user->credit > most)
        user->credit = most;
    if (user->credit < 1000)
        return false;
    user->credit -= 1000;
    return true;
}

int vds_door_admit(struct vds_door *door, unsigned serving,
                   unsigned (*serving_user)(const void *data, uid_t user), const void *data,
                   uid_t *user)
{
    const struct vds_limits *limits = door->limits;
    if (limits->clients && serving >= limits->clients)
        return -1;
    for (unsigned i = 0; i < door->count; i++) {
        const struct waiting waiting = door->waiting[i];
        if (!waiting.ready ||
            (limits->clients_of_user &&
             serving_user(data, waiting.user) >= limits->clients_of_user) ||
            !in_rate(door, waiting.user))
            continue;
        leave(door, i);
        *user = waiting.user;
        return waiting.fd;
    }
    return -1;
}
