/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_TOOLS_JSON_H
#define VIADUCT_TOOLS_JSON_H

#include <stdio.h>

/* Writes a string in quotes, as JSON wants it. Bytes that are no UTF-8 are the caller's own fault. */
static inline void json_string(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(file, "\\%c", c);
        else if (c < ' ')
            fprintf(file, "\\u%04x", c);
        else
            fputc(c, file);
    }
    fputc('"', file);
}

#endif
