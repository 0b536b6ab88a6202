/* SPDX-License-Identifier: MIT */
#include "device.h"
#include "entrypoints.h"
#include "private_data.h"

static struct vdc_private_data *data_of(VkDevice device)
{
    return ((struct vdc_device *)device)->private_data;
}

VKAPI_ATTR VkResult VKAPI_CALL
vdc_vkCreatePrivateDataSlot(VkDevice device, const VkPrivateDataSlotCreateInfo *pCreateInfo,
                            const VkAllocationCallbacks *pAllocator, VkPrivateDataSlot *pSlot)
{
    (void)pCreateInfo;
    (void)pAllocator;
    *pSlot = (VkPrivateDataSlot)(uintptr_t)vdc_private_data_add_slot(data_of(device));
    return VK_SUCCESS;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkDestroyPrivateDataSlot(VkDevice device, VkPrivateDataSlot slot,
                                                        const VkAllocationCallbacks *pAllocator)
{
    (void)pAllocator;
    vdc_private_data_remove_slot(data_of(device), (uintptr_t)slot);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkSetPrivateData(VkDevice device, VkObjectType objectType,
                                                    uint64_t objectHandle, VkPrivateDataSlot slot,
                                                    uint64_t value)
{
    (void)objectType;
    return vdc_private_data_set(data_of(device), (uintptr_t)slot, objectHandle, value)
               ? VK_SUCCESS
               : VK_ERROR_OUT_OF_HOST_MEMORY;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkGetPrivateData(VkDevice device, VkObjectType objectType,
                                                uint64_t objectHandle, VkPrivateDataSlot slot,
                                                uint64_t *pData)
{
    (void)objectType;
    *pData = vdc_private_data_get(data_of(device), (uintptr_t)slot, objectHandle);
}
