/* SPDX-License-Identifier: MIT
 *
 * Descriptors as bytes, which the application puts into buffers itself. The bytes are the driver's; for
 * the same input and the same living objects they are the same, so that it is asked once.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/descriptor.h"

#include "calls.h"
#include "device.h"
#include "entrypoints.h"

/* What bytes are before the driver has answered. Should an answer look like this, it is asked again. */
#define UNANSWERED 0xee
#define BYTES_MAX  1024

/* A pointer that is NULL, where the descriptor is to be a null descriptor. */
#define KEY_NULL (UINT64_C(1) << 63)

/* False: what the bytes depend on is not told by these words. */
static bool key_of(const struct vdc_device *device, const VkDescriptorGetInfoEXT *info, size_t size,
                   struct vdc_descriptor_key *key)
{
    const VkDescriptorType type = info->type;
    uint64_t *words = key->words;
    *key = (struct vdc_descriptor_key){{(uint64_t)type << 16 | size}};
    if (info->pNext || size > BYTES_MAX)
        return false;
    switch ((int)type) {
    case VK_DESCRIPTOR_TYPE_SAMPLER:
        words[1] = info->data.pSampler ? (uint64_t)*info->data.pSampler : 0;
        return info->data.pSampler;
    case VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER:
    case VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE:
    case VK_DESCRIPTOR_TYPE_STORAGE_IMAGE:
    case VK_DESCRIPTOR_TYPE_INPUT_ATTACHMENT: {
        const VkDescriptorImageInfo *image = info->data.pCombinedImageSampler;
        if (!image) {
            words[0] |= KEY_NULL;
            return true;
        }
        words[1] = (uint64_t)image->imageView;
        words[2] = image->imageLayout;
        if (type == VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER) /* else it may be anything */
            words[3] = (uint64_t)image->sampler;
        return true;
    }
    case VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER:
    case VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER:
    case VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER:
    case VK_DESCRIPTOR_TYPE_STORAGE_BUFFER: {
        const VkDescriptorAddressInfoEXT *address = info->data.pUniformBuffer;
        if (!address) {
            words[0] |= KEY_NULL;
            return true;
        }
        words[1] = address->address;
        words[2] = address->range;
        words[3] = address->format;
        words[4] = vdc_descriptor_cache_life(&device->descriptors);
        return !address->pNext;
    }
    }
    return false;
}

/* Bytes of the largest descriptor that has a key. */
static size_t largest(const struct vdc_device *device)
{
    VkPhysicalDeviceDescriptorBufferPropertiesEXT sizes = {0};
    uint32_t have = 0;
    const uint8_t *body = vdc_physical_device_property(
        device->physical_device, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_BUFFER_PROPERTIES_EXT,
        &have);
    const size_t header = sizeof(VkBaseOutStructure);
    if (body)
        memcpy((char *)&sizes + header, body,
               have < sizeof(sizes) - header ? have : sizeof(sizes) - header);
    const size_t list[] = {
        sizes.samplerDescriptorSize,
        sizes.combinedImageSamplerDescriptorSize,
        sizes.sampledImageDescriptorSize,
        sizes.storageImageDescriptorSize,
        sizes.inputAttachmentDescriptorSize,
        sizes.uniformTexelBufferDescriptorSize,
        sizes.robustUniformTexelBufferDescriptorSize,
        sizes.storageTexelBufferDescriptorSize,
        sizes.robustStorageTexelBufferDescriptorSize,
        sizes.uniformBufferDescriptorSize,
        sizes.robustUniformBufferDescriptorSize,
        sizes.storageBufferDescriptorSize,
        sizes.robustStorageBufferDescriptorSize,
    };
    size_t most = 0;
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
        most = list[i] > most ? list[i] : most;
    return most < BYTES_MAX ? most : BYTES_MAX;
}

/* A function of its own, for it needs much more stack than the other way. */
static __attribute__((noinline)) void ask(struct vdc_device *device,
                                          const struct vdc_descriptor_key *key,
                                          const VkDescriptorGetInfoEXT *info, size_t size, void *to)
{
    /* The application's memory may be slow to read. */
    uint8_t bytes[BYTES_MAX], unanswered[BYTES_MAX];
    memset(bytes, UNANSWERED, size);
    memset(unanswered, UNANSWERED, size);
    vdc_call_vkGetDescriptorEXT((VkDevice)device, info, size, bytes);
    memcpy(to, bytes, size);
    if (memcmp(bytes, unanswered, size) != 0)
        vdc_descriptor_cache_put(&device->descriptors, key, bytes, size, largest(device));
}

VKAPI_ATTR void VKAPI_CALL vdc_vkGetDescriptorEXT(VkDevice handle,
                                                  const VkDescriptorGetInfoEXT *info,
                                                  size_t dataSize, void *pDescriptor)
{
    struct vdc_device *device = (struct vdc_device *)handle;
    struct vdc_descriptor_key key;
    if (!key_of(device, info, dataSize, &key))
        vdc_call_vkGetDescriptorEXT(handle, info, dataSize, pDescriptor);
    else if (!vdc_descriptor_cache_get(&device->descriptors, &key, pDescriptor, dataSize))
        ask(device, &key, info, dataSize, pDescriptor);
}
