/* SPDX-License-Identifier: MIT */
#include "complaint.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "server/log.h"

#define WINDOW_SECONDS 10
#define LINES          20

void vg_complain(const char *format, ...)
{
    static time_t start;
    static unsigned lines, hidden;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec - start >= WINDOW_SECONDS) {
        if (hidden > 0) {
            vd_log(VD_LOG_WARNING, "%u more complaints about the guest were left out", hidden);
        }
        start = now.tv_sec;
        lines = 0;
        hidden = 0;
    }
    if (lines++ >= LINES) {
        hidden++;
        return;
    }
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    vd_log(VD_LOG_WARNING, "%s", text);
}
