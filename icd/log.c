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
static void print(const char *format, va_list args)
{
    static const char prefix[] = "viaduct: ";
    const int saved_errno = errno;
    char line[LINE_MAX_BYTES];
    size_t length = sizeof(prefix) - 1;
    memcpy(line, prefix, length);
    const int text = vsnprintf(line + length, sizeof(line) - 1 - length, format, args);
    if (text > 0)
        length += (size_t)text;
    if (length > sizeof(line) - 2)
        length = sizeof(line) - 2;
    line[length++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written;
    errno = saved_errno;
}

void vdc_log(const char *format, ...)
{
    if (!(vdc_debug_flags() & VDC_DEBUG_LOG))
        return;
    va_list args;
    va_start(args, format);
    print(format, args);
    va_end(args);
}

void vdc_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print(format, args);
    va_end(args);
}
