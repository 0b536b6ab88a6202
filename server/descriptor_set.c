/* SPDX-License-Identifier: MIT
 *
 * VD_OP_UPDATE_DESCRIPTORS: the updates of many vkUpdateDescriptorSets, in as few calls as possible.
 */
#include "protocol/descriptor.h"

#include "context_private.h"
#include "device.h"
#include "names.h"
#include "server_structs.h"

#define BATCH 64

struct batch {
    struct vd_decoder *d;
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

/* The next `size` bytes, NULL: there are fewer. */
static void *take(struct vd_decoder *d, uint64_t size)
{
    if (size > d->size - d->cursor) {
        vd_dec_fail(d, "an update that is cut short");
        return NULL;
    }
    void *bytes = d->record + d->cursor;
    d->cursor += (uint32_t)size;
    return bytes;
}

static bool take_set(struct vd_decoder *d, uint64_t *set)
{
    return *set == 0 ? vd_dec_fail(d, "no descriptor set")
                     : vd_dec_handle(d, set, VD_TYPE_VkDescriptorSet, VD_STRICT, "descriptor set");
}

static bool copy(struct batch *batch, const struct vd_descriptor_update *update)
{
    struct vd_decoder *d = batch->d;
    struct vd_descriptor_source *source = take(d, sizeof(*source));
    if (!source || !take_set(d, &source->set)) {
        return false;
    }
    flush(batch);
    if (!d->tombstone) {
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
        batch->call(batch->device, 0, NULL, 1, &copy);
    }
    return true;
}

static bool write(struct batch *batch, const struct vd_descriptor_update *update)
{
    struct vd_decoder *d = batch->d;
    const VkDescriptorType type = (VkDescriptorType)update->type;
    const uint32_t size = vd_descriptor_size(type);
    if (size == 0 || update->count == 0) {
        return vd_dec_fail(d, "an update of nothing that it can describe");
    }
    void *descriptors = take(d, (uint64_t)size * update->count);
    if (!descriptors) {
        return false;
    }
    VkWriteDescriptorSet *write = &batch->writes[batch->count];
    *write = (VkWriteDescriptorSet){
        .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
        .dstSet = (VkDescriptorSet)update->set,
        .dstBinding = update->binding,
        .dstArrayElement = update->element,
        .descriptorCount = update->count,
        .descriptorType = type,
    };
    if (vd_descriptor_is_buffer(type)) {
        VkDescriptorBufferInfo *info = descriptors;
        write->pBufferInfo = info;
        for (uint32_t i = 0; i < update->count; i++) {
            if (!vd_dec_VkDescriptorBufferInfo(d, &info[i])) {
                return false;
            }
        }
    } else if (vd_descriptor_is_image(type)) {
        VkDescriptorImageInfo *info = descriptors;
        write->pImageInfo = info;
        for (uint32_t i = 0; i < update->count; i++) {
            if (!vd_dec_VkDescriptorImageInfo(d, &info[i])) {
                return false;
            }
        }
    } else {
        write->pTexelBufferView = descriptors;
        if (!vd_dec_handles(d, descriptors, update->count, VD_TYPE_VkBufferView, VD_LENIENT,
                            "VkWriteDescriptorSet.pTexelBufferView")) {
            return false;
        }
    }
    if (++batch->count == BATCH) {
        flush(batch);
    }
    return true;
}

bool vd_execute_update_descriptors(struct vd_context *context, uint8_t *bytes)
{
    const struct vd_record *record = (const struct vd_record *)bytes;
    struct vd_decoder *d = &context->decoder;
    uint64_t *device = (uint64_t *)(record + 1);
    if (record->flags) {
        return vd_malformed(record, "asks for a reply");
    }
    vd_decoder_begin(d, bytes, record->size, record->opcode);
    d->cursor = sizeof(*record);
    if (!take(d, sizeof(*device)) || !vd_dec_first(d, device, VD_TYPE_VkDevice)) {
        return false;
    }
    struct batch batch;
    batch.d = d;
    batch.device = (VkDevice)(uintptr_t)*device;
    batch.call = d->device ? d->device->vkUpdateDescriptorSets : NULL;
    batch.count = 0;
    while (d->cursor < d->size && !d->tombstone) {
        struct vd_descriptor_update *update = take(d, sizeof(*update));
        if (!update || !take_set(d, &update->set) ||
            !(update->type == VD_DESCRIPTOR_COPY ? copy(&batch, update) : write(&batch, update))) {
            return false;
        }
    }
    if (!vd_context_lose_if_failed(d)) {
        flush(&batch);
    }
    return true;
}
