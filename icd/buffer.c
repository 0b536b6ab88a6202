/* SPDX-License-Identifier: MIT */
#include "call.h"
#include "calls.h"
#include "device.h"
#include "entrypoints.h"

/* Whether buffers can be backed by memory of the client. */
static bool importable(const struct vd_device *device)
{
    return device->physical_device->data->import_alignment != 0;
}

static bool has_external_info(const VkBaseInStructure *chain)
{
    for (; chain; chain = chain->pNext)
        if (chain->sType == VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO)
            return true;
    return false;
}

/* The specification wants a resource to name the handle types of memory it may be bound to. */
static const VkBufferCreateInfo *announce(const struct vd_device *device,
                                          const VkBufferCreateInfo *info, VkBufferCreateInfo *copy,
                                          VkExternalMemoryBufferCreateInfo *external)
{
    if (!importable(device) || has_external_info(info->pNext))
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

VKAPI_ATTR VkResult VKAPI_CALL vd_vkCreateBuffer(VkDevice device,
                                                 const VkBufferCreateInfo *pCreateInfo,
                                                 const VkAllocationCallbacks *pAllocator,
                                                 VkBuffer *pBuffer)
{
    VkBufferCreateInfo copy;
    VkExternalMemoryBufferCreateInfo external;
    return vd_call_vkCreateBuffer(
        device, announce((struct vd_device *)device, pCreateInfo, &copy, &external), pAllocator,
        pBuffer);
}

static void translate(VkDevice device, VkMemoryRequirements *requirements)
{
    const struct vd_physical_device *pd = ((struct vd_device *)device)->physical_device;
    requirements->memoryTypeBits = vd_memory_bits(pd, requirements->memoryTypeBits, true);
}

VKAPI_ATTR void VKAPI_CALL vd_vkGetBufferMemoryRequirements(VkDevice device, VkBuffer buffer,
                                                            VkMemoryRequirements *requirements)
{
    vd_call_vkGetBufferMemoryRequirements(device, buffer, requirements);
    translate(device, requirements);
}

VKAPI_ATTR void VKAPI_CALL
vd_vkGetBufferMemoryRequirements2(VkDevice device, const VkBufferMemoryRequirementsInfo2 *info,
                                  VkMemoryRequirements2 *requirements)
{
    vd_call_vkGetBufferMemoryRequirements2(device, info, requirements);
    translate(device, &requirements->memoryRequirements);
}

VKAPI_ATTR void VKAPI_CALL
vd_vkGetDeviceBufferMemoryRequirements(VkDevice device, const VkDeviceBufferMemoryRequirements *info,
                                       VkMemoryRequirements2 *requirements)
{
    VkBufferCreateInfo copy;
    VkExternalMemoryBufferCreateInfo external;
    VkDeviceBufferMemoryRequirements ours = *info;
    ours.pCreateInfo = announce((struct vd_device *)device, info->pCreateInfo, &copy, &external);
    vd_call_vkGetDeviceBufferMemoryRequirements(device, &ours, requirements);
    translate(device, &requirements->memoryRequirements);
}
