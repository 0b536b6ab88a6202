/* SPDX-License-Identifier: MIT
 *
 * Decodes copies of a valid record, in each of which another word is wrong or the end is missing, so that every
 * check of a decoder refuses something. Copies that pass are called only where decoding and calling is one.
 */
#ifndef VIADUCT_TESTS_FUZZ_SWEEP_H
#define VIADUCT_TESTS_FUZZ_SWEEP_H

#include "session.h"

/* Of the ring. Records that are very large are left alone. */
void sweep_record(struct test_client *client, const uint8_t *record, uint32_t size);
/* What was recorded into the session's command buffer: `size` bytes of records. */
void sweep_recorded(struct test_client *client, const uint8_t *records, uint32_t size);

#endif
