/* SPDX-License-Identifier: MIT
 *
 * Memory that is kept from one use to the next.
 */
#ifndef VIADUCT_SERVER_BUFFER_H
#define VIADUCT_SERVER_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for `size` bytes in *buffer, which holds *capacity bytes or is NULL. Its contents are lost.
 * False, with a line in the log, without memory. */
bool vds_buffer_reserve(uint8_t **buffer, size_t *capacity, size_t size);

#endif
