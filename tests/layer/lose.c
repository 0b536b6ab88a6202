/* SPDX-License-Identifier: MIT
 *
 * A driver whose device is lost by a draw, for tests: VIADUCT_LOSE says by which one, counted from 1. The
 * batch with its command buffer is accepted, and never finishes. VK_EXT_device_fault says of it what drivers
 * say.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "extensions.h"
#include "layer.h"

#define NAME "VK_LAYER_VIADUCT_lose"

static struct {
    PFN_vkGetPhysicalDeviceFeatures2 get_features;
    PFN_vkEnumerateDeviceExtensionProperties enumerate_extensions;
    PFN_vkCreateDevice create_device;
} below;

static VkDevice device; /* the last one */
static VkCommandBuffer deadly;
static _Atomic unsigned draws;
static _Atomic bool lost;

static unsigned chosen(void)
{
    const char *number = getenv("VIADUCT_LOSE");
    return number ? (unsigned)atoi(number) : 0;
}

/* ---- The loss */

static VKAPI_ATTR void VKAPI_CALL draw(VkCommandBuffer commands, uint32_t vertices,
                                       uint32_t instances, uint32_t first_vertex,
                                       uint32_t first_instance)
{
    if (atomic_fetch_add(&draws, 1) + 1 == chosen())
        deadly = commands;
    NEXT(device, vkCmdDraw)(commands, vertices, instances, first_vertex, first_instance);
}

static VKAPI_ATTR VkResult VKAPI_CALL submit(VkQueue queue, uint32_t count,
                                             const VkSubmitInfo *infos, VkFence fence)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < infos[i].commandBufferCount; j++)
            if (deadly && infos[i].pCommandBuffers[j] == deadly && !atomic_exchange(&lost, true))
                return VK_SUCCESS; /* nobody knows yet */
    return atomic_load(&lost) ? VK_ERROR_DEVICE_LOST
                              : NEXT(device, vkQueueSubmit)(queue, count, infos, fence);
}

static VKAPI_ATTR VkResult VKAPI_CALL submit2(VkQueue queue, uint32_t count,
                                              const VkSubmitInfo2 *infos, VkFence fence)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < infos[i].commandBufferInfoCount; j++)
            if (deadly && infos[i].pCommandBufferInfos[j].commandBuffer == deadly &&
                !atomic_exchange(&lost, true))
                return VK_SUCCESS;
    return atomic_load(&lost) ? VK_ERROR_DEVICE_LOST
                              : NEXT(device, vkQueueSubmit2)(queue, count, infos, fence);
}

static VKAPI_ATTR VkResult VKAPI_CALL wait(VkDevice handle, const VkSemaphoreWaitInfo *info,
                                           uint64_t timeout)
{
    return atomic_load(&lost) ? VK_ERROR_DEVICE_LOST
                              : NEXT(handle, vkWaitSemaphores)(handle, info, timeout);
}

static VKAPI_ATTR VkResult VKAPI_CALL get_counter(VkDevice handle, VkSemaphore semaphore,
                                                  uint64_t *value)
{
    return atomic_load(&lost) ? VK_ERROR_DEVICE_LOST
                              : NEXT(handle, vkGetSemaphoreCounterValue)(handle, semaphore, value);
}

/* ---- VK_EXT_device_fault */

static VKAPI_ATTR void VKAPI_CALL get_features(VkPhysicalDevice physical,
                                               VkPhysicalDeviceFeatures2 *features)
{
    below.get_features(physical, features);
    VkPhysicalDeviceFaultFeaturesEXT *ours =
        (void *)vd_chain_find(features, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FAULT_FEATURES_EXT);
    if (ours)
        ours->deviceFault = VK_TRUE;
}

static const VkExtensionProperties extension = {VK_EXT_DEVICE_FAULT_EXTENSION_NAME, 2};
static const struct added added = {NAME, &extension, 1};

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_extensions(VkPhysicalDevice physical,
                                                           const char *layer, uint32_t *count,
                                                           VkExtensionProperties *properties)
{
    return enumerate_added(&added, below.enumerate_extensions, physical, layer, count, properties);
}

static bool has_fault; /* enabled by whoever made the device, with its feature */

static VKAPI_ATTR VkResult VKAPI_CALL get_fault(VkDevice handle, VkDeviceFaultCountsEXT *counts,
                                                VkDeviceFaultInfoEXT *info)
{
    (void)handle;
    counts->addressInfoCount = counts->vendorInfoCount = has_fault ? 1 : 0;
    counts->vendorBinarySize = 0;
    if (info) {
        snprintf(info->description, sizeof(info->description), "the %u. draw was the last",
                 chosen());
        info->pAddressInfos[0] = (VkDeviceFaultAddressInfoEXT){
            VK_DEVICE_FAULT_ADDRESS_TYPE_WRITE_INVALID_EXT, UINT64_C(0x123456789000), 4096};
        info->pVendorInfos[0] =
            (VkDeviceFaultVendorInfoEXT){.vendorFaultCode = 77, .vendorFaultData = 78};
        strcpy(info->pVendorInfos[0].description, "of the vendor");
    }
    return VK_SUCCESS;
}

/* ---- The layer */

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *alloc,
                                                      VkInstance *handle)
{
    const PFN_vkGetInstanceProcAddr next = step_instance(info);
    const VkResult result =
        ((PFN_vkCreateInstance)next(NULL, "vkCreateInstance"))(info, alloc, handle);
    if (result == VK_SUCCESS) {
        below.get_features =
            (PFN_vkGetPhysicalDeviceFeatures2)next(*handle, "vkGetPhysicalDeviceFeatures2");
        below.enumerate_extensions = (PFN_vkEnumerateDeviceExtensionProperties)next(
            *handle, "vkEnumerateDeviceExtensionProperties");
        below.create_device = (PFN_vkCreateDevice)next(*handle, "vkCreateDevice");
    }
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical,
                                                    const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *alloc,
                                                    VkDevice *handle)
{
    step_device(info);
    VkDeviceCreateInfo changed = *info;
    const bool enabled = leave_out_added(&added, &changed);
    VkPhysicalDeviceFaultFeaturesEXT *feature =
        (void *)vd_chain_find(info->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FAULT_FEATURES_EXT);
    has_fault = enabled && feature && feature->deviceFault;
    if (feature)
        feature->deviceFault = VK_FALSE;
    const VkResult result = below.create_device(physical, &changed, alloc, handle);
    free((void *)changed.ppEnabledExtensionNames);
    if (result == VK_SUCCESS)
        device = *handle;
    return result;
}

static const struct function device_functions[] = {
    FUNCTION("vkGetDeviceProcAddr", get_device),
    FUNCTION("vkCmdDraw", draw),
    FUNCTION("vkQueueSubmit", submit),
    FUNCTION("vkQueueSubmit2", submit2),
    FUNCTION("vkQueueSubmit2KHR", submit2),
    FUNCTION("vkWaitSemaphores", wait),
    FUNCTION("vkWaitSemaphoresKHR", wait),
    FUNCTION("vkGetSemaphoreCounterValue", get_counter),
    FUNCTION("vkGetSemaphoreCounterValueKHR", get_counter),
    FUNCTION("vkGetDeviceFaultInfoEXT", get_fault),
};

static const struct function instance_functions[] = {
    FUNCTION("vkGetInstanceProcAddr", get_instance),
    FUNCTION("vkCreateInstance", create_instance),
    FUNCTION("vkCreateDevice", create_device),
    FUNCTION("vkEnumerateDeviceExtensionProperties", enumerate_extensions),
    FUNCTION("vkGetPhysicalDeviceFeatures2", get_features),
};

DEFINE_LOOK_UPS(instance_functions, device_functions)
