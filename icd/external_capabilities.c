/* SPDX-License-Identifier: MIT */
#include "external_capabilities.h"

#include "calls.h"
#include "entrypoints.h"
#include "extensions.h"

VkExternalMemoryHandleTypeFlags vdc_external_memory_types(const struct vdc_physical_device *pd)
{
    VkExternalMemoryHandleTypeFlags types = 0;
    if (pd->extensions[VD_EXT_KHR_external_memory_fd])
        types |= VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT;
    if (pd->extensions[VD_EXT_EXT_external_memory_dma_buf])
        types |= VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT;
    if (pd->extensions[VD_EXT_EXT_external_memory_host])
        types |= VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;
    return types;
}

void vdc_external_memory_restrict(const struct vdc_physical_device *pd,
                                  VkExternalMemoryProperties *properties)
{
    properties->exportFromImportedHandleTypes &= vdc_external_memory_types(pd);
    properties->compatibleHandleTypes &= vdc_external_memory_types(pd);
}

VKAPI_ATTR void VKAPI_CALL vdc_vkGetPhysicalDeviceExternalBufferProperties(
    VkPhysicalDevice handle, const VkPhysicalDeviceExternalBufferInfo *info,
    VkExternalBufferProperties *properties)
{
    const struct vdc_physical_device *pd = (const struct vdc_physical_device *)handle;
    if (info->handleType & ~vdc_external_memory_types(pd)) {
        properties->externalMemoryProperties = (VkExternalMemoryProperties){
            .compatibleHandleTypes = info->handleType,
        };
        return;
    }
    vdc_call_vkGetPhysicalDeviceExternalBufferProperties(handle, info, properties);
    vdc_external_memory_restrict(pd, &properties->externalMemoryProperties);
}

VKAPI_ATTR void VKAPI_CALL vdc_vkGetPhysicalDeviceExternalFenceProperties(
    VkPhysicalDevice handle, const VkPhysicalDeviceExternalFenceInfo *info,
    VkExternalFenceProperties *properties)
{
    const struct vdc_physical_device *pd = (const struct vdc_physical_device *)handle;
    const bool shared = pd->extensions[VD_EXT_KHR_external_fence_fd] &&
                        info->handleType == VK_EXTERNAL_FENCE_HANDLE_TYPE_OPAQUE_FD_BIT;
    properties->exportFromImportedHandleTypes = shared ? info->handleType : 0;
    properties->compatibleHandleTypes = shared ? info->handleType : 0;
    properties->externalFenceFeatures =
        shared ? VK_EXTERNAL_FENCE_FEATURE_EXPORTABLE_BIT | VK_EXTERNAL_FENCE_FEATURE_IMPORTABLE_BIT
               : 0;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkGetPhysicalDeviceExternalSemaphoreProperties(
    VkPhysicalDevice handle, const VkPhysicalDeviceExternalSemaphoreInfo *info,
    VkExternalSemaphoreProperties *properties)
{
    const struct vdc_physical_device *pd = (const struct vdc_physical_device *)handle;
    const VkExternalSemaphoreHandleTypeFlags crossing =
        pd->extensions[VD_EXT_KHR_external_semaphore_fd]
            ? VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_OPAQUE_FD_BIT |
                  VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT
            : 0;
    if (info->handleType & crossing)
        vdc_call_vkGetPhysicalDeviceExternalSemaphoreProperties(handle, info, properties);
    else
        properties->externalSemaphoreFeatures = 0;
    if (properties->externalSemaphoreFeatures == 0) {
        properties->exportFromImportedHandleTypes = 0;
        properties->compatibleHandleTypes = 0;
    }
    properties->exportFromImportedHandleTypes &= crossing;
    properties->compatibleHandleTypes &= crossing;
}
