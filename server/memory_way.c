/* SPDX-License-Identifier: MIT */
#include "memory_way.h"

#include <stdio.h>
#include <string.h>

#include "common/chain.h"

#include "instance.h"
#include "log.h"
#include "memory_probe.h"

/* ---- The order in which ways are tried */

/* The driver's own memory is what its developers test, and keeps every memory type. But descriptors of
 * NVIDIA's memory can not be mapped; Intel's driver lays images out in a worse way for them; and a CPU
 * has one memory, whoever's it is. */
static bool prefers_import(VkPhysicalDeviceType type, VkDriverId driver)
{
    return type == VK_PHYSICAL_DEVICE_TYPE_CPU || driver == VK_DRIVER_ID_NVIDIA_PROPRIETARY ||
           driver == VK_DRIVER_ID_INTEL_OPEN_SOURCE_MESA;
}

static bool try_way(struct vds_memory_probe *probe, enum vds_memory_way_kind kind,
                    struct vds_memory_way *way)
{
    static bool (*const tries[])(struct vds_memory_probe *, struct vds_memory_way *,
                                 const char **) = {
        [VDS_MEMORY_OWN] = vds_memory_probe_own,
        [VDS_MEMORY_IMPORT] = vds_memory_probe_import,
        [VDS_MEMORY_UDMABUF] = vds_memory_probe_udmabuf,
    };
    const char *why = "";
    struct vds_memory_way found = {.kind = kind};
    if (tries[kind](probe, &found, &why)) {
        *way = found;
        return true;
    }
    const size_t used = strlen(way->why);
    snprintf(way->why + used, sizeof(way->why) - used, "%s%s: %s", used ? "; " : "",
             vds_memory_way_name(kind), why);
    return false;
}

/* Vulkan wants it of each device; RADV's null device, which compiles for AMD's GPUs where there is none, has
 * no memory. */
static bool has_visible_memory(const struct vds_instance *instance,
                               const struct vds_physical_device *pd)
{
    VkPhysicalDeviceMemoryProperties memory;
    instance->dispatch.vkGetPhysicalDeviceMemoryProperties(pd->handle, &memory);
    for (uint32_t i = 0; i < memory.memoryTypeCount; i++)
        if (memory.memoryTypes[i].propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT)
            return true;
    return false;
}

static void try_ways(PFN_vkGetInstanceProcAddr get, const struct vds_instance *instance,
                     const struct vds_physical_device *pd, uint32_t among, bool import_first,
                     bool finds_files, struct vds_memory_way *way)
{
    const char *why = "";
    if (!has_visible_memory(instance, pd)) {
        *way = (struct vds_memory_way){.kind = VDS_MEMORY_NONE};
        return;
    }
    struct vds_memory_probe *probe = vds_memory_probe_create(get, instance, pd, &why);
    *way = (struct vds_memory_way){.kind = VDS_MEMORY_NO_WAY};
    if (!probe) {
        snprintf(way->why, sizeof(way->why), "%s", why);
        return;
    }
    /* A dma-buf comes last: the kernel limits its size. */
    const enum vds_memory_way_kind order[2][3] = {
        {VDS_MEMORY_OWN, VDS_MEMORY_IMPORT, VDS_MEMORY_UDMABUF},
        {VDS_MEMORY_IMPORT, VDS_MEMORY_OWN, VDS_MEMORY_UDMABUF},
    };
    for (int i = 0; i < 3 && way->kind == VDS_MEMORY_NO_WAY; i++) {
        const enum vds_memory_way_kind kind = order[import_first][i];
        if (among & 1u << kind)
            try_way(probe, kind, way);
    }
    if (way->kind == VDS_MEMORY_IMPORT && finds_files)
        vds_memory_probe_files(probe, way);
    vds_memory_probe_destroy(probe);
}

void vds_memory_way_find(PFN_vkGetInstanceProcAddr get, const struct vds_instance *instance,
                         const struct vds_physical_device *pd, uint32_t among, bool descriptors,
                         struct vds_memory_ways *known, struct vds_memory_way *way)
{
    VkPhysicalDeviceDriverProperties driver = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceIDProperties ids = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
        .pNext = &ids,
    };
    if (vds_physical_device_has(pd, VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME))
        ids.pNext = &driver;
    instance->dispatch.vkGetPhysicalDeviceProperties2(pd->handle, &properties);
    struct vds_known_way entry = {.driver_version = properties.properties.driverVersion,
                                  .among = among,
                                  .descriptors = descriptors};
    memcpy(entry.driver, ids.driverUUID, sizeof(entry.driver));
    memcpy(entry.device, ids.deviceUUID, sizeof(entry.device));
    const struct vds_memory_way *remembered = vds_memory_ways_find(known, &entry);
    if (remembered) {
        *way = *remembered;
        return;
    }
    /* On a GPU memory is no file. */
    const bool finds_files =
        descriptors && properties.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    try_ways(get, instance, pd, among,
             prefers_import(properties.properties.deviceType, driver.driverID), finds_files, way);
    vds_log(VDS_LOG_DEBUG, "memory of %s: %s%s%s", properties.properties.deviceName,
            way->kind == VDS_MEMORY_NO_WAY ? "no way" : vds_memory_way_name(way->kind),
            way->why[0] ? ": " : "", way->why);
    entry.way = *way;
    vds_memory_ways_add(known, &entry);
}
