/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "call.h"
#include "calls.h"
#include "chain.h"
#include "device.h"
#include "entrypoints.h"
#include "requirements.h"

/* A driver binds the memory of a sparse resource page by page, for which what it imported from a
 * pointer is not made: lavapipe would crash. The specification promises memory that can be mapped only
 * for buffers that are not sparse. */
static enum vd_backing backing_of(const struct vd_device *device, const VkBufferCreateInfo *info)
{
    const VkExternalMemoryBufferCreateInfo *external =
        vd_chain_find(info->pNext, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO);
    if ((info->flags & VK_BUFFER_CREATE_SPARSE_BINDING_BIT) ||
        !device->physical_device->data->import_alignment)
        return VD_BACKING_HOST;
    return vd_physical_device_backing(device->physical_device,
                                      external ? external->handleTypes : 0);
}

/* Stand for what is remembered of buffers that not all memory can be bound to. */
static struct vd_memo_entry of_host, of_client;

static enum vd_backing backing_known(const struct vd_memo_entry *known)
{
    return known == &of_host     ? VD_BACKING_HOST
           : known == &of_client ? VD_BACKING_CLIENT
                                 : VD_BACKING_ANY;
}

/* Buffers that were created alike, as far as this can be told: those without a chain. */
static struct vd_memo_entry *memo_of(struct vd_device *device, const VkBufferCreateInfo *info)
{
    const struct {
        VkDeviceSize size;
        VkBufferCreateFlags flags;
        VkBufferUsageFlags usage;
        VkSharingMode sharing;
        uint32_t padding;
    } key = {info->size, info->flags, info->usage, info->sharingMode, 0};
    return info->pNext ? NULL : vd_memo_find(&device->buffers, &key, sizeof(key));
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkCreateBuffer(VkDevice handle,
                                                 const VkBufferCreateInfo *pCreateInfo,
                                                 const VkAllocationCallbacks *pAllocator,
                                                 VkBuffer *pBuffer)
{
    struct vd_device *device = (struct vd_device *)handle;
    const enum vd_backing backing = backing_of(device, pCreateInfo);
    VkBufferCreateInfo info = *pCreateInfo;
    struct vd_announcement announcement;
    if (!vd_announce(&announcement, backing, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
                     &info.pNext))
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    const VkResult result = vd_call_vkCreateBuffer(handle, &info, pAllocator, pBuffer);
    free(announcement.copy);
    if (result == VK_SUCCESS)
        vd_id_set_object(device->base.instance, (uint64_t)*pBuffer,
                         backing == VD_BACKING_HOST     ? &of_host
                         : backing == VD_BACKING_CLIENT ? &of_client
                                                        : memo_of(device, pCreateInfo));
    return result;
}

static void ask_of_buffer(VkDevice device, const void *info, VkMemoryRequirements2 *out)
{
    vd_call_vkGetBufferMemoryRequirements2(device, info, out);
}

static void ask_of_description(VkDevice device, const void *info, VkMemoryRequirements2 *out)
{
    vd_call_vkGetDeviceBufferMemoryRequirements(device, info, out);
}

VKAPI_ATTR void VKAPI_CALL
vd_vkGetBufferMemoryRequirements2(VkDevice device, const VkBufferMemoryRequirementsInfo2 *info,
                                  VkMemoryRequirements2 *requirements)
{
    struct vd_memo_entry *known = vd_id_object(vd_instance_of(device), (uint64_t)info->buffer);
    const enum vd_backing backing = backing_known(known);
    const struct vd_requirements_query query = {
        .backing = backing,
        .memo = &((struct vd_device *)device)->buffers,
        .entry = backing == VD_BACKING_ANY && !info->pNext ? known : NULL,
        .ask = ask_of_buffer,
        .info = info,
    };
    vd_requirements_get(device, &query, requirements);
}

VKAPI_ATTR void VKAPI_CALL vd_vkGetDeviceBufferMemoryRequirements(
    VkDevice handle, const VkDeviceBufferMemoryRequirements *info,
    VkMemoryRequirements2 *requirements)
{
    struct vd_device *device = (struct vd_device *)handle;
    const enum vd_backing backing = backing_of(device, info->pCreateInfo);
    VkBufferCreateInfo buffer = *info->pCreateInfo;
    struct vd_announcement announcement;
    VkDeviceBufferMemoryRequirements ours = *info;
    if (vd_announce(&announcement, backing, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
                    &buffer.pNext))
        ours.pCreateInfo = &buffer;
    const struct vd_requirements_query query = {
        .backing = backing,
        .memo = &device->buffers,
        .entry =
            backing == VD_BACKING_ANY && !info->pNext ? memo_of(device, info->pCreateInfo) : NULL,
        .ask = ask_of_description,
        .info = &ours,
    };
    vd_requirements_get(handle, &query, requirements);
    free(announcement.copy);
}
