/* SPDX-License-Identifier: MIT
 *
 * A context without Vulkan, for the tests of what carries records: it understands a few records of
 * its own and checks that each arrives as it was sent.
 */
#ifndef VIADUCT_TESTS_FAKE_CONTEXT_H
#define VIADUCT_TESTS_FAKE_CONTEXT_H

#include <stdatomic.h>
#include <stdint.h>

#include "protocol/record.h"

#include "server/context.h"

enum fake_opcode {
    FAKE_SEQUENCE = 1000, /* struct fake_sequence; counted and checked */
    FAKE_ECHO,            /* as before, answered with its `number` and a copy of its bytes */
    FAKE_COMPLETE,        /* as before; `number` is done on queue 0 */
    FAKE_PIECES,          /* the thread as 64 bits, then its next numbers, one behind the other */
    FAKE_BAD,             /* refused */
    FAKE_ABORT,           /* the worker aborts */
    FAKE_BLOCK,           /* never returns */
};

#define FAKE_THREADS 16

/* Behind the record's header, and the reply request if it has one; then bytes that follow from
 * number and size. */
struct fake_sequence {
    uint32_t thread; /* each thread counts its own numbers, from 1 */
    uint32_t reserved;
    uint64_t number;
};

/* What the last context of this process has seen. */
extern _Atomic uint64_t fake_numbers[FAKE_THREADS];
/* While set, records wait before they are executed. */
extern _Atomic bool fake_closed;

/* Fills a record of `size` bytes in all. */
void fake_fill(void *record, uint32_t size, uint16_t opcode, const struct vd_reply_request *reply,
               uint32_t thread, uint64_t number);

#endif
