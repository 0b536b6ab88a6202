/* SPDX-License-Identifier: MIT */
#include "client_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"

#include "log.h"

#define READ_BYTES (16 << 10)
#define BURST      10 /* seconds' worth of lines */

bool vds_client_log_open(struct vds_client_log *log, int *child)
{
    int ends[2];
    *log = (struct vds_client_log){.fd = -1};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return false;
    /* The child's end blocks: the listener reads whatever comes, and an assertion of a driver that the
     * pipe had no room for would be missed. */
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    log->fd = ends[0];
    *child = ends[1];
    return true;
}

static bool may_say(struct vds_client_log *log, unsigned per_second)
{
    if (per_second == 0)
        return true;
    const uint64_t now = vd_clock_ms(), most = (uint64_t)per_second * BURST * 1000;
    if (!log->counted)
        log->credit = most;
    else
        log->credit += (now - log->counted) * per_second;
    log->counted = now;
    if (log->credit > most)
        log->credit = most;
    if (log->credit < 1000)
        return false;
    log->credit -= 1000;
    return true;
}

static void say_left_out(struct vds_client_log *log, const char *client)
{
    char text[64];
    if (!log->left_out)
        return;
    const int size = snprintf(text, sizeof(text), "%u more lines are left out", log->left_out);
    log->left_out = 0;
    vds_log_of(VDS_LOG_WARNING, client, text, (size_t)size);
}

static void say_line(struct vds_client_log *log, const char *client, unsigned per_second)
{
    const char *line = log->line;
    const bool ours = log->used >= 2 && line[0] == VDS_LOG_MARK && line[1] >= '0' + VDS_LOG_ERROR &&
                      line[1] <= '0' + VDS_LOG_DEBUG;
    if (!may_say(log, per_second)) {
        log->left_out++;
        return;
    }
    say_left_out(log, client);
    if (ours)
        vds_log_of((enum vds_log_level)(line[1] - '0'), client, line + 2, log->used - 2);
    else
        vds_log_foreign(client, line, log->used);
}

static void take(struct vds_client_log *log, const char *bytes, size_t size, const char *client,
                 unsigned per_second)
{
    while (size) {
        const char *newline = memchr(bytes, '\n', size);
        size_t part = newline ? (size_t)(newline - bytes) : size;
        const size_t step = part + (newline ? 1 : 0);
        if (log->rest_of_long)
            part = 0;
        if (part > sizeof(log->line) - log->used)
            part = sizeof(log->line) - log->used;
        memcpy(log->line + log->used, bytes, part);
        log->used += part;
        if (newline || (log->used == sizeof(log->line) && !log->rest_of_long)) {
            if (!log->rest_of_long)
                say_line(log, client, per_second);
            log->rest_of_long = !newline;
            log->used = 0;
        }
        bytes += step;
        size -= step;
    }
}

bool vds_client_log_pass_on(struct vds_client_log *log, const char *client, unsigned per_second)
{
    char bytes[READ_BYTES];
    if (log->fd < 0)
        return false;
    const ssize_t size = read(log->fd, bytes, sizeof(bytes));
    if (size > 0) {
        take(log, bytes, (size_t)size, client, per_second);
        return true;
    }
    if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(log->fd);
        log->fd = -1;
    }
    return false;
}

void vds_client_log_close(struct vds_client_log *log, const char *client, unsigned per_second)
{
    /* A pipe holds this much; a process that lives on, and writes on, is not waited for. */
    for (int i = 0; i < (64 << 10) / READ_BYTES + 1; i++)
        if (!vds_client_log_pass_on(log, client, per_second))
            break;
    if (log->used && !log->rest_of_long)
        say_line(log, client, per_second);
    say_left_out(log, client);
    if (log->fd >= 0)
        close(log->fd);
    log->fd = -1;
}
