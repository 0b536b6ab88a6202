/* SPDX-License-Identifier: MIT
 *
 * VK_KHR_deferred_host_operations: every operation completes in the call that starts it, which the
 * specification allows. The object has nothing to remember.
 */
#include <stdlib.h>

#include "calls.h"
#include "entrypoints.h"
#include "instance.h"
#include "objects.h"

VKAPI_ATTR VkResult VKAPI_CALL
vdc_vkCreateDeferredOperationKHR(VkDevice device, const VkAllocationCallbacks *pAllocator,
                                 VkDeferredOperationKHR *pDeferredOperation)
{
    (void)pAllocator;
    struct vdc_local_object *operation = vdc_local_object_create(
        vdc_instance_of(device), VD_TYPE_VkDeferredOperationKHR, sizeof(*operation));
    *pDeferredOperation = (VkDeferredOperationKHR)(uintptr_t)operation;
    return operation ? VK_SUCCESS : VK_ERROR_OUT_OF_HOST_MEMORY;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkDestroyDeferredOperationKHR(
    VkDevice device, VkDeferredOperationKHR operation, const VkAllocationCallbacks *pAllocator)
{
    (void)pAllocator;
    vdc_local_object_destroy(vdc_instance_of(device),
                             (struct vdc_local_object *)(uintptr_t)operation);
}

VKAPI_ATTR uint32_t VKAPI_CALL
vdc_vkGetDeferredOperationMaxConcurrencyKHR(VkDevice device, VkDeferredOperationKHR operation)
{
    (void)device;
    (void)operation;
    return 0;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetDeferredOperationResultKHR(VkDevice device,
                                                                   VkDeferredOperationKHR operation)
{
    (void)device;
    (void)operation;
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkDeferredOperationJoinKHR(VkDevice device,
                                                              VkDeferredOperationKHR operation)
{
    (void)device;
    (void)operation;
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkCreateRayTracingPipelinesKHR(
    VkDevice device, VkDeferredOperationKHR deferredOperation, VkPipelineCache pipelineCache,
    uint32_t createInfoCount, const VkRayTracingPipelineCreateInfoKHR *pCreateInfos,
    const VkAllocationCallbacks *pAllocator, VkPipeline *pPipelines)
{
    const VkResult result = vdc_call_vkCreateRayTracingPipelinesKHR(
        device, VK_NULL_HANDLE, pipelineCache, createInfoCount, pCreateInfos, pAllocator,
        pPipelines);
    return deferredOperation && result == VK_SUCCESS ? VK_OPERATION_NOT_DEFERRED_KHR : result;
}
