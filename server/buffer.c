/* SPDX-License-Identifier: MIT */
#include "buffer.h"

#include <stdlib.h>

#include "log.h"

/* Larger ones are not kept. */
#define KEPT (UINT32_C(8) << 20)

bool vds_buffer_reserve(uint8_t **buffer, size_t *capacity, size_t size)
{
    if (size <= *capacity && (*capacity <= KEPT || size > KEPT))
        return true;
    free(*buffer);
    *buffer = NULL;
    *capacity = 0;
    const size_t rounded = (size + 4095) & ~(size_t)4095;
    *buffer = malloc(rounded);
    if (!*buffer) {
        vds_log(VDS_LOG_ERROR, "out of memory for %zu bytes", size);
        return false;
    }
    *capacity = rounded;
    return true;
}
