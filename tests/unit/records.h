/* SPDX-License-Identifier: MIT
 *
 * Records written by hand, and a client to send them.
 */
#ifndef VIADUCT_TESTS_RECORDS_H
#define VIADUCT_TESTS_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/completion.h"
#include "protocol/handle.h"
#include "protocol/record.h"
#include "server/context.h"

struct test_record {
    _Alignas(16) uint8_t bytes[16384];
    uint32_t size;
    uint32_t body; /* offset of the arguments */
};

/* Offset of a member of the arguments. */
#define ARG(r, type, member) ((r)->body + (uint32_t)offsetof(type, member))

struct test_client {
    struct vd_shm_table *shm;
    struct vd_context *context;
    struct vd_completion *completion;
    struct vd_shm_region *replies; /* and everything else that is shared */
    struct vd_shm_region *page;
};

#define REPLY_OFFSET 64u

void record_begin(struct test_record *r, uint16_t opcode, const void *args, uint32_t size,
                  bool reply);
/* Appends what the pointer at `where` points to; returns its offset. */
uint32_t record_put(struct test_record *r, uint32_t where, const void *data, uint32_t size);
/* The same, from where on the record returns. */
uint32_t record_put_back(struct test_record *r, uint32_t where, const void *data, uint32_t size);
/* The pointer at `where` asks for output. */
void record_out(struct test_record *r, uint32_t where, uint32_t size);
void record_set64(struct test_record *r, uint32_t where, uint64_t value);
uint64_t record_get64(const struct test_record *r, uint32_t where);

/* Executes an exact private copy, so that a sanitizer sees what reaches beyond it. The reply, if
 * any, is cleared before. */
bool client_send(struct test_client *client, const struct test_record *r, uint32_t shm);

#endif
