/* SPDX-License-Identifier: MIT
 *
 * The consumer's end of the control ring (protocol/ring.h).
 */
#ifndef VIADUCT_SERVER_RING_H
#define VIADUCT_SERVER_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "context.h"
#include "shm.h"

struct vds_ring_consumer;

/* NULL, with a line in the log, when shared memory `ring_shm` cannot hold a ring. */
struct vds_ring_consumer *vds_ring_consumer_create(struct vds_shm_table *shm, uint32_t ring_shm);
void vds_ring_consumer_destroy(struct vds_ring_consumer *consumer);

/* Feeds the context with what arrives, until vds_ring_consumer_stop: true; or until the stream turns
 * out to be malformed: false, with a line in the log. */
bool vds_ring_consumer_run(struct vds_ring_consumer *consumer, struct vds_context *context);

/* Makes vds_ring_consumer_run return as soon as the context lets it. From any thread. */
void vds_ring_consumer_stop(struct vds_ring_consumer *consumer);

#endif
