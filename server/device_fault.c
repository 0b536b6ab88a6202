/* SPDX-License-Identifier: MIT */
#include "device_fault.h"

#include "device.h"
#include "log.h"

/* Of each kind; a driver that knows of more is not asked for them. */
#define FAULTS_MAX 16

static const char *access_of(VkDeviceFaultAddressTypeEXT type)
{
    switch ((int)type) {
    case VK_DEVICE_FAULT_ADDRESS_TYPE_READ_INVALID_EXT:
        return "read from";
    case VK_DEVICE_FAULT_ADDRESS_TYPE_WRITE_INVALID_EXT:
        return "write to";
    case VK_DEVICE_FAULT_ADDRESS_TYPE_EXECUTE_INVALID_EXT:
        return "jump to";
    case VK_DEVICE_FAULT_ADDRESS_TYPE_INSTRUCTION_POINTER_UNKNOWN_EXT:
    case VK_DEVICE_FAULT_ADDRESS_TYPE_INSTRUCTION_POINTER_INVALID_EXT:
    case VK_DEVICE_FAULT_ADDRESS_TYPE_INSTRUCTION_POINTER_FAULT_EXT:
        return "instruction at";
    }
    return "access to";
}

static uint32_t at_most(uint32_t count)
{
    return count < FAULTS_MAX ? count : FAULTS_MAX;
}

void vds_device_fault_report(const struct vds_device *device)
{
    if (!device || !device->tells_faults)
        return;
    const PFN_vkGetDeviceFaultInfoEXT get = device->dispatch.vkGetDeviceFaultInfoEXT;
    VkDeviceFaultAddressInfoEXT addresses[FAULTS_MAX];
    VkDeviceFaultVendorInfoEXT vendor[FAULTS_MAX];
    VkDeviceFaultCountsEXT counts = {.sType = VK_STRUCTURE_TYPE_DEVICE_FAULT_COUNTS_EXT};
    VkDeviceFaultInfoEXT info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_FAULT_INFO_EXT,
        .pAddressInfos = addresses,
        .pVendorInfos = vendor,
    };
    if (!get || get(device->handle, &counts, NULL) < 0)
        return;
    counts.addressInfoCount = at_most(counts.addressInfoCount);
    counts.vendorInfoCount = at_most(counts.vendorInfoCount);
    counts.vendorBinarySize = 0;
    if (get(device->handle, &counts, &info) < 0)
        return;
    vds_log(VDS_LOG_ERROR, "device lost: the host's driver: %.*s", (int)sizeof(info.description),
            info.description);
    for (uint32_t i = 0; i < at_most(counts.addressInfoCount); i++)
        vds_log(VDS_LOG_ERROR, "device lost: the host's driver: %s %#llx, or %llu bytes around it",
                access_of(addresses[i].addressType),
                (unsigned long long)addresses[i].reportedAddress,
                (unsigned long long)addresses[i].addressPrecision);
    for (uint32_t i = 0; i < at_most(counts.vendorInfoCount); i++)
        vds_log(VDS_LOG_ERROR, "device lost: the host's driver: %.*s (%llu, %llu)",
                (int)sizeof(vendor[i].description), vendor[i].description,
                (unsigned long long)vendor[i].vendorFaultCode,
                (unsigned long long)vendor[i].vendorFaultData);
}
