/* SPDX-License-Identifier: MIT
 *
 * VD_OP_STREAM: what was recorded into a command buffer, replayed in one go from a private copy, at
 * its place in the ring or on its pool's lane.
 */
#include "buffer.h"
#include "context_private.h"
#include "device.h"
#include "execute.h"
#include "flight.h"
#include "lanes.h"
#include "log.h"
#include "names.h"
#include "opcodes.h"
#include "own_records.h"
#include "shm.h"

/* ---- The records of a stream, by any thread */

enum vds_next vds_stream_next_rare(struct vds_execution *x)
{
    struct vds_decoder *d = &x->decoder;
    if (d->cursor != d->size) {
        vds_dec_fail(d, "more bytes than its arguments need");
        return VDS_STOP;
    }
    if (vds_lose_if_poisoned(x))
        return VDS_STOP;
    vds_wait_for_recordings(x); /* not alone, and so the ring's thread */
    return d->plan.notes & VDS_PLAN_SKIP ? VDS_PASS : VDS_CALL;
}

bool vds_stream_result(struct vds_execution *x, VkResult result)
{
    if (result < 0) {
        vds_context_lose(x->context, "%s: %s", vd_opcode_name(x->decoder.opcode),
                         vd_result_name(result));
    }
    return result >= 0;
}

/* No record of it, but the stream itself is malformed. */
static bool fail(struct vds_decoder *d, const char *what)
{
    d->opcode = VD_OP_STREAM;
    return vds_dec_fail(d, what);
}

/* One of the records; `first`: of this stream. False: malformed (the decoder has failed), or the device
 * is lost. */
static inline bool replay(struct vds_job *job, uint8_t *bytes, bool first)
{
    struct vds_decoder *d = &job->execution.decoder;
    const struct vd_record *record = (const struct vd_record *)bytes;
    const uint16_t opcode = record->opcode;
    const struct vds_command *command = opcode < VD_OP_COUNT ? &vds_commands[opcode] : NULL;
    /* The rest of the plan stays empty: nothing returns, is created or destroyed here. */
    d->plan.notes = 0;
    d->opcode = opcode;
    d->record = bytes;
    d->size = record->size;
    if (!command || !command->replay)
        return vds_dec_fail(d, "inside a stream");
    if (record->flags)
        return vds_dec_fail(d, "asks for a reply inside a stream");
    if (opcode == VD_OP_vkBeginCommandBuffer ? !first : first && !job->goes_on)
        return vds_dec_fail(d, first ? "does not begin the stream" : "in the middle of a stream");
    d->cursor = (uint32_t)sizeof(*record) + command->size;
    if (d->size < d->cursor)
        return vds_dec_fail(d, "arguments that are cut short");
    return command->replay(&job->execution, bytes + sizeof(*record));
}

static uint8_t *bytes_of(const struct vds_job *job)
{
    return job->tape && job->tape->whole ? job->tape->bytes : job->bytes;
}

/* Where the replay of a stream has come to. */
struct progress {
    uint8_t *at;
    uint8_t *end;
    bool first; /* of the stream's records is next */
};

/* Replays the records that begin before `until`. False as replay(). */
static inline bool replay_until(struct vds_job *job, struct progress *progress, uint8_t *until)
{
    struct progress now = *progress;
    struct vds_decoder *d = &job->execution.decoder;
    job->execution.run_end = until;
    while (now.at < until) {
        const struct vd_record *record = (const struct vd_record *)now.at;
        const uint32_t size = record->size;
        if (size < sizeof(*record) || size % VD_ALIGN != 0 || size > now.end - now.at)
            return fail(d, "a record that is cut short");
        if (record->opcode != VD_OP_NOP) {
            if (!replay(job, now.at, now.first))
                return false;
            now.first = false;
            now.at = d->record; /* the last one of a run */
        }
        now.at += size;
    }
    *progress = now;
    return true;
}

/* Stops early, with success, when the device is lost: a command buffer that is incomplete must not
 * be executed, nor anything else. */
bool vds_stream_replay(struct vds_job *job)
{
    struct vds_execution *x = &job->execution;
    struct vds_decoder *d = &x->decoder;
    const bool keeps_end = job->tape && !job->tape->whole;
    uint8_t *const bytes = bytes_of(job);
    struct progress progress = {bytes, bytes + job->size, true};
    if (atomic_load_explicit(&x->context->lost, memory_order_relaxed))
        return true;
    if (keeps_end && job->size > VDS_TAPE_END &&
        !replay_until(job, &progress, progress.end - VDS_TAPE_END))
        return !d->failed;
    const struct progress end = progress;
    if (!replay_until(job, &progress, progress.end))
        return !d->failed;
    if (keeps_end)
        vds_tape_keep(job->tape, end.at, (uint32_t)(end.end - end.at));
    if (progress.first && !job->goes_on)
        return fail(d, "empty");
    if (!job->open) {
        d->opcode = VD_OP_vkEndCommandBuffer;
        vds_stream_result(x, x->device->vkEndCommandBuffer(x->command_buffer));
    }
    return true;
}

/* ---- The record in the ring */

bool vds_decode_stream(struct vds_decoder *d, void *body)
{
    struct vd_stream *stream = body;
    const struct vd_stream_chunk *chunks = (const struct vd_stream_chunk *)(stream + 1);
    d->alone = stream->flags & VD_STREAM_ALONE;
    if (!vds_dec_first(d, &stream->command_buffer, VD_TYPE_VkCommandBuffer))
        return false;
    if (stream->chunk_count > (d->size - d->cursor) / sizeof(*chunks))
        return vds_dec_fail(d, "a list of chunks that does not fit");
    d->cursor += stream->chunk_count * (uint32_t)sizeof(*chunks);
    uint64_t total = 0;
    for (uint32_t i = 0; i < stream->chunk_count; i++) {
        if (chunks[i].size % VD_ALIGN != 0 || chunks[i].offset % VD_ALIGN != 0)
            return vds_dec_fail(d, "a chunk that is not aligned");
        total += chunks[i].size;
    }
    return total <= VD_RECORD_MAX || vds_dec_fail(d, "too many bytes");
}

/* Copies the chunks, one after another, into the job. False: malformed. */
static bool gather(struct vds_execution *x, const struct vd_stream *stream,
                   struct vds_object_links *links, struct vds_job *job)
{
    const struct vd_stream_chunk *chunks = (const struct vd_stream_chunk *)(stream + 1);
    struct vds_shm_table *shm = x->context->shm;
    size_t total = 0;
    for (uint32_t i = 0; i < stream->chunk_count; i++)
        total += chunks[i].size;
    job->tape = vds_flight_tape(x->context->flight, links, (uint32_t)total, links->open);
    /* An empty stream has an address, too. */
    if (!(job->tape && job->tape->whole) &&
        !vds_buffer_reserve(&job->bytes, &job->capacity, total ? total : 1))
        return vds_dec_fail(&x->decoder, "no memory for its records");
    uint8_t *to = bytes_of(job);
    for (uint32_t i = 0; i < stream->chunk_count; i++) {
        struct vds_shm_region *region =
            vds_shm_get(shm, chunks[i].shm, chunks[i].offset, chunks[i].size);
        if (!region)
            return vds_dec_fail(&x->decoder, "a chunk outside of shared memory");
        if (chunks[i].size) {
            memcpy(to, region->map + chunks[i].offset, chunks[i].size);
            to += chunks[i].size;
        }
        vds_shm_put(shm, region);
    }
    job->size = (uint32_t)total;
    vds_meter_bytes(&x->context->meter, total);
    return true;
}

/* Sets a job to the command buffer and the device that `from` was decoded to. */
static void aim(struct vds_execution *x, const struct vds_execution *from, VkCommandBuffer handle)
{
    struct vds_decoder *d = &x->decoder;
    vds_decoder_begin(d, NULL, 0, VD_OP_STREAM);
    d->first = from->decoder.first;
    d->owner_index = from->decoder.owner_index;
    d->limits = from->decoder.limits;
    d->alone = from->decoder.alone;
    x->instance = from->instance;
    x->owner = from->owner;
    x->device = from->device;
    x->command_buffer = handle;
}

void vds_call_stream(struct vds_execution *x, void *body)
{
    const struct vd_stream *stream = body;
    struct vds_decoder *d = &x->decoder;
    struct vds_lanes *lanes = x->context->lanes;
    struct vds_job *job = vds_lanes_take(lanes);
    if (!job) {
        vds_dec_fail(d, "no memory for a stream");
        return;
    }
    struct vds_object_links *links = vds_object_links(d->objects, d->first);
    if (!gather(x, stream, links, job)) {
        vds_lanes_give_back(lanes, job);
        return;
    }
    aim(&job->execution, x, (VkCommandBuffer)(uintptr_t)stream->command_buffer);
    job->goes_on = links->open;
    job->open = links->open = stream->flags & VD_STREAM_OPEN;
    /* Without a lane nothing of the pool can be on its way. */
    struct vds_lane *lane = d->alone ? vds_lanes_of(lanes, links->pool) : NULL;
    if (lane) {
        vds_lanes_post(lanes, lane, job);
        d->failed = vds_lanes_failed(lanes);
        return;
    }
    d->failed = !vds_stream_replay(job);
    vds_lanes_give_back(lanes, job);
}
