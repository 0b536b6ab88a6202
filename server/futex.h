/* SPDX-License-Identifier: MIT
 *
 * Sleeping on words in memory that is shared with another process. The waking half is vds_wake() in
 * context.h.
 */
#ifndef VIADUCT_SERVER_FUTEX_H
#define VIADUCT_SERVER_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

/* Sleeps while *address == value. May return early: the caller looks again. */
void vds_futex_wait(_Atomic uint32_t *address, uint32_t value);

/* From now on vds_wake() also writes this eventfd, for clients that no futex reaches. */
void vds_wake_notify(int fd);

#endif
