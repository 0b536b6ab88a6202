/* SPDX-License-Identifier: MIT
 *
 * VD_OP_UPDATE_DESCRIPTORS: vkUpdateDescriptorSets in the fewest bytes, any number of calls in one
 * record. See README.md, "Viaduct's own records".
 */
#ifndef VIADUCT_PROTOCOL_DESCRIPTOR_H
#define VIADUCT_PROTOCOL_DESCRIPTOR_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

#include "wire.h"

/* The body begins with the VkDevice's id; updates follow, one behind the other. */
struct vd_descriptor_update {
    uint64_t set; /* dstSet */
    uint32_t binding;
    uint32_t element;
    uint32_t count;
    uint32_t type; /* VkDescriptorType, or VD_DESCRIPTOR_COPY */
};
static_assert(sizeof(struct vd_descriptor_update) == 24, "descriptor update is wire format");

/* Not a type: struct vd_descriptor_source follows instead of descriptors. */
#define VD_DESCRIPTOR_COPY UINT32_MAX

struct vd_descriptor_source {
    uint64_t set;
    uint32_t binding;
    uint32_t element;
};
static_assert(sizeof(struct vd_descriptor_source) == 16, "descriptor source is wire format");

static inline bool vd_descriptor_is_image(VkDescriptorType type)
{
    return type <= VK_DESCRIPTOR_TYPE_STORAGE_IMAGE ||
           type == VK_DESCRIPTOR_TYPE_INPUT_ATTACHMENT ||
           type == VK_DESCRIPTOR_TYPE_SAMPLE_WEIGHT_IMAGE_QCOM ||
           type == VK_DESCRIPTOR_TYPE_BLOCK_MATCH_IMAGE_QCOM;
}

static inline bool vd_descriptor_is_buffer(VkDescriptorType type)
{
    return type >= VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER &&
           type <= VK_DESCRIPTOR_TYPE_STORAGE_BUFFER_DYNAMIC;
}

static inline bool vd_descriptor_is_texel_buffer(VkDescriptorType type)
{
    return type == VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER ||
           type == VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER;
}

/* Bytes of one descriptor: a VkDescriptorImageInfo, VkDescriptorBufferInfo or VkBufferView, its
 * padding zero. 0: described by a struct in the pNext chain, and not part of such a record. */
static inline uint32_t vd_descriptor_size(VkDescriptorType type)
{
    if (vd_descriptor_is_buffer(type))
        return sizeof(VkDescriptorBufferInfo);
    if (vd_descriptor_is_image(type))
        return sizeof(VD_WIRE(VkDescriptorImageInfo));
    return vd_descriptor_is_texel_buffer(type) ? sizeof(VkBufferView) : 0;
}
static_assert(sizeof(VD_WIRE(VkDescriptorImageInfo)) == 24 &&
                  sizeof(VkDescriptorBufferInfo) == 24 && sizeof(VkBufferView) == 8,
              "descriptors are wire format");

#endif
