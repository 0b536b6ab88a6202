/* SPDX-License-Identifier: MIT
 *
 * How near the server is. Each of these is a fact of its own: what holds for one says nothing about the
 * next.
 */
#ifndef VIADUCT_ICD_NEARNESS_H
#define VIADUCT_ICD_NEARNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "connection/connection.h"

struct vdc_nearness {
    bool kernel;      /* the same one: descriptors can be passed, futexes are shared */
    bool clocks;      /* ours follow from the server's, see ahead_ns */
    int64_t ahead_ns; /* what our CLOCK_MONOTONIC is ahead of the server's */
};

/* After the server's first answer. Opens files of /proc. */
void vdc_nearness_find(struct vdc_nearness *nearness, const struct vdc_connection *connection);

#endif
