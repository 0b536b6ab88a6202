/* SPDX-License-Identifier: MIT
 *
 * Fences that others may wait for as well, and that the server has been asked to mark as signalled.
 * If it is gone before it has, this process marks them, for nobody may wait for ever. Thread-safe.
 */
#ifndef VIADUCT_ICD_CONNECTION_PENDING_SIGNALS_H
#define VIADUCT_ICD_CONNECTION_PENDING_SIGNALS_H

#include "link.h"
#include "protocol/fence.h"

struct vdc_pending_signals;

struct vdc_pending_signal {
    struct vd_fence_file *file;
    struct vdc_pending_signal *next, **link; /* private; all zero before the first time */
};

/* NULL without memory. */
struct vdc_pending_signals *vdc_pending_signals_create(struct vdc_link *link);
/* NULL is fine. */
void vdc_pending_signals_destroy(struct vdc_pending_signals *signals);
/* The server is gone, and the link says so: marks them. */
void vdc_pending_signals_lose(struct vdc_pending_signals *signals);

/* Before the server is asked. Names this connection as the fence's signaler. */
void vdc_pending_signal_add(struct vdc_pending_signals *signals, struct vdc_pending_signal *signal);
/* The file is about to be unmapped. */
void vdc_pending_signal_remove(struct vdc_pending_signals *signals,
                               struct vdc_pending_signal *signal);

#endif
