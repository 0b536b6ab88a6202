/* SPDX-License-Identifier: MIT
 *
 * VD_OP_UPDATE_DESCRIPTORS: the updates of many vkUpdateDescriptorSets, in as few calls as possible.
 */
#include "protocol/descriptor.h"

#include "context_private.h"
#include "execution.h"
#include "own_records.h"
#include "server_structs.h"

/* ---- Decoding */

/* The next `size` bytes, NULL: there are fewer. */
static void *take(struct vds_decoder *d, uint64_t size)
{
    if (size > d->size - d->cursor) {
        vds_dec_fail(d, "an update that is cut short");
        return NULL;
    }
    void *bytes = d->record + d->cursor;
    d->cursor += (uint32_t)size;
    return bytes;
}

static bool take_set(struct vds_decoder *d, uint64_t *set)
{
    return *set == 0
               ? vds_dec_fail(d, "no descriptor set")
               : vds_dec_handle(d, set, VD_TYPE_VkDescriptorSet, VDS_STRICT, "descriptor set");
}

static bool decode_copy(struct vds_decoder *d)
{
    struct vd_descriptor_source *source = take(d, sizeof(*source));
    return source && take_set(d, &source->set);
}

static bool decode_write(struct vds_decoder *d, const struct vd_descriptor_update *update)
{
    const VkDescriptorType type = (VkDescriptorType)update->type;
    const uint32_t size = vd_descriptor_size(type);
    if (size == 0 || update->count == 0)
        return vds_dec_fail(d, "an update of nothing that it can describe");
    void *descriptors = take(d, (uint64_t)size * update->count);
    if (!descriptors)
        return false;
    if (vd_descriptor_is_buffer(type)) {
        VkDescriptorBufferInfo *info = descriptors;
        for (uint32_t i = 0; i < update->count; i++)
            if (!vds_dec_VkDescriptorBufferInfo(d, &info[i]))
                return false;
        return true;
    }
    if (vd_descriptor_is_image(type)) {
        VkDescriptorImageInfo *info = descriptors;
        for (uint32_t i = 0; i < update->count; i++)
            if (!vds_dec_VkDescriptorImageInfo(d, &info[i]))
                return false;
        return true;
    }
    return vds_dec_handles(d, descriptors, update->count, VD_TYPE_VkBufferView, VDS_LENIENT,
                           "VkWriteDescriptorSet.pTexelBufferView");
}

bool vds_decode_update_descriptors(struct vds_decoder *d, void *body)
{
    if (!vds_dec_first(d, body, VD_TYPE_VkDevice))
        return false;
    while (d->cursor < d->size) {
        struct vd_descriptor_update *update = take(d, sizeof(*update));
        if (!update || !take_set(d, &update->set) ||
            !(update->type == VD_DESCRIPTOR_COPY ? decode_copy(d) : decode_write(d, update)))
            return false;
    }
    return true;
}

/* ---- Calling */

#define BATCH 64

struct batch {
    VkDevice device;
    PFN_vkUpdateDescriptorSets call;
    uint32_t count;
    VkWriteDescriptorSet writes[BATCH];
};

static void flush(struct batch *batch)
{
    if (batch->count) {
        batch->call(batch->device, batch->count, batch->writes, 0, NULL);
        batch->count = 0;
    }
}

/* Both return how many bytes of descriptors they took. */
static size_t copy(struct batch *batch, const struct vd_descriptor_update *update)
{
    const struct vd_descriptor_source *source = (const struct vd_descriptor_source *)(update + 1);
    const VkCopyDescriptorSet copy = {
        .sType = VK_STRUCTURE_TYPE_COPY_DESCRIPTOR_SET,
        .srcSet = (VkDescriptorSet)source->set,
        .srcBinding = source->binding,
        .srcArrayElement = source->element,
        .dstSet = (VkDescriptorSet)update->set,
        .dstBinding = update->binding,
        .dstArrayElement = update->element,
        .descriptorCount = update->count,
    };
    flush(batch);
    batch->call(batch->device, 0, NULL, 1, &copy);
    return sizeof(*source);
}

static size_t write(struct batch *batch, const struct vd_descriptor_update *update)
{
    const void *descriptors = update + 1;
    const VkDescriptorType type = (VkDescriptorType)update->type;
    VkWriteDescriptorSet *write = &batch->writes[batch->count];
    *write = (VkWriteDescriptorSet){
        .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
        .dstSet = (VkDescriptorSet)update->set,
        .dstBinding = update->binding,
        .dstArrayElement = update->element,
        .descriptorCount = update->count,
        .descriptorType = type,
    };
    if (vd_descriptor_is_buffer(type))
        write->pBufferInfo = descriptors;
    else if (vd_descriptor_is_image(type))
        write->pImageInfo = descriptors;
    else
        write->pTexelBufferView = descriptors;
    if (++batch->count == BATCH)
        flush(batch);
    return (size_t)vd_descriptor_size(type) * update->count;
}

void vds_call_update_descriptors(struct vds_execution *x, void *body)
{
    const uint8_t *at = (const uint8_t *)body + sizeof(uint64_t);
    const uint8_t *end = x->decoder.record + x->decoder.size;
    struct batch batch;
    batch.device = (VkDevice)(uintptr_t) * (const uint64_t *)body;
    batch.call = x->device->vkUpdateDescriptorSets;
    batch.count = 0;
    while (at < end) {
        const struct vd_descriptor_update *update = (const struct vd_descriptor_update *)at;
        at += sizeof(*update);
        at += update->type == VD_DESCRIPTOR_COPY ? copy(&batch, update) : write(&batch, update);
    }
    flush(&batch);
}
