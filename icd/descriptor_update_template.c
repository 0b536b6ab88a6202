/* SPDX-License-Identifier: MIT
 *
 * Templates never cross: the application's data is read through the template, with its strides, and
 * is packed as other updates are, or becomes ordinary writes.
 */
#include <stdlib.h>

#include "call.h"
#include "calls.h"
#include "command_buffer.h"
#include "descriptor_set.h"
#include "device.h"
#include "entrypoints.h"
#include "opcodes.h"

struct vdc_descriptor_update_template {
    struct vdc_local_object base;
    VkPipelineBindPoint bind_point;
    VkPipelineLayout layout;
    uint32_t set;
    size_t scratch_size;  /* bytes that expanding takes */
    uint64_t packed_size; /* bytes of the packed updates, UINT64_MAX: not all can be packed */
    uint32_t entry_count;
    VkDescriptorUpdateTemplateEntry entries[];
};

/* Bytes of one descriptor in the application's data, and of what it becomes. */
static size_t element_size(VkDescriptorType type)
{
    switch ((int)type) {
    case VK_DESCRIPTOR_TYPE_INLINE_UNIFORM_BLOCK:
        return 1;
    case VK_DESCRIPTOR_TYPE_ACCELERATION_STRUCTURE_KHR:
        return sizeof(VkAccelerationStructureKHR);
    case VK_DESCRIPTOR_TYPE_ACCELERATION_STRUCTURE_NV:
        return sizeof(VkAccelerationStructureNV);
    }
    return vdc_descriptor_size(type);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkCreateDescriptorUpdateTemplate(
    VkDevice device, const VkDescriptorUpdateTemplateCreateInfo *info,
    const VkAllocationCallbacks *pAllocator, VkDescriptorUpdateTemplate *pTemplate)
{
    (void)pAllocator;
    const uint32_t count = info->descriptorUpdateEntryCount;
    struct vdc_descriptor_update_template *t =
        vdc_local_object_create(vdc_instance_of(device), VD_TYPE_VkDescriptorUpdateTemplate,
                                sizeof(*t) + count * sizeof(t->entries[0]));
    if (!t)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    t->entry_count = count;
    if (info->templateType != VK_DESCRIPTOR_UPDATE_TEMPLATE_TYPE_DESCRIPTOR_SET) {
        t->bind_point = info->pipelineBindPoint;
        t->layout = info->pipelineLayout;
        t->set = info->set;
    }
    t->scratch_size = count * (sizeof(VkWriteDescriptorSet) +
                               sizeof(VkWriteDescriptorSetAccelerationStructureKHR));
    for (uint32_t i = 0; i < count; i++) {
        const VkDescriptorUpdateTemplateEntry *entry = &info->pDescriptorUpdateEntries[i];
        t->entries[i] = *entry;
        t->scratch_size += vd_align(element_size(entry->descriptorType) * entry->descriptorCount);
        const uint64_t size =
            (uint64_t)vd_descriptor_size(entry->descriptorType) * entry->descriptorCount;
        if (size == 0)
            t->packed_size = UINT64_MAX;
        else if (t->packed_size != UINT64_MAX)
            t->packed_size += sizeof(struct vd_descriptor_update) + size;
    }
    *pTemplate = (VkDescriptorUpdateTemplate)(uintptr_t)t;
    return VK_SUCCESS;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkDestroyDescriptorUpdateTemplate(
    VkDevice device, VkDescriptorUpdateTemplate descriptorUpdateTemplate,
    const VkAllocationCallbacks *pAllocator)
{
    (void)pAllocator;
    vdc_local_object_destroy(vdc_instance_of(device),
                             (struct vdc_local_object *)(uintptr_t)descriptorUpdateTemplate);
}

/* What the writes of one update are made of; they fit `scratch_size` bytes. */
union extension {
    VkWriteDescriptorSetAccelerationStructureKHR khr;
    VkWriteDescriptorSetAccelerationStructureNV nv;
    VkWriteDescriptorSetInlineUniformBlock block;
};
static_assert(sizeof(union extension) == sizeof(VkWriteDescriptorSetAccelerationStructureKHR),
              "scratch_size counts the largest");

static void expand(const struct vdc_descriptor_update_template *t, VkDescriptorSet set,
                   const void *data, void *scratch)
{
    VkWriteDescriptorSet *writes = scratch;
    union extension *extensions = (union extension *)(writes + t->entry_count);
    uint8_t *elements = (uint8_t *)(extensions + t->entry_count);
    for (uint32_t i = 0; i < t->entry_count; i++) {
        const VkDescriptorUpdateTemplateEntry *entry = &t->entries[i];
        const VkDescriptorType type = entry->descriptorType;
        const size_t size = element_size(type);
        const uint8_t *from = (const uint8_t *)data + entry->offset;
        if (type == VK_DESCRIPTOR_TYPE_INLINE_UNIFORM_BLOCK)
            memcpy(elements, from, entry->descriptorCount);
        else
            for (uint32_t j = 0; j < entry->descriptorCount; j++)
                memcpy(elements + j * size, from + j * entry->stride, size);
        writes[i] = (VkWriteDescriptorSet){
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .dstSet = set,
            .dstBinding = entry->dstBinding,
            .dstArrayElement = entry->dstArrayElement,
            .descriptorCount = entry->descriptorCount,
            .descriptorType = type,
        };
        switch ((int)type) {
        case VK_DESCRIPTOR_TYPE_INLINE_UNIFORM_BLOCK:
            extensions[i].block = (VkWriteDescriptorSetInlineUniformBlock){
                .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET_INLINE_UNIFORM_BLOCK,
                .dataSize = entry->descriptorCount,
                .pData = elements,
            };
            writes[i].pNext = &extensions[i];
            break;
        case VK_DESCRIPTOR_TYPE_ACCELERATION_STRUCTURE_KHR:
            extensions[i].khr = (VkWriteDescriptorSetAccelerationStructureKHR){
                .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET_ACCELERATION_STRUCTURE_KHR,
                .accelerationStructureCount = entry->descriptorCount,
                .pAccelerationStructures = (const VkAccelerationStructureKHR *)elements,
            };
            writes[i].pNext = &extensions[i];
            break;
        case VK_DESCRIPTOR_TYPE_ACCELERATION_STRUCTURE_NV:
            extensions[i].nv = (VkWriteDescriptorSetAccelerationStructureNV){
                .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET_ACCELERATION_STRUCTURE_NV,
                .accelerationStructureCount = entry->descriptorCount,
                .pAccelerationStructures = (const VkAccelerationStructureNV *)elements,
            };
            writes[i].pNext = &extensions[i];
            break;
        default:
            /* The encoder reads the one that the type selects. */
            writes[i].pImageInfo = (const VkDescriptorImageInfo *)elements;
            writes[i].pBufferInfo = (const VkDescriptorBufferInfo *)elements;
            writes[i].pTexelBufferView = (const VkBufferView *)elements;
        }
        elements += vd_align(size * entry->descriptorCount);
    }
}

static void pack(const struct vdc_descriptor_update_template *t, VkDescriptorSet set,
                 const void *data, uint8_t *to)
{
    for (uint32_t i = 0; i < t->entry_count; i++) {
        const VkDescriptorUpdateTemplateEntry *entry = &t->entries[i];
        to = vdc_descriptors_put(to, set, entry->dstBinding, entry->dstArrayElement,
                                 entry->descriptorCount, entry->descriptorType,
                                 (const uint8_t *)data + entry->offset, entry->stride);
    }
}

#define SMALL 4096

VKAPI_ATTR void VKAPI_CALL vdc_vkUpdateDescriptorSetWithTemplate(
    VkDevice device, VkDescriptorSet descriptorSet,
    VkDescriptorUpdateTemplate descriptorUpdateTemplate, const void *pData)
{
    const struct vdc_descriptor_update_template *t =
        (const struct vdc_descriptor_update_template *)(uintptr_t)descriptorUpdateTemplate;
    struct vdc_ring_piece piece;
    uint8_t *to = vdc_descriptors_begin(device, t->packed_size, &piece);
    if (to) {
        pack(t, descriptorSet, pData, to);
        vdc_descriptors_end(device, &piece);
        return;
    }
    uint64_t small[SMALL / sizeof(uint64_t)];
    void *scratch = t->scratch_size <= SMALL ? small : malloc(t->scratch_size);
    if (!scratch)
        return;
    expand(t, descriptorSet, pData, scratch);
    vdc_call_vkUpdateDescriptorSets(device, t->entry_count, scratch, 0, NULL);
    if (scratch != small)
        free(scratch);
}

static void push(VkCommandBuffer commandBuffer, const struct vdc_descriptor_update_template *t,
                 VkPipelineLayout layout, uint32_t set, const void *data)
{
    uint64_t small[SMALL / sizeof(uint64_t)];
    void *scratch = t->scratch_size <= SMALL ? small : malloc(t->scratch_size);
    if (!scratch) {
        ((struct vdc_command_buffer *)commandBuffer)->error = VK_ERROR_OUT_OF_HOST_MEMORY;
        return;
    }
    expand(t, VK_NULL_HANDLE, data, scratch);
    vdc_call_vkCmdPushDescriptorSet(commandBuffer, t->bind_point, layout, set, t->entry_count,
                                    scratch);
    if (scratch != small)
        free(scratch);
}

VKAPI_ATTR void VKAPI_CALL vdc_vkCmdPushDescriptorSetWithTemplate(
    VkCommandBuffer commandBuffer, VkDescriptorUpdateTemplate descriptorUpdateTemplate,
    VkPipelineLayout layout, uint32_t set, const void *pData)
{
    push(commandBuffer,
         (const struct vdc_descriptor_update_template *)(uintptr_t)descriptorUpdateTemplate, layout,
         set, pData);
}

VKAPI_ATTR void VKAPI_CALL vdc_vkCmdPushDescriptorSetWithTemplate2(
    VkCommandBuffer commandBuffer, const VkPushDescriptorSetWithTemplateInfo *info)
{
    push(commandBuffer,
         (const struct vdc_descriptor_update_template *)(uintptr_t)info->descriptorUpdateTemplate,
         info->layout, info->set, info->pData);
}
