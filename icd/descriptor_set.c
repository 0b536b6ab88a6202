/* SPDX-License-Identifier: MIT
 *
 * Updates of descriptor sets. Applications make very many of them, each smaller than the record of
 * a command: they are packed, and those of several calls share a record.
 */
#include "descriptor_set.h"

#include <string.h>

#include "call.h"
#include "calls.h"
#include "device.h"
#include "entrypoints.h"
#include "log.h"
#include "opcodes.h"
#include "profile.h"

/* Longer ones take the ordinary way. */
#define UPDATES_MAX 4096u

uint8_t *vdc_descriptors_begin(VkDevice device, uint64_t size, struct vdc_ring_piece *piece)
{
    struct vdc_instance *instance = ((struct vdc_device *)device)->base.instance;
    if (size > UPDATES_MAX || vdc_debug_flags() & VDC_DEBUG_SYNC ||
        vdc_connection_lost(instance->connection))
        return NULL;
    uint8_t *to = vdc_ring_append_begin(instance->connection->ring, VD_OP_UPDATE_DESCRIPTORS,
                                        vdc_id_of(device), (uint32_t)size, piece);
    if (to && instance->profile)
        vdc_profile_call(instance->profile, VD_OP_vkUpdateDescriptorSets, size);
    return to;
}

void vdc_descriptors_end(VkDevice device, const struct vdc_ring_piece *piece)
{
    vdc_ring_append_end(((struct vdc_device *)device)->base.instance->connection->ring, piece);
}

/* The descriptors that a write points to, NULL: none that can be packed. */
static const void *packable(const VkWriteDescriptorSet *write)
{
    const VkDescriptorType type = write->descriptorType;
    if (write->pNext || write->descriptorCount == 0)
        return NULL;
    if (vd_descriptor_is_buffer(type))
        return write->pBufferInfo;
    if (vd_descriptor_is_image(type))
        return write->pImageInfo;
    return vd_descriptor_is_texel_buffer(type) ? write->pTexelBufferView : NULL;
}

/* Bytes of all updates, UINT64_MAX: some cannot be packed. */
static uint64_t packed_size(uint32_t write_count, const VkWriteDescriptorSet *writes,
                            uint32_t copy_count, const VkCopyDescriptorSet *copies)
{
    uint64_t size = 0;
    for (uint32_t i = 0; i < write_count; i++) {
        if (!packable(&writes[i]))
            return UINT64_MAX;
        size += sizeof(struct vd_descriptor_update) +
                (uint64_t)writes[i].descriptorCount * vd_descriptor_size(writes[i].descriptorType);
    }
    for (uint32_t i = 0; i < copy_count; i++) {
        if (copies[i].pNext)
            return UINT64_MAX;
        size += sizeof(struct vd_descriptor_update) + sizeof(struct vd_descriptor_source);
    }
    return size;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkUpdateDescriptorSets(VkDevice device,
                                                      uint32_t descriptorWriteCount,
                                                      const VkWriteDescriptorSet *pDescriptorWrites,
                                                      uint32_t descriptorCopyCount,
                                                      const VkCopyDescriptorSet *pDescriptorCopies)
{
    const uint64_t size = packed_size(descriptorWriteCount, pDescriptorWrites, descriptorCopyCount,
                                      pDescriptorCopies);
    if (size == 0)
        return;
    struct vdc_ring_piece piece;
    uint8_t *to = vdc_descriptors_begin(device, size, &piece);
    if (!to) {
        vdc_call_vkUpdateDescriptorSets(device, descriptorWriteCount, pDescriptorWrites,
                                        descriptorCopyCount, pDescriptorCopies);
        return;
    }
    for (uint32_t i = 0; i < descriptorWriteCount; i++) {
        const VkWriteDescriptorSet *write = &pDescriptorWrites[i];
        to = vdc_descriptors_put(to, write->dstSet, write->dstBinding, write->dstArrayElement,
                                 write->descriptorCount, write->descriptorType, packable(write),
                                 vdc_descriptor_size(write->descriptorType));
    }
    for (uint32_t i = 0; i < descriptorCopyCount; i++) {
        const VkCopyDescriptorSet *copy = &pDescriptorCopies[i];
        struct vd_descriptor_update *update = (struct vd_descriptor_update *)to;
        struct vd_descriptor_source *source = (struct vd_descriptor_source *)(update + 1);
        *update = (struct vd_descriptor_update){
            .set = (uint64_t)copy->dstSet,
            .binding = copy->dstBinding,
            .element = copy->dstArrayElement,
            .count = copy->descriptorCount,
            .type = VD_DESCRIPTOR_COPY,
        };
        *source = (struct vd_descriptor_source){
            .set = (uint64_t)copy->srcSet,
            .binding = copy->srcBinding,
            .element = copy->srcArrayElement,
        };
        to = (uint8_t *)(source + 1);
    }
    vdc_descriptors_end(device, &piece);
}
