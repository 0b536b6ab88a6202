/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "device.h"
#include "entrypoints.h"
#include "objects.h"
#include "private_data.h"

struct vdc_private_data_slot {
    struct vdc_local_object base;
};

static struct vdc_private_data *data_of(VkDevice device)
{
    return vdc_ids_private_data(vdc_instance_of(device)->ids);
}

static uint64_t id_of_slot(VkPrivateDataSlot handle)
{
    return ((const struct vdc_private_data_slot *)(uintptr_t)handle)->base.id;
}

VKAPI_ATTR VkResult VKAPI_CALL
vdc_vkCreatePrivateDataSlot(VkDevice device, const VkPrivateDataSlotCreateInfo *pCreateInfo,
                            const VkAllocationCallbacks *pAllocator, VkPrivateDataSlot *pSlot)
{
    (void)pCreateInfo;
    (void)pAllocator;
    struct vdc_private_data_slot *slot =
        vdc_local_object_create(vdc_instance_of(device), VD_TYPE_VkPrivateDataSlot, sizeof(*slot));
    *pSlot = (VkPrivateDataSlot)(uintptr_t)slot;
    return slot ? VK_SUCCESS : VK_ERROR_OUT_OF_HOST_MEMORY;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkDestroyPrivateDataSlot(VkDevice device, VkPrivateDataSlot slot,
                                                        const VkAllocationCallbacks *pAllocator)
{
    (void)pAllocator;
    if (!slot)
        return;
    vdc_private_data_remove_slot(data_of(device), id_of_slot(slot));
    vdc_local_object_destroy(vdc_instance_of(device), (struct vdc_local_object *)(uintptr_t)slot);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkSetPrivateData(VkDevice device, VkObjectType objectType,
                                                    uint64_t objectHandle, VkPrivateDataSlot slot,
                                                    uint64_t value)
{
    const uint64_t object = vdc_id_of_object(vd_type_of_object(objectType), objectHandle);
    return vdc_private_data_set(data_of(device), id_of_slot(slot), object, value)
               ? VK_SUCCESS
               : VK_ERROR_OUT_OF_HOST_MEMORY;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkGetPrivateData(VkDevice device, VkObjectType objectType,
                                                uint64_t objectHandle, VkPrivateDataSlot slot,
                                                uint64_t *pData)
{
    const uint64_t object = vdc_id_of_object(vd_type_of_object(objectType), objectHandle);
    *pData = vdc_private_data_get(data_of(device), id_of_slot(slot), object);
}
