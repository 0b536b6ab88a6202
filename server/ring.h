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

struct vd_ring_consumer;

/* NULL, with a line in the log, when shared memory `ring_shm` cannot hold a ring. */
struct vd_ring_consumer *vd_ring_consumer_create(struct vd_shm_table *shm, uint32_t ring_shm);
void vd_ring_consumer_destroy(struct vd_ring_consumer *consumer);

/* Feeds the context with what arrives, until vd_ring_consumer_stop: true; or until the stream turns
 * out to be malformed: false, with a line in the log. */
bool vd_ring_consumer_run(struct vd_ring_consumer *consumer, struct vd_context *context);

/* Makes vd_ring_consumer_run return as soon as the context lets it. From any thread. */
void vd_ring_consumer_stop(struct vd_ring_consumer *consumer);

#endif
