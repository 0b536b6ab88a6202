/* SPDX-License-Identifier: MIT */
#include "sweep.h"

#include <stdlib.h>
#include <string.h>

#include "replay.h"
#include "server/execute.h"

#define SIZE_MAX_SWEPT 8192u

typedef void (*taker)(struct vds_execution *x, uint8_t *record);

/* Exact, so that a sanitizer sees what reaches beyond it. */
static void take_copy(struct vds_execution *x, const uint8_t *record, uint32_t size, uint32_t at,
                      uint32_t word, taker take_it)
{
    uint8_t *copy = malloc(size);
    memcpy(copy, record, size);
    memcpy(copy + at, &word, sizeof(word));
    take_it(x, copy);
    free(copy);
}

static void sweep(struct vds_execution *x, const uint8_t *record, uint32_t size, taker take_it)
{
    if (size > SIZE_MAX_SWEPT)
        return;
    for (uint32_t at = sizeof(struct vd_record); at < size; at += sizeof(uint32_t)) {
        uint32_t word;
        memcpy(&word, record + at, sizeof(word));
        take_copy(x, record, size, at, 0, take_it);
        take_copy(x, record, size, at, 1, take_it);
        take_copy(x, record, size, at, word + VD_ALIGN, take_it);
        take_copy(x, record, size, at, UINT32_MAX, take_it);
        if (at % VD_ALIGN == 0)
            take_copy(x, record, at, offsetof(struct vd_record, size), at, take_it);
    }
}

static void decode(struct vds_execution *x, uint8_t *record)
{
    vds_decode(x, record);
    vds_end(x);
}

void sweep_record(struct test_client *client, const uint8_t *record, uint32_t size)
{
    struct vds_execution x;
    vds_execution_init(&x, client->context);
    sweep(&x, record, size, decode);
    vds_execution_finish(&x);
}

/* As server/stream.c does it. */
static void play(struct vds_execution *x, uint8_t *bytes)
{
    struct vds_decoder *d = &x->decoder;
    const struct vd_record *record = (const struct vd_record *)bytes;
    const struct vds_command *command = &vds_commands[record->opcode];
    d->plan.notes = 0;
    d->failed = false;
    d->opcode = record->opcode;
    d->record = bytes;
    d->size = record->size;
    d->cursor = (uint32_t)sizeof(*record) + command->size;
    if (d->size >= d->cursor)
        command->replay(x, bytes + sizeof(*record));
}

void sweep_recorded(struct test_client *client, const uint8_t *records, uint32_t size)
{
    struct vds_execution x;
    struct test_record r;
    stream_record(&r, client, 0, 0);
    vds_execution_init(&x, client->context);
    /* The command buffer may be gone. */
    if (vds_decode(&x, r.bytes) && x.device) {
        const struct vd_stream *stream = (const struct vd_stream *)(r.bytes + r.body);
        x.command_buffer = HANDLE(VkCommandBuffer, stream->command_buffer);
        for (uint32_t at = 0, step; at < size; at += step) {
            step = ((const struct vd_record *)(records + at))->size;
            sweep(&x, records + at, step, play);
        }
    }
    vds_end(&x);
    vds_execution_finish(&x);
}
