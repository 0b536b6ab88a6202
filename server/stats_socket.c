/* SPDX-License-Identifier: MIT */
#include "stats_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

#include "listening_socket.h"
#include "log.h"
#include "stats.h"

#define CONNECTIONS_MAX 16
#define PATIENCE_MS     5000
#define REQUEST_MAX     4096
/* Between two lines that say that somebody was turned away. */
#define SAY_MS 1000
/* How long nobody is accepted after the system ran out of something. */
#define PAUSE_MS 200

struct connection {
    int fd;
    uint64_t deadline;
    char request[REQUEST_MAX];
    size_t received;
    char *answer; /* NULL: there is none yet */
    size_t size, sent;
};

struct vds_stats_socket {
    struct vds_listening_socket socket;
    const struct vds_children *children;
    struct connection *connections[CONNECTIONS_MAX]; /* the oldest first */
    unsigned count;
    uint64_t said;         /* when somebody was turned away */
    uint64_t paused_until; /* nobody is accepted before; 0: somebody is */
};

struct vds_stats_socket *vds_stats_socket_create(const char *path,
                                                 const struct vds_children *children)
{
    struct vds_stats_socket *stats = calloc(1, sizeof(*stats));
    if (!stats)
        return NULL;
    stats->children = children;
    stats->socket.fd = -1;
    if (path && !vds_listening_socket_open(&stats->socket, path, 0600))
        vds_log(VDS_LOG_WARNING, "nobody can ask what clients do: no socket at %s", path);
    return stats;
}

static void hang_up(struct vds_stats_socket *stats, unsigned index)
{
    struct connection *connection = stats->connections[index];
    stats->count--;
    memmove(stats->connections + index, stats->connections + index + 1,
            (stats->count - index) * sizeof(*stats->connections));
    close(connection->fd);
    free(connection->answer);
    free(connection);
}

void vds_stats_socket_close(struct vds_stats_socket *stats)
{
    while (stats->count)
        hang_up(stats, stats->count - 1);
    vds_listening_socket_close(&stats->socket);
}

void vds_stats_socket_destroy(struct vds_stats_socket *stats)
{
    for (unsigned i = 0; stats && i < stats->count; i++) {
        free(stats->connections[i]->answer);
        free(stats->connections[i]);
    }
    free(stats);
}

/* ---- Who may ask */

/* Whether the process has no other number than the one that it has here: it is in no PID namespace of its
 * own, as containers are. */
static bool is_in_our_namespace(pid_t process)
{
    char path[32], line[256];
    bool ours = false;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)process);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    while (fgets(line, sizeof(line), file)) {
        int number, end = 0;
        if (sscanf(line, "NSpid: %d %n", &number, &end) == 1)
            ours = number == process && line[end] == '\0';
    }
    fclose(file);
    return ours;
}

/* NULL: it may. */
static const char *objection(int fd, uid_t *user)
{
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t size = sizeof(peer);
    const bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
    *user = peer.uid;
    if (!known || (peer.uid != geteuid() && peer.uid != 0))
        return "it is neither the server's nor root";
    return peer.pid > 0 && is_in_our_namespace(peer.pid) ? NULL : "it is in a container, or gone";
}

static void take(struct vds_stats_socket *stats, int fd)
{
    uid_t user;
    const char *why = objection(fd, &user);
    struct connection *connection = why ? NULL : calloc(1, sizeof(*connection));
    const uint64_t now = vd_clock_ms();
    if (!connection) {
        if (why && (!stats->said || now - stats->said >= SAY_MS)) {
            vds_log(VDS_LOG_WARNING, "user %u may not ask what clients do: %s", (unsigned)user,
                    why);
            stats->said = now;
        }
        close(fd);
        return;
    }
    if (stats->count == CONNECTIONS_MAX)
        hang_up(stats, 0);
    connection->fd = fd;
    connection->deadline = now + PATIENCE_MS;
    stats->connections[stats->count++] = connection;
}

/* ---- An answer */

/* Whether the request, which ends with a null byte, is all of it. */
static bool is_whole(const char *request)
{
    if (strncmp(request, "GET ", 4) != 0)
        return strlen(request) >= 4 || strchr(request, '\n');
    return strstr(request, "\n\r\n") || strstr(request, "\n\n");
}

static bool asks_for(const char *request, const char *path)
{
    const char *given = request + strlen("GET ");
    const size_t length = strlen(path);
    return strncmp(given, path, length) == 0 && strchr(" ?\r\n", given[length]);
}

static void answer(struct connection *connection, const struct vds_children *children)
{
    const char *request = connection->request;
    const bool http = strncmp(request, "GET ", 4) == 0;
    const bool table = http && asks_for(request, "/clients");
    const bool found = !http || table || asks_for(request, "/metrics") || asks_for(request, "/");
    size_t size = 0;
    char *body = !found  ? strdup("/metrics, /clients\n")
                 : table ? vds_stats_table(children, &size)
                         : vds_stats_metrics(children, &size);
    FILE *file = body ? open_memstream(&connection->answer, &connection->size) : NULL;
    if (file) {
        if (!found)
            size = strlen(body);
        if (http) {
            fprintf(file,
                    "HTTP/1.0 %s\r\nContent-Type: text/plain; version=0.0.4\r\n"
                    "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                    found ? "200 OK" : "404 Not Found", size);
        }
        fwrite(body, 1, size, file);
        if (fclose(file) != 0) {
            free(connection->answer);
            connection->answer = NULL;
        }
    }
    free(body);
}

/* False: the connection is over. */
static bool converse(struct connection *connection, const struct vds_children *children)
{
    if (!connection->answer) {
        const size_t room = sizeof(connection->request) - 1 - connection->received;
        const ssize_t received =
            recv(connection->fd, connection->request + connection->received, room, MSG_DONTWAIT);
        if (received < 0)
            return errno == EAGAIN || errno == EINTR;
        connection->received += (size_t)received;
        if (received > 0 && connection->received < sizeof(connection->request) - 1 &&
            !is_whole(connection->request))
            return true;
        answer(connection, children);
        if (!connection->answer)
            return false;
    }
    if (connection->sent < connection->size) {
        const ssize_t sent = send(connection->fd, connection->answer + connection->sent,
                                  connection->size - connection->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR;
        connection->sent += (size_t)sent;
        if (connection->sent == connection->size)
            shutdown(connection->fd, SHUT_WR);
        return true;
    }
    /* Until the other side has hung up: what is closed with something unread loses its answer. */
    return recv(connection->fd, connection->request, sizeof(connection->request), MSG_DONTWAIT) > 0;
}

/* ---- Events */

unsigned vds_stats_socket_source_count(const struct vds_stats_socket *stats)
{
    return stats->count + 1;
}

unsigned vds_stats_socket_add_sources(const struct vds_stats_socket *stats, struct pollfd *sources,
                                      unsigned max)
{
    unsigned count = 0;
    if (stats->socket.fd >= 0 && !stats->paused_until && max)
        sources[count++] = (struct pollfd){.fd = stats->socket.fd, .events = POLLIN};
    for (unsigned i = 0; i < stats->count && count < max; i++) {
        const struct connection *connection = stats->connections[i];
        const bool writes = connection->answer && connection->sent < connection->size;
        sources[count++] =
            (struct pollfd){.fd = connection->fd, .events = writes ? POLLOUT : POLLIN};
    }
    return count;
}

static void accept_one(struct vds_stats_socket *stats)
{
    const int client = accept4(stats->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client >= 0)
        take(stats, client);
    else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        stats->paused_until = vd_clock_ms() + PAUSE_MS; /* else poll() would return at once */
}

bool vds_stats_socket_handle_source(struct vds_stats_socket *stats, int fd)
{
    if (fd == stats->socket.fd) {
        accept_one(stats);
        return true;
    }
    for (unsigned i = 0; i < stats->count; i++) {
        if (stats->connections[i]->fd == fd) {
            if (!converse(stats->connections[i], stats->children))
                hang_up(stats, i);
            return true;
        }
    }
    return false;
}

int vds_stats_socket_expire(struct vds_stats_socket *stats)
{
    const uint64_t now = vd_clock_ms();
    while (stats->count && stats->connections[0]->deadline <= now)
        hang_up(stats, 0);
    uint64_t next = stats->count ? stats->connections[0]->deadline : 0;
    if (stats->paused_until && (!next || stats->paused_until < next))
        next = stats->paused_until;
    if (next && next <= now) {
        stats->paused_until = 0;
        return 0; /* there is one source more */
    }
    return next ? (int)(next - now) : -1;
}
