/* SPDX-License-Identifier: MIT
 *
 * A connection: one worker on the other side. It is put together here; what it can do is in its
 * parts, each with a header of its own.
 */
#ifndef VIADUCT_ICD_CONNECTION_CONNECTION_H
#define VIADUCT_ICD_CONNECTION_CONNECTION_H

#include "link.h"
#include "replies.h"
#include "ring.h"
#include "waiter.h"

struct vdc_pending_signals;
struct vdc_watcher;

struct vdc_connection {
    struct vdc_link link;
    struct vdc_buffers *buffers; /* of ring and replies */
    struct vdc_ring *ring;
    struct vdc_replies *replies;
    struct vdc_waiter *waiter;
    struct vdc_pending_signals *pending_signals;
    struct vdc_watcher *watcher; /* private */
};

/* Connects and sets up. On success the caller owns *connection. Errors as vdc_transport_connect. */
VkResult vdc_connection_create(struct vdc_connection **connection);
/* Waits for nothing: what is still on its way may be lost. NULL is fine. In a forked child (see
 * vdc_link_forked) it only closes descriptors and unmaps, and never speaks to the server. */
void vdc_connection_destroy(struct vdc_connection *connection);

/* Whether nothing can be asked of the server any more: vdc_link_lost. */
static inline bool vdc_connection_lost(const struct vdc_connection *connection)
{
    return vdc_link_lost(&connection->link);
}

/* Records, bytes and waits so far. */
struct vdc_connection_stats {
    uint64_t calls;       /* records sent; those inside streams are added by their recorder */
    uint64_t round_trips; /* replies waited for */
    uint64_t bytes;       /* of records, chunks included */
    uint64_t waits;       /* for the GPU: those that did not find it ready */
    uint64_t wait_ns;
};
void vdc_connection_stats(const struct vdc_connection *connection,
                          struct vdc_connection_stats *stats);

#endif
