/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

#define LINE_MAX_BYTES 2048

static const char *const level_names[] = {
    [VDS_LOG_ERROR] = "error",
    [VDS_LOG_WARNING] = "warning",
    [VDS_LOG_INFO] = "info",
    [VDS_LOG_DEBUG] = "debug",
};

static _Atomic int max_level = VDS_LOG_INFO;
/* Set before the process has other threads than its first. */
static char client[128];

void vds_log_set_level(enum vds_log_level level)
{
    atomic_store_explicit(&max_level, (int)level, memory_order_relaxed);
}

void vds_log_set_client(const char *name)
{
    snprintf(client, sizeof(client), "%s%s", name ? name : "", name ? ": " : "");
}

void vds_log(enum vds_log_level level, const char *format, ...)
{
    if ((int)level > atomic_load_explicit(&max_level, memory_order_relaxed))
        return;
    const int saved_errno = errno;
    char line[LINE_MAX_BYTES];
    int length = snprintf(line, sizeof(line), "viaduct-server: %s: %s", level_names[level], client);
    va_list args;
    va_start(args, format);
    errno = saved_errno; /* for %m */
    const int text = vsnprintf(line + length, sizeof(line) - 1 - (size_t)length, format, args);
    va_end(args);
    if (text > 0)
        length += text;
    if (length > LINE_MAX_BYTES - 2)
        length = LINE_MAX_BYTES - 2;
    /* One message is one line, whatever a client put into it. */
    for (int i = 0; i < length; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
    line[length++] = '\n';
    /* Nobody to tell when this fails. */
    ssize_t written = write(STDERR_FILENO, line, (size_t)length);
    (void)written;
    errno = saved_errno;
}
