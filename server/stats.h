/* SPDX-License-Identifier: MIT
 *
 * What the workers have counted of their clients, as text: for Prometheus, and for `viaduct top`.
 */
#ifndef VIADUCT_SERVER_STATS_H
#define VIADUCT_SERVER_STATS_H

#include <stddef.h>

#include "children.h"

/* In Prometheus' text format. The caller frees it. NULL without memory. */
char *vds_stats_metrics(const struct vds_children *children, size_t *size);
/* A line of names, then one for each client, in columns that tabs separate; no text in them has one. Times
 * are nanoseconds. As above. */
char *vds_stats_table(const struct vds_children *children, size_t *size);

#endif
