/* SPDX-License-Identifier: MIT
 *
 * VD_OP_STREAM: what was recorded into a command buffer, replayed in one go from a private copy, at
 * its place in the ring or on its pool's lane.
 */
#include "args.h"
#include "context_private.h"
#include "device.h"
#include "lanes.h"
#include "log.h"
#include "names.h"
#include "opcodes.h"
#include "replay.h"

/* Copies the chunks, one after another, into the job. False: malformed. */
static bool gather(struct vd_context *context, const struct vd_record *record,
                   const struct vd_stream_chunk *chunks, uint32_t count, struct vd_job *job)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (chunks[i].size % VD_ALIGN != 0 || chunks[i].offset % VD_ALIGN != 0) {
            return vd_malformed(record, "a chunk that is not aligned");
        }
        total += chunks[i].size;
    }
    if (total > VD_RECORD_MAX) {
        return vd_malformed(record, "too many bytes");
    }
    if (!vd_buffer_reserve(&job->bytes, &job->capacity, total)) {
        return false;
    }
    uint8_t *to = job->bytes;
    for (uint32_t i = 0; i < count; i++) {
        struct vd_shm_region *region =
            vd_shm_get(context->shm, chunks[i].shm, chunks[i].offset, chunks[i].size);
        if (!region) {
            return vd_malformed(record, "a chunk outside of shared memory");
        }
        memcpy(to, region->map + chunks[i].offset, chunks[i].size);
        vd_shm_put(context->shm, region);
        to += chunks[i].size;
    }
    job->size = (uint32_t)total;
    return true;
}

/* Finds the command buffer and sets the decoder to its device. */
static bool target(struct vd_context *context, struct vd_decoder *d, uint8_t *record, uint64_t id)
{
    vd_decoder_begin(d, record, ((struct vd_record *)record)->size, VD_OP_STREAM);
    d->instance = context->instance ? &context->instance->dispatch : NULL;
    uint64_t handle = id;
    if (!vd_dec_first(d, &handle, VD_TYPE_VkCommandBuffer)) {
        return false;
    }
    d->command_buffer = (VkCommandBuffer)(uintptr_t)handle;
    return true;
}

static bool replay(struct vd_decoder *d, uint8_t *bytes, bool first, bool goes_on)
{
    const struct vd_record *record = (const struct vd_record *)bytes;
    const struct vd_command *command = &vd_commands[record->opcode];

    /* What else vd_decoder_begin resets stays as it is throughout a stream: nothing returns, is
     * created or destroyed here, and the first failure is the last record. */
    d->record = bytes;
    d->size = record->size;
    d->opcode = record->opcode;
    d->skip = false;
    if (record->flags) {
        return vd_dec_fail(d, "asks for a reply inside a stream");
    }
    const bool begins = record->opcode == VD_OP_vkBeginCommandBuffer;
    if (begins ? !first : first && !goes_on) {
        return vd_dec_fail(d, first ? "does not begin the stream" : "in the middle of a stream");
    }
    d->cursor = (uint32_t)(sizeof(*record) + vd_align(command->size));
    if (record->size < d->cursor) {
        return vd_dec_fail(d, "arguments that are cut short");
    }
    if (!command->decode(d, bytes + sizeof(*record))) {
        return false;
    }
    if (d->cursor != d->size) {
        return vd_dec_fail(d, "more bytes than its arguments need");
    }
    if (vd_context_lose_if_failed(d) || d->skip) {
        return true;
    }
    command->call(d, bytes + sizeof(*record));
    if (d->result < 0) {
        vd_context_lose(d->context, "%s: %s", vd_opcode_name(d->opcode),
                        vd_result_name((VkResult)d->result));
    }
    return !d->failed;
}

/* Stops early, with success, when the device is lost: a command buffer that is incomplete must not
 * be executed, nor anything else. */
bool vd_stream_replay(struct vd_job *job)
{
    struct vd_decoder *d = &job->decoder;
    struct vd_context *context = d->context;
    uint8_t *records = job->bytes;
    uint32_t size = job->size;
    if (atomic_load_explicit(&context->lost, memory_order_relaxed)) {
        return true;
    }
    bool first = true;
    while (size) {
        const struct vd_record *record = (const struct vd_record *)records;
        if (record->size < sizeof(*record) || record->size % VD_ALIGN != 0 || record->size > size) {
            vd_log(VD_LOG_WARNING, "protocol error: a record in a stream is cut short");
            return false;
        }
        const uint32_t step = record->size;
        if (record->opcode != VD_OP_NOP) {
            if (record->opcode >= VD_OP_COUNT ||
                !(vd_commands[record->opcode].flags & VD_COMMAND_STREAMED)) {
                return vd_malformed(record, "inside a stream");
            }
            if (!replay(d, records, first, job->goes_on)) {
                return false;
            }
            first = false;
            if (d->tombstone || d->result < 0) {
                return true;
            }
        }
        records += step;
        size -= step;
    }
    if (first && !job->goes_on) {
        vd_log(VD_LOG_WARNING, "protocol error: an empty stream");
        return false;
    }
    if (job->open) {
        return true;
    }
    const VkResult result = d->device->vkEndCommandBuffer(d->command_buffer);
    if (result < 0) {
        vd_context_lose(context, "vkEndCommandBuffer: %s", vd_result_name(result));
    }
    return true;
}

bool vd_execute_stream(struct vd_context *context, uint8_t *bytes)
{
    const struct vd_record *record = (const struct vd_record *)bytes;
    const struct vd_stream *stream = (const struct vd_stream *)(record + 1);
    if (record->flags) {
        return vd_malformed(record, "asks for a reply");
    }
    if (record->size < sizeof(*record) + sizeof(*stream) ||
        record->size != sizeof(*record) + sizeof(*stream) +
                            (uint64_t)stream->chunk_count * sizeof(struct vd_stream_chunk)) {
        return vd_malformed(record, "a list of chunks that does not fit");
    }
    struct vd_job *job = vd_lanes_take(context->lanes);
    if (!job) {
        return false;
    }
    struct vd_decoder *d = &job->decoder;
    bool ok = target(context, d, bytes, stream->command_buffer) &&
              gather(context, record, (const struct vd_stream_chunk *)(stream + 1),
                     stream->chunk_count, job);
    if (!ok) {
        goto give_back;
    }
    if (d->tombstone) {
        vd_context_lose(context, "a command buffer is recorded whose creation failed");
        goto give_back;
    }

    struct vd_object_links *links = vd_object_links(&context->objects, d->first);
    job->goes_on = links->open;
    job->open = links->open = stream->flags & VD_STREAM_OPEN;
    const uint32_t pool = links->pool;
    d->alone = stream->flags & VD_STREAM_ALONE;
    struct vd_lane *lane = d->alone ? vd_lanes_of(context->lanes, pool) : NULL;
    if (lane) {
        vd_lanes_post(context->lanes, lane, job);
        return !vd_lanes_failed(context->lanes);
    }
    vd_lanes_wait(context->lanes, pool);
    ok = vd_stream_replay(job);

give_back:
    vd_lanes_give_back(context->lanes, job);
    return ok;
}
