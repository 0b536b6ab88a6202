/* SPDX-License-Identifier: MIT */
#include "connection.h"

#include <stdlib.h>

#include "common/environment.h"

#include "icd/log.h"
#include "opcodes.h"

#include "buffers.h"
#include "pending_signals.h"
#include "watcher.h"

/* The server is gone: nobody may wait for it any longer.
 *
 * What a waiter may sleep on is always one of: the state of a reply, the completion page's event, be
 * it beside words of others, the ring's producer_sleeps. The watcher first sets completion->lost and
 * then changes each of these words and wakes its sleepers; a waiter first looks at the word and at
 * lost, and then sleeps only while the word has not changed. So nobody can miss the server's end. */
static void lose(void *data)
{
    struct vdc_connection *connection = data;
    atomic_store(&connection->link.gone, true);
    atomic_store(&connection->link.completion->lost, 1);
    vdc_replies_lose(connection->replies);
    vdc_waiter_lose(connection->waiter);
    vdc_ring_lose(connection->ring);
    vdc_pending_signals_lose(connection->pending_signals);
}

static VkResult submit_setup(struct vdc_connection *connection)
{
    const struct {
        struct vd_record record;
        struct vd_setup setup;
    } command = {
        .record = {.size = sizeof(command), .opcode = VD_OP_SETUP},
        .setup =
            {
                .protocol_version = VD_PROTOCOL_VERSION,
                .ring_shm = vdc_ring_shm(connection->ring),
                .completion_shm = connection->link.completion_shm.id,
                .registry_version = VD_REGISTRY_VERSION,
            },
    };
    struct vdc_transport *transport = connection->link.transport;
    return transport->ops->submit(transport, &command, sizeof(command));
}

/* All parts, of which some may be missing after a failure. */
static VkResult create_parts(struct vdc_connection *connection)
{
    struct vdc_link *link = &connection->link;
    connection->buffers = vdc_buffers_create(link);
    connection->waiter = vdc_waiter_create(link);
    connection->pending_signals = vdc_pending_signals_create(link);
    if (!connection->buffers || !connection->waiter || !connection->pending_signals)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    connection->replies = vdc_replies_create(link, connection->buffers);
    if (!connection->replies)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    VkResult result = vdc_ring_create(link, connection->buffers, &connection->ring);
    if (result == VK_SUCCESS)
        result = submit_setup(connection);
    if (result == VK_SUCCESS) {
        connection->watcher = vdc_watcher_start(link, lose, connection);
        result = connection->watcher ? VK_SUCCESS : VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    return result;
}

VkResult vdc_connection_create(struct vdc_connection **out)
{
    /* Set by viaduct-server: its driver must be another one. */
    if (vd_getenv_anyway("VIADUCT_IN_SERVER")) {
        vdc_log_reason("in-server", "", "not used inside of viaduct-server");
        return VK_ERROR_INCOMPATIBLE_DRIVER;
    }
    struct vdc_connection *connection = calloc(1, sizeof(*connection));
    if (!connection)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    VkResult result = vdc_link_init(&connection->link);
    if (result != VK_SUCCESS) {
        free(connection);
        connection = NULL;
    } else {
        result = create_parts(connection);
    }
    if (result == VK_SUCCESS) {
        *out = connection;
        return VK_SUCCESS;
    }
    vdc_connection_destroy(connection);
    if (result == VK_ERROR_DEVICE_LOST || result == VK_ERROR_OUT_OF_DEVICE_MEMORY) {
        vdc_log_reason("no-context", "", "the server did not set up a context");
        result = VK_ERROR_INCOMPATIBLE_DRIVER;
    }
    return result;
}

void vdc_connection_destroy(struct vdc_connection *connection)
{
    if (!connection)
        return;
    vdc_watcher_stop(connection->watcher);
    vdc_ring_destroy(connection->ring);
    vdc_replies_destroy(connection->replies);
    vdc_pending_signals_destroy(connection->pending_signals);
    vdc_waiter_destroy(connection->waiter);
    vdc_buffers_destroy(connection->buffers);
    vdc_link_finish(&connection->link);
    free(connection);
}

void vdc_connection_stats(const struct vdc_connection *connection,
                          struct vdc_connection_stats *stats)
{
    stats->round_trips = vdc_replies_count(connection->replies);
    vdc_ring_stats(connection->ring, &stats->calls, &stats->bytes);
    vdc_waiter_stats(connection->waiter, &stats->waits, &stats->wait_ns);
}
