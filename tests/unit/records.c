/* SPDX-License-Identifier: MIT */
#include "records.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct vd_record *header(struct test_record *r)
{
    return (struct vd_record *)r->bytes;
}

static struct vd_reply_request *request(struct test_record *r)
{
    return (struct vd_reply_request *)(header(r) + 1);
}

void record_begin(struct test_record *r, uint16_t opcode, const void *args, uint32_t size,
                  bool reply)
{
    memset(r, 0, sizeof(*r));
    header(r)->opcode = opcode;
    header(r)->flags = reply ? VD_RECORD_REPLY : 0;
    r->body = vd_record_body(header(r));
    memcpy(r->bytes + r->body, args, size);
    r->size = r->body + (uint32_t)vd_align(size);
    header(r)->size = r->size;
    if (reply) {
        request(r)->offset = REPLY_OFFSET;
    }
}

uint32_t record_put(struct test_record *r, uint32_t where, const void *data, uint32_t size)
{
    const uint32_t at = r->size;
    assert(at + vd_align(size) <= sizeof(r->bytes));
    memcpy(r->bytes + at, data, size);
    record_set64(r, where, at);
    r->size += (uint32_t)vd_align(size);
    header(r)->size = r->size;
    return at;
}

uint32_t record_put_back(struct test_record *r, uint32_t where, const void *data, uint32_t size)
{
    const uint32_t at = record_put(r, where, data, size);
    if (header(r)->flags & VD_RECORD_REPLY && !request(r)->echo) {
        request(r)->echo = at;
    }
    return at;
}

void record_out(struct test_record *r, uint32_t where, uint32_t size)
{
    record_set64(r, where, VD_POINTER_OUT | request(r)->out_size);
    request(r)->out_size += (uint32_t)vd_align(size);
}

void record_set64(struct test_record *r, uint32_t where, uint64_t value)
{
    memcpy(r->bytes + where, &value, sizeof(value));
}

uint64_t record_get64(const struct test_record *r, uint32_t where)
{
    uint64_t value;
    memcpy(&value, r->bytes + where, sizeof(value));
    return value;
}

bool client_send(struct test_client *client, const struct test_record *r, uint32_t shm)
{
    uint8_t *copy = malloc(r->size);
    memcpy(copy, r->bytes, r->size);
    const struct vd_record *record = (const struct vd_record *)r->bytes;
    if (record->flags & VD_RECORD_REPLY) {
        if (r->size >= sizeof(*record) + sizeof(struct vd_reply_request)) {
            ((struct vd_reply_request *)(copy + sizeof(*record)))->shm = shm;
        }
        memset(client->replies->map, 0xcd, 65536);
        struct vd_reply *reply = (struct vd_reply *)(client->replies->map + REPLY_OFFSET);
        reply->state = VD_REPLY_PENDING;
    }
    const bool ok = vd_context_execute(client->context, copy, r->size);
    free(copy);
    return ok;
}
