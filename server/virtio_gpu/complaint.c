/* SPDX-License-Identifier: MIT */
#include "complaint.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/clock.h"
#include "server/log.h"

#define WINDOW_MS 10000
#define LINES     20

void vg_complain(const char *format, ...)
{
    static uint64_t start;
    static unsigned lines, hidden;
    const uint64_t now = vd_clock_ms();
    if (now - start >= WINDOW_MS) {
        if (hidden > 0)
            vds_log(VDS_LOG_WARNING, "%u more complaints about the guest were left out", hidden);
        start = now;
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
    vds_log(VDS_LOG_WARNING, "%s", text);
}
