/* SPDX-License-Identifier: MIT
 *
 * VK_KHR_device_fault, with tests/layer/device_fault.c below: reports of faults, and the vendor's binary.
 */
#include "common.h"

#include <stdio.h>
#include <string.h>

#ifdef VK_KHR_device_fault

static struct gpu gpu;

static void show(const VkDeviceFaultInfoKHR *report)
{
    printf("%x, group %ju, \"%s\": type %d at %jx (%ju), vendor's %ju and %jx\n", report->flags,
           (uintmax_t)report->groupId, report->description, report->faultAddressInfo.addressType,
           (uintmax_t)report->faultAddressInfo.reportedAddress,
           (uintmax_t)report->faultAddressInfo.addressPrecision,
           (uintmax_t)report->vendorInfo.vendorFaultCode,
           (uintmax_t)report->vendorInfo.vendorFaultData);
}

static void test_reports(void)
{
    section("reports");
    const PFN_vkGetDeviceFaultReportsKHR get = (PFN_vkGetDeviceFaultReportsKHR)vkGetDeviceProcAddr(
        gpu.device, "vkGetDeviceFaultReportsKHR");
    VkDeviceFaultInfoKHR reports[4];
    for (size_t i = 0; i < ARRAY_SIZE(reports); i++)
        reports[i] = (VkDeviceFaultInfoKHR){.sType = VK_STRUCTURE_TYPE_DEVICE_FAULT_INFO_KHR};
    uint32_t count = 4;
    must_be(VK_TIMEOUT, get(gpu.device, 0, &count, reports));
    must(get(gpu.device, 1000, &count, NULL));
    expect(count == 3, "%u reports", count);
    count = 2;
    must_be(VK_INCOMPLETE, get(gpu.device, 2000, &count, reports));
    expect(count == 2 && reports[2].groupId == 0, "too many reports");
    count = 4;
    must(get(gpu.device, 3000, &count, reports));
    for (uint32_t i = 0; i < count; i++)
        show(&reports[i]);
}

static void test_binary(void)
{
    section("the vendor's binary");
    const PFN_vkGetDeviceFaultDebugInfoKHR get =
        (PFN_vkGetDeviceFaultDebugInfoKHR)vkGetDeviceProcAddr(gpu.device,
                                                              "vkGetDeviceFaultDebugInfoKHR");
    VkDeviceFaultDebugInfoKHR info = {.sType = VK_STRUCTURE_TYPE_DEVICE_FAULT_DEBUG_INFO_KHR};
    must(get(gpu.device, &info));
    uint8_t data[128];
    memset(data, 0xee, sizeof(data));
    expect(info.vendorBinarySize < sizeof(data), "%u bytes", info.vendorBinarySize);
    info.pVendorBinaryData = data;
    info.vendorBinarySize = sizeof(data);
    must(get(gpu.device, &info));
    expect(info.pVendorBinaryData == data && data[info.vendorBinarySize] == 0xee,
           "more was written than there is");
    printf("%u bytes, %016jx\n", info.vendorBinarySize,
           (uintmax_t)fnv1a(data, info.vendorBinarySize));
}

/* The layer's way. Whoever lost a device asks why. */
static void lose(void)
{
    section("loss");
    VkEvent event;
    must(vkCreateEvent(gpu.device,
                       &(VkEventCreateInfo){.sType = VK_STRUCTURE_TYPE_EVENT_CREATE_INFO}, NULL,
                       &event));
    must_be(VK_ERROR_DEVICE_LOST, vkGetEventStatus(gpu.device, event));
    vkDestroyEvent(gpu.device, event, NULL);
}

int main(void)
{
    gpu_init_instance(&gpu, &(struct gpu_options){.name = "faults"});
    uint32_t one = 1;
    vkEnumeratePhysicalDevices(gpu.instance, &one, &gpu.physical);
    if (!gpu_has_extension(gpu.physical, VK_KHR_DEVICE_FAULT_EXTENSION_NAME)) {
        printf("there is no VK_KHR_device_fault\n");
        return EXIT_SKIPPED;
    }
    VkPhysicalDeviceFaultFeaturesKHR features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FAULT_FEATURES_KHR,
        .deviceFault = VK_TRUE,
        .deviceFaultVendorBinary = VK_TRUE,
    };
    gpu_init_device(
        &gpu, &(struct gpu_options){
                  .device_extensions = (const char *const[]){VK_KHR_DEVICE_FAULT_EXTENSION_NAME},
                  .device_extension_count = 1,
                  .features = &features,
              });
    test_reports();
    test_binary();
    lose();
    test_reports();
    test_binary();
    vkDestroyDevice(gpu.device, NULL); /* nothing waits for what is lost */
    vkDestroyInstance(gpu.instance, NULL);
    return 0;
}

#else

int main(void)
{
    printf("the headers do not know VK_KHR_device_fault\n");
    return EXIT_SKIPPED;
}

#endif
