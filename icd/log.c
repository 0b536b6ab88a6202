/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/environment.h"

#include "log.h"

#define LINE_MAX_BYTES 1024

static const struct {
    const char *word;
    unsigned flags;
} words[] = {
    {"1", VDC_DEBUG_LOG},
    {"log", VDC_DEBUG_LOG},
    {"stats", VDC_DEBUG_STATS},
    {"sync", VDC_DEBUG_SYNC},
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned flags;
static vdc_log_listener listener;
static void *listener_data;

static void read_flags(void)
{
    const char *list = vd_getenv("VIADUCT_DEBUG");
    while (list && *list) {
        const size_t length = strcspn(list, ",");
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
            if (strlen(words[i].word) == length && memcmp(words[i].word, list, length) == 0)
                flags |= words[i].flags;
        list += length;
        list += *list == ',';
    }
}

unsigned vdc_debug_flags(void)
{
    pthread_once(&once, read_flags);
    return flags;
}

/* With a single write(), so that lines of several threads and processes stay whole. */
static void print(const char *text)
{
    static const char prefix[] = "viaduct: ";
    const int saved_errno = errno;
    char line[LINE_MAX_BYTES];
    int length = snprintf(line, sizeof(line) - 1, "%s%s", prefix, text);
    if (length > (int)sizeof(line) - 2)
        length = (int)sizeof(line) - 2;
    line[length++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, (size_t)length);
    (void)written;
    errno = saved_errno;
}

static void tell(const char *reason, const char *about, const char *format, va_list args)
{
    const bool wanted = vdc_debug_flags() & VDC_DEBUG_LOG;
    if (!wanted && !listener)
        return;
    const int saved_errno = errno;
    char text[LINE_MAX_BYTES];
    vsnprintf(text, sizeof(text), format, args);
    if (wanted)
        print(text);
    if (listener)
        listener(listener_data, reason, about, text);
    errno = saved_errno;
}

void vdc_log(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tell("", "", format, args);
    va_end(args);
}

void vdc_log_reason(const char *reason, const char *about, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tell(reason, about, format, args);
    va_end(args);
}

void vdc_log_listen(vdc_log_listener function, void *data)
{
    listener = function;
    listener_data = data;
}

void vdc_print(const char *format, ...)
{
    va_list args;
    char text[LINE_MAX_BYTES];
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    print(text);
}
