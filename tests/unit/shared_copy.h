/* SPDX-License-Identifier: MIT
 *
 * A record whose bytes lie in shared memory.
 */
#ifndef VIADUCT_TESTS_SHARED_COPY_H
#define VIADUCT_TESTS_SHARED_COPY_H

#include "records.h"

/* A copy to the image that takes `length` bytes at `pointer`, into shared memory. Its record says so, or not. */
void make_shared_copy(struct test_record *r, uint64_t image, uint64_t length, uint64_t pointer,
                      bool shares);

/* An image of 16 by 16 texels of 4 bytes, that the driver knows nothing of. */
bool client_add_image(struct test_client *client, uint64_t id);

#endif
