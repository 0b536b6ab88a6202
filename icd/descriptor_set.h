/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_ICD_DESCRIPTOR_SET_H
#define VIADUCT_ICD_DESCRIPTOR_SET_H

#include <stddef.h>
#include <string.h>

#include "protocol/descriptor.h"

#include "connection/ring.h"

/* Bytes of one descriptor where the application has it; 0: not one that is written so. */
static inline size_t vdc_descriptor_size(VkDescriptorType type)
{
    return VD_WIRE_IS_NATIVE || !vd_descriptor_is_image(type) ? vd_descriptor_size(type)
                                                              : sizeof(VkDescriptorImageInfo);
}

/* Room for updates of `size` bytes, struct vd_descriptor_update and what follows each; they go to
 * the server with others. NULL: they cannot go this way just now, and the generated
 * vdc_call_vkUpdateDescriptorSets has to do. */
uint8_t *vdc_descriptors_begin(VkDevice device, uint64_t size, struct vdc_ring_piece *piece);
/* After vdc_descriptors_begin, which may hold a lock. */
void vdc_descriptors_end(VkDevice device, const struct vdc_ring_piece *piece);

/* Writes one update, whose descriptors lie `stride` bytes apart; returns its end. Inline, for the
 * members go straight into the ring. */
static inline uint8_t *vdc_descriptors_put(uint8_t *to, VkDescriptorSet set, uint32_t binding,
                                           uint32_t element, uint32_t count, VkDescriptorType type,
                                           const void *descriptors, size_t stride)
{
    *(struct vd_descriptor_update *)to = (struct vd_descriptor_update){
        .set = (uint64_t)set,
        .binding = binding,
        .element = element,
        .count = count,
        .type = type,
    };
    to += sizeof(struct vd_descriptor_update);
    const uint8_t *from = descriptors;
    if (vd_descriptor_is_texel_buffer(type)) {
        for (uint32_t i = 0; i < count; i++, from += stride, to += sizeof(VkBufferView))
            memcpy(to, from, sizeof(VkBufferView));
    } else {
        /* Image infos end with four bytes of nothing, and no memory of the application is to leak in them. */
        const uint64_t mask = vd_descriptor_is_image(type) ? UINT32_MAX : UINT64_MAX;
        for (uint32_t i = 0; i < count; i++, from += stride, to += sizeof(VkDescriptorBufferInfo)) {
            uint64_t first, second, third;
            memcpy(&first, from, 8);
            memcpy(&second, from + 8, 8);
            if (VD_WIRE_IS_NATIVE || !vd_descriptor_is_image(type))
                memcpy(&third, from + 16, 8);
            else /* those four bytes are the next one's */
                third = *(const uint32_t *)(from + 16);
            uint64_t *words = (uint64_t *)to;
            words[0] = first;
            words[1] = second;
            words[2] = third & mask;
        }
    }
    return to;
}

#endif
