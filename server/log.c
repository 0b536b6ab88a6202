/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

/* A pipe takes this much at once, or nothing. */
#define LINE_MAX_BYTES 2048

static const char *const level_names[] = {
    [VDS_LOG_ERROR] = "error",
    [VDS_LOG_WARNING] = "warning",
    [VDS_LOG_INFO] = "info",
    [VDS_LOG_DEBUG] = "debug",
};

static _Atomic int max_level = VDS_LOG_INFO;

/* ---- Where lines go */

/* Set before the process has other threads than its first. */
static bool to_listener;
static enum {
    PATIENT,   /* write(), however long that takes */
    OWN_FILE,  /* to `sink`, which does not block */
    SOCKET,    /* to stderr, which is a socket */
    LOOK_FIRST /* to stderr, if poll() says that there is room */
} way;
static int sink = STDERR_FILENO;
static unsigned lost; /* lines; only counted where nothing waits, which is one thread */

void vds_log_to_listener(void)
{
    to_listener = true;
}

void vds_log_never_wait(void)
{
    struct stat status;
    /* O_NONBLOCK would be everybody's who has inherited this stderr; a file opened anew is ours. */
    if (way != PATIENT || fstat(STDERR_FILENO, &status) < 0 || S_ISREG(status.st_mode))
        return;
    if (S_ISSOCK(status.st_mode)) {
        way = SOCKET;
        return;
    }
    const int own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    way = own >= 0 ? OWN_FILE : LOOK_FIRST;
    if (own >= 0)
        sink = own;
}

static bool put(const char *line, size_t size)
{
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    switch (way) {
    case SOCKET:
        return send(sink, line, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 || errno != EAGAIN;
    case LOOK_FIRST:
        if (poll(&room, 1, 0) == 0)
            return false;
        break;
    case PATIENT:
    case OWN_FILE:
        break;
    }
    /* Nobody to tell when this fails for another reason. */
    return write(sink, line, size) >= 0 || errno != EAGAIN;
}

static void put_counted(const char *line, size_t size)
{
    char note[96];
    if (lost) {
        const int length = snprintf(
            note, sizeof(note),
            "viaduct-server: warning: %u lines were lost, because nobody read them in time\n",
            lost);
        if (!put(note, (size_t)length)) {
            lost++;
            return;
        }
        lost = 0;
    }
    if (!put(line, size))
        lost++;
}

/* ---- Lines */

/* Appends `text` to the first `used` bytes of the line, ends it, and writes it. */
static void finish_line(char line[static LINE_MAX_BYTES], int used, const char *text, size_t size)
{
    size_t length = used < LINE_MAX_BYTES - 2 ? (size_t)used : LINE_MAX_BYTES - 2;
    if (size > LINE_MAX_BYTES - 1 - length)
        size = LINE_MAX_BYTES - 1 - length;
    memcpy(line + length, text, size);
    length += size;
    /* One message is one line, whatever a client put into it. */
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)line[i] < ' ' && !(to_listener && i == 0)) || line[i] == 0x7f)
            line[i] = '?';
    line[length++] = '\n';
    put_counted(line, length);
}

void vds_log_set_level(enum vds_log_level level)
{
    atomic_store_explicit(&max_level, (int)level, memory_order_relaxed);
}

enum vds_log_level vds_log_level(void)
{
    return (enum vds_log_level)atomic_load_explicit(&max_level, memory_order_relaxed);
}

void vds_log(enum vds_log_level level, const char *format, ...)
{
    if (level > vds_log_level())
        return;
    const int saved_errno = errno;
    char line[LINE_MAX_BYTES], text[LINE_MAX_BYTES];
    const int used = to_listener
                         ? snprintf(line, sizeof(line), "%c%c", VDS_LOG_MARK, '0' + (int)level)
                         : snprintf(line, sizeof(line), "viaduct-server: %s: ", level_names[level]);
    va_list args;
    va_start(args, format);
    errno = saved_errno; /* for %m */
    const int size = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    finish_line(line, used, text,
                size < 0                ? 0
                : size < LINE_MAX_BYTES ? (size_t)size
                                        : sizeof(text) - 1);
    errno = saved_errno;
}

void vds_log_of(enum vds_log_level level, const char *client, const char *text, size_t size)
{
    if (level > vds_log_level())
        return;
    char line[LINE_MAX_BYTES];
    const int used =
        snprintf(line, sizeof(line), "viaduct-server: %s: %s: ", level_names[level], client);
    finish_line(line, used, text, size);
}

void vds_log_foreign(const char *client, const char *text, size_t size)
{
    char line[LINE_MAX_BYTES];
    finish_line(line, snprintf(line, sizeof(line), "%s: ", client), text, size);
}
