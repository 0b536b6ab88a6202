/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "calls.h"
#include "chain.h"
#include "device.h"
#include "entrypoints.h"
#include "requirements.h"

/* A driver binds the memory of a sparse resource page by page, for which what it imported from a
 * pointer is not made: lavapipe would crash. The specification promises memory that can be mapped only
 * for buffers that are not sparse. */
static enum vdc_backing backing_of(const struct vdc_device *device, const VkBufferCreateInfo *info)
{
    const VkExternalMemoryBufferCreateInfo *external =
        vd_chain_find(info->pNext, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO);
    if (info->flags & VK_BUFFER_CREATE_SPARSE_BINDING_BIT)
        return VDC_BACKING_HOST;
    return vdc_physical_device_backing(device->physical_device,
                                       external ? external->handleTypes : 0);
}

/* Stand for what is remembered of buffers that not all memory can be bound to. */
static struct vdc_memo_entry of_host, of_client;

static enum vdc_backing backing_known(const struct vdc_memo_entry *known)
{
    return known == &of_host     ? VDC_BACKING_HOST
           : known == &of_client ? VDC_BACKING_CLIENT
                                 : VDC_BACKING_ANY;
}

static bool is_remembered(enum vdc_backing backing)
{
    return backing == VDC_BACKING_ANY || backing == VDC_BACKING_OWN;
}

/* What is remembered of a buffer. */
struct key {
    VkDeviceSize size;
    VkBufferCreateFlags flags;
    VkBufferUsageFlags usage;
    VkSharingMode sharing;
    uint32_t padding;
};

/* Buffers that were created alike, as far as this can be told: those without a chain. */
static struct vdc_memo_entry *memo_of(struct vdc_device *device, const VkBufferCreateInfo *info)
{
    const struct key key = {info->size, info->flags, info->usage, info->sharingMode, 0};
    return info->pNext ? NULL : vdc_memo_find(&device->buffers, &key, sizeof(key));
}

static bool may_have_address(const struct vdc_memo_entry *known)
{
    struct key key;
    if (!known || !is_remembered(backing_known(known)))
        return true;
    memcpy(&key, known->key, sizeof(key));
    return key.usage & VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkCreateBuffer(VkDevice handle,
                                                  const VkBufferCreateInfo *pCreateInfo,
                                                  const VkAllocationCallbacks *pAllocator,
                                                  VkBuffer *pBuffer)
{
    struct vdc_device *device = (struct vdc_device *)handle;
    const enum vdc_backing backing = backing_of(device, pCreateInfo);
    VkBufferCreateInfo info = *pCreateInfo;
    struct vdc_announcement announcement;
    if (!vdc_announce(device, &announcement, backing,
                      VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO, &info.pNext))
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    const VkResult result = vdc_call_vkCreateBuffer(handle, &info, pAllocator, pBuffer);
    free(announcement.copy);
    if (result == VK_SUCCESS)
        vdc_id_set_object(device->base.instance, (uint64_t)*pBuffer,
                          backing == VDC_BACKING_HOST     ? &of_host
                          : backing == VDC_BACKING_CLIENT ? &of_client
                                                          : memo_of(device, pCreateInfo));
    return result;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkDestroyBuffer(VkDevice handle, VkBuffer buffer,
                                               const VkAllocationCallbacks *pAllocator)
{
    struct vdc_device *device = (struct vdc_device *)handle;
    const struct vdc_memo_entry *known = vdc_id_object(device->base.instance, (uint64_t)buffer);
    if (!buffer)
        return;
    if (may_have_address(known))
        vdc_descriptor_cache_end_life(&device->descriptors);
    vdc_call_vkDestroyBuffer(handle, buffer, pAllocator);
}

static void ask_of_buffer(VkDevice device, const void *info, VkMemoryRequirements2 *out)
{
    vdc_call_vkGetBufferMemoryRequirements2(device, info, out);
}

static void ask_of_description(VkDevice device, const void *info, VkMemoryRequirements2 *out)
{
    vdc_call_vkGetDeviceBufferMemoryRequirements(device, info, out);
}

VKAPI_ATTR void VKAPI_CALL
vdc_vkGetBufferMemoryRequirements2(VkDevice device, const VkBufferMemoryRequirementsInfo2 *info,
                                   VkMemoryRequirements2 *requirements)
{
    struct vdc_memo_entry *known = vdc_id_object(vdc_instance_of(device), (uint64_t)info->buffer);
    const enum vdc_backing backing = backing_known(known);
    const struct vdc_requirements_query query = {
        .backing = backing,
        .memo = &((struct vdc_device *)device)->buffers,
        .entry = is_remembered(backing) && !info->pNext ? known : NULL,
        .ask = ask_of_buffer,
        .info = info,
    };
    vdc_requirements_get(device, &query, requirements);
}

VKAPI_ATTR void VKAPI_CALL vdc_vkGetDeviceBufferMemoryRequirements(
    VkDevice handle, const VkDeviceBufferMemoryRequirements *info,
    VkMemoryRequirements2 *requirements)
{
    struct vdc_device *device = (struct vdc_device *)handle;
    const enum vdc_backing backing = backing_of(device, info->pCreateInfo);
    VkBufferCreateInfo buffer = *info->pCreateInfo;
    struct vdc_announcement announcement;
    VkDeviceBufferMemoryRequirements ours = *info;
    if (vdc_announce(device, &announcement, backing,
                     VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO, &buffer.pNext))
        ours.pCreateInfo = &buffer;
    const struct vdc_requirements_query query = {
        .backing = backing,
        .memo = &device->buffers,
        .entry = is_remembered(backing) && !info->pNext ? memo_of(device, info->pCreateInfo) : NULL,
        .ask = ask_of_description,
        .info = &ours,
    };
    vdc_requirements_get(handle, &query, requirements);
    free(announcement.copy);
}
