/* SPDX-License-Identifier: MIT
 *
 * VK_KHR_device_fault over a driver that has not got it, for tests: three reports, each with numbers of
 * its own, and a vendor's binary. Without patience there is nothing to report yet. Whoever asks for the
 * status of an event loses the device.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "extensions.h"
#include "layer.h"

#define NAME    "VK_LAYER_VIADUCT_device_fault"
#define REPORTS 3
#define BINARY  100

static struct {
    PFN_vkGetPhysicalDeviceFeatures2 get_features;
    PFN_vkEnumerateDeviceExtensionProperties enumerate_extensions;
    PFN_vkCreateDevice create_device;
} below;

static VKAPI_ATTR void VKAPI_CALL get_features(VkPhysicalDevice device,
                                               VkPhysicalDeviceFeatures2 *features)
{
    below.get_features(device, features);
#ifdef VK_KHR_device_fault
    VkPhysicalDeviceFaultFeaturesKHR *ours =
        (void *)vd_chain_find(features, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FAULT_FEATURES_KHR);
    if (ours)
        ours->deviceFault = ours->deviceFaultVendorBinary = VK_TRUE;
#endif
}

static const VkExtensionProperties extension = {"VK_KHR_device_fault", 1};
static const struct added added = {NAME, &extension, 1};

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_extensions(VkPhysicalDevice device,
                                                           const char *layer, uint32_t *count,
                                                           VkExtensionProperties *properties)
{
    return enumerate_added(&added, below.enumerate_extensions, device, layer, count, properties);
}

#ifdef VK_KHR_device_fault
static VKAPI_ATTR VkResult VKAPI_CALL get_reports(VkDevice device, uint64_t timeout,
                                                  uint32_t *count, VkDeviceFaultInfoKHR *reports)
{
    (void)device;
    const uint32_t room = *count;
    *count = 0;
    if (timeout == 0)
        return VK_TIMEOUT;
    *count = reports && room < REPORTS ? room : REPORTS;
    for (uint32_t i = 0; reports && i < *count; i++) {
        reports[i].flags = VK_DEVICE_FAULT_FLAG_MEMORY_ADDRESS_KHR;
        reports[i].groupId = timeout + i;
        snprintf(reports[i].description, sizeof(reports[i].description), "fault %u", i);
        reports[i].faultAddressInfo = (VkDeviceFaultAddressInfoKHR){
            VK_DEVICE_FAULT_ADDRESS_TYPE_WRITE_INVALID_KHR, UINT64_C(0x123456789000) + i, 4096};
        reports[i].vendorInfo.vendorFaultCode = 77 + i;
        reports[i].vendorInfo.vendorFaultData = UINT64_MAX - i;
    }
    return *count < REPORTS ? VK_INCOMPLETE : VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL get_event_status(VkDevice device, VkEvent event)
{
    (void)device, (void)event;
    return VK_ERROR_DEVICE_LOST;
}

static VKAPI_ATTR VkResult VKAPI_CALL get_debug_info(VkDevice device,
                                                     VkDeviceFaultDebugInfoKHR *info)
{
    (void)device;
    const uint32_t room = info->vendorBinarySize;
    if (!info->pVendorBinaryData) {
        info->vendorBinarySize = BINARY;
        return VK_SUCCESS;
    }
    info->vendorBinarySize = room < BINARY ? room : BINARY;
    for (uint32_t i = 0; i < info->vendorBinarySize; i++)
        ((uint8_t *)info->pVendorBinaryData)[i] = (uint8_t)(i * 7 + 1);
    return room < BINARY ? VK_INCOMPLETE : VK_SUCCESS;
}
#endif

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

/* The driver is not asked for what it has not got. */
static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical,
                                                    const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *alloc,
                                                    VkDevice *handle)
{
    step_device(info);
    VkDeviceCreateInfo changed = *info;
    leave_out_added(&added, &changed);
#ifdef VK_KHR_device_fault
    VkPhysicalDeviceFaultFeaturesKHR *ours =
        (void *)vd_chain_find(info->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FAULT_FEATURES_KHR);
    if (ours)
        ours->deviceFault = ours->deviceFaultVendorBinary = VK_FALSE;
#endif
    const VkResult result = below.create_device(physical, &changed, alloc, handle);
    free((void *)changed.ppEnabledExtensionNames);
    return result;
}

static const struct function device_functions[] = {
    FUNCTION("vkGetDeviceProcAddr", get_device),
#ifdef VK_KHR_device_fault
    FUNCTION("vkGetEventStatus", get_event_status),
    FUNCTION("vkGetDeviceFaultReportsKHR", get_reports),
    FUNCTION("vkGetDeviceFaultDebugInfoKHR", get_debug_info),
#endif
};

static const struct function instance_functions[] = {
    FUNCTION("vkGetInstanceProcAddr", get_instance),
    FUNCTION("vkCreateInstance", create_instance),
    FUNCTION("vkCreateDevice", create_device),
    FUNCTION("vkEnumerateDeviceExtensionProperties", enumerate_extensions),
    FUNCTION("vkGetPhysicalDeviceFeatures2", get_features),
};

DEFINE_LOOK_UPS(instance_functions, device_functions)
