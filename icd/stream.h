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
static inline struct vd_encoder *vd_stream_begin(VkCommandBuffer handle, uint16_t opcode,
                                                 uint32_t args)
{
    struct vd_command_buffer *cb = (struct vd_command_buffer *)handle;
    struct vd_encoder *e = &cb->encoder;
    const uint32_t size = (uint32_t)(sizeof(struct vd_record) + vd_align(args));
    if (e->capacity < size && !vd_command_buffer_room(cb, size))
        return NULL;
    const struct vd_record record = {.opcode = opcode};
    memcpy(e->base, &record, sizeof(record));
    if (args & 7)
        vd_enc_put64(e, size - 8, 0);
    e->at = sizeof(struct vd_record);
    e->size = size;
    return e;
}

/* The record names other command buffers. */
static inline void vd_stream_names_others(VkCommandBuffer handle)
{
    ((struct vd_command_buffer *)handle)->names_others = true;
}

static inline void vd_stream_end(struct vd_encoder *e)
{
    vd_enc_put32(e, offsetof(struct vd_record, size), e->size);
    if (e->failed) {
        vd_command_buffer_failed(e);
        return;
    }
    e->base += e->size;
    e->capacity -= e->size;
}

#endif
