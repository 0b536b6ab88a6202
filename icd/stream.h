/* SPDX-License-Identifier: MIT
 *
 * Records in a command buffer's stream: no lock, and nothing is sent.
 */
#ifndef VIADUCT_ICD_STREAM_H
#define VIADUCT_ICD_STREAM_H

#include <stddef.h>

#include "command_buffer.h"

/* Starts a record in a command buffer's stream. NULL when there is no memory; the error shows in
 * vkEndCommandBuffer. */
static inline struct vdc_encoder *vdc_stream_begin(VkCommandBuffer handle, uint16_t opcode,
                                                   uint32_t args)
{
    struct vdc_command_buffer *cb = (struct vdc_command_buffer *)handle;
    struct vdc_encoder *e = &cb->encoder;
    const uint32_t size = (uint32_t)(sizeof(struct vd_record) + vd_align(args));
    if (e->capacity < size && !vdc_command_buffer_room(cb, size))
        return NULL;
    const struct vd_record record = {.opcode = opcode};
    memcpy(e->base, &record, sizeof(record));
    if (args & 7)
        vdc_enc_put64(e, size - 8, 0);
    e->at = sizeof(struct vd_record);
    e->size = size;
    return e;
}

/* The record names other command buffers. */
static inline void vdc_stream_names_others(VkCommandBuffer handle)
{
    ((struct vdc_command_buffer *)handle)->names_others = true;
}

static inline void vdc_stream_end(struct vdc_encoder *e)
{
    vdc_enc_put32(e, offsetof(struct vd_record, size), e->size);
    if (e->failed) {
        vdc_command_buffer_failed(e);
        return;
    }
    e->base += e->size;
    e->capacity -= e->size;
}

/* A record whose arguments point to nothing: appends it, and returns them for the caller to write each
 * member. NULL as above. */
static inline void *vdc_stream_put(VkCommandBuffer handle, uint16_t opcode, uint32_t args)
{
    struct vdc_command_buffer *cb = (struct vdc_command_buffer *)handle;
    struct vdc_encoder *e = &cb->encoder;
    const struct vd_record record = {
        .size = (uint32_t)(sizeof(record) + vd_align(args)),
        .opcode = opcode,
    };
    if (e->capacity < record.size && !vdc_command_buffer_room(cb, record.size))
        return NULL;
    uint8_t *at = e->base;
    e->base += record.size;
    e->capacity -= record.size;
    memcpy(at, &record, sizeof(record));
    if (args & 7)
        memset(at + record.size - 8, 0, 8);
    return at + sizeof(record);
}

#endif
