/* SPDX-License-Identifier: MIT
 *
 * Command buffers record into chunks of shared memory, without a lock: the application
 * synchronises each pool.
 */
#ifndef VIADUCT_ICD_COMMAND_BUFFER_H
#define VIADUCT_ICD_COMMAND_BUFFER_H

#include "encoder.h"
#include "object.h"
#include "recordings.h"

struct vdc_chunk;
struct vdc_command_pool;

struct vdc_command_buffer {
    struct vdc_dispatchable base;
    struct vdc_encoder encoder; /* base..capacity: the free rest of the last chunk */
    struct vdc_command_pool *pool;
    struct vdc_command_buffer *next, *prev; /* in the pool */
    struct vdc_chunk *first, *last;
    uint32_t chunk_count;
    struct vdc_recording recording;
    VkCommandBufferLevel level;
    uint32_t operating_points; /* of the session parameters with which video coding began */
    bool names_others;         /* what is recorded is not the business of this pool alone */
    VkResult error;            /* first failure while recording, told by vkEndCommandBuffer */
};

/* Hands over what has been recorded so far, and recording goes on: for commands that look at what
 * another command buffer has recorded. NULL is fine. */
void vdc_command_buffer_hand_over(VkCommandBuffer commandBuffer);
/* Continues the stream in a chunk with room for `size` bytes. */
bool vdc_command_buffer_room(struct vdc_command_buffer *cb, uint32_t size);
/* Drops the record that could not be written. */
void vdc_command_buffer_failed(struct vdc_encoder *e);

#endif
