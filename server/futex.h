/* SPDX-License-Identifier: MIT
 *
 * Sleeping on words in memory that is shared with another process, and waking whoever sleeps there.
 */
#ifndef VIADUCT_SERVER_FUTEX_H
#define VIADUCT_SERVER_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

/* Sleeps while *address == value. May return early: the caller looks again. */
void vds_futex_wait(_Atomic uint32_t *address, uint32_t value);

/* Wakes those who sleep on a word that no client knows. */
void vds_futex_wake(_Atomic uint32_t *address);
/* Wakes the client that may sleep on this word in shared memory. */
void vds_wake(_Atomic uint32_t *address);

/* From now on vds_wake() also writes this eventfd, for clients that no futex reaches. */
void vds_wake_notify(int fd);

#endif
