/* SPDX-License-Identifier: MIT */
#include "call.h"
#include "calls.h"
#include "chain.h"
#include "device.h"
#include "entrypoints.h"
#include "requirements.h"

/* Whether buffers can be backed by memory of the client. */
static bool importable(const struct vd_device *device)
{
    return device->physical_device->data->import_alignment != 0;
}

static const VkExternalMemoryBufferCreateInfo *external_info(const VkBufferCreateInfo *info)
{
    return vd_chain_find(info->pNext, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO);
}

/* Whether its memory can only be the host's: because it is shared by descriptor, or sparse. A driver
 * binds the memory of a sparse resource page by page, for which what it imported from a pointer is
 * not made: lavapipe would crash. The specification promises memory that can be mapped only for
 * buffers that are not sparse. */
static bool is_host_only(const VkBufferCreateInfo *info)
{
    const VkExternalMemoryBufferCreateInfo *external = external_info(info);
    return (info->flags & VK_BUFFER_CREATE_SPARSE_BINDING_BIT) ||
           (external && (external->handleTypes &
                         ~(VkFlags)VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT));
}

/* Stands for what is remembered of such a buffer. */
static struct vd_memo_entry host_only;

/* The specification wants a resource to name the handle types of memory it may be bound to. */
static const VkBufferCreateInfo *announce(const struct vd_device *device,
                                          const VkBufferCreateInfo *info, VkBufferCreateInfo *copy,
                                          VkExternalMemoryBufferCreateInfo *external)
{
    if (!importable(device) || is_host_only(info) || external_info(info))
        return info;
    *external = (VkExternalMemoryBufferCreateInfo){
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
        .pNext = info->pNext,
        .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
    };
    *copy = *info;
    copy->pNext = external;
    return copy;
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
    VkBufferCreateInfo copy;
    VkExternalMemoryBufferCreateInfo external;
    const VkResult result = vd_call_vkCreateBuffer(
        handle, announce(device, pCreateInfo, &copy, &external), pAllocator, pBuffer);
    if (result == VK_SUCCESS) {
        void *remembered = is_host_only(pCreateInfo) ? &host_only : memo_of(device, pCreateInfo);
        vd_id_set_object(device->base.instance, (uint64_t)*pBuffer, remembered);
    }
    return result;
}

static void translate(VkDevice device, bool is_importable, VkMemoryRequirements *requirements)
{
    const struct vd_physical_device *pd = ((struct vd_device *)device)->physical_device;
    requirements->memoryTypeBits = vd_memory_bits(pd, requirements->memoryTypeBits, is_importable);
}

/* False: the device is lost. */
static bool ask(VkDevice device, VkBuffer buffer, struct vd_requirements *out)
{
    struct vd_memo *memo = &((struct vd_device *)device)->buffers;
    struct vd_memo_entry *known = vd_id_object(vd_instance_of(device), (uint64_t)buffer);
    struct vd_memo_entry *entry = known == &host_only ? NULL : known;
    if (vd_memo_get(entry, out, sizeof(*out)))
        return true;
    const VkBufferMemoryRequirementsInfo2 question = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_REQUIREMENTS_INFO_2,
        .buffer = buffer,
    };
    VkMemoryDedicatedRequirements dedicated = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_REQUIREMENTS,
    };
    VkMemoryRequirements2 answer = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2,
        .pNext = &dedicated,
    };
    vd_call_vkGetBufferMemoryRequirements2(device, &question, &answer);
    translate(device, known != &host_only, &answer.memoryRequirements);
    *out = (struct vd_requirements){answer.memoryRequirements, dedicated.prefersDedicatedAllocation,
                                    dedicated.requiresDedicatedAllocation};
    if (vd_device_status((struct vd_device *)device) != VK_SUCCESS)
        return false;
    vd_memo_put(memo, entry, out, sizeof(*out));
    return true;
}

VKAPI_ATTR void VKAPI_CALL vd_vkGetBufferMemoryRequirements(VkDevice device, VkBuffer buffer,
                                                            VkMemoryRequirements *requirements)
{
    struct vd_requirements answer;
    ask(device, buffer, &answer);
    *requirements = answer.memory;
}

VKAPI_ATTR void VKAPI_CALL
vd_vkGetBufferMemoryRequirements2(VkDevice device, const VkBufferMemoryRequirementsInfo2 *info,
                                  VkMemoryRequirements2 *requirements)
{
    struct vd_requirements answer;
    if (!info->pNext && ask(device, info->buffer, &answer) &&
        vd_requirements_fill(&answer, requirements))
        return;
    vd_call_vkGetBufferMemoryRequirements2(device, info, requirements);
    translate(device, vd_id_object(vd_instance_of(device), (uint64_t)info->buffer) != &host_only,
              &requirements->memoryRequirements);
}

VKAPI_ATTR void VKAPI_CALL vd_vkGetDeviceBufferMemoryRequirements(
    VkDevice device, const VkDeviceBufferMemoryRequirements *info,
    VkMemoryRequirements2 *requirements)
{
    VkBufferCreateInfo copy;
    VkExternalMemoryBufferCreateInfo external;
    VkDeviceBufferMemoryRequirements ours = *info;
    ours.pCreateInfo = announce((struct vd_device *)device, info->pCreateInfo, &copy, &external);
    vd_call_vkGetDeviceBufferMemoryRequirements(device, &ours, requirements);
    translate(device, !is_host_only(info->pCreateInfo), &requirements->memoryRequirements);
}
