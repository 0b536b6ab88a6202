/* SPDX-License-Identifier: MIT */
#include "physical_device.h"

#include <stddef.h>
#include <string.h>

#include "connection/connection.h"
#include "instance.h"
#include "protocol/record.h"

static const void *entry_in(const struct vdc_physical_device *pd, uint32_t offset, uint32_t size,
                            VkStructureType type, uint32_t *found)
{
    const uint8_t *at = (const uint8_t *)pd->data + offset, *end = at + size;
    while ((size_t)(end - at) >= sizeof(struct vd_chain_entry)) {
        const struct vd_chain_entry *entry = (const struct vd_chain_entry *)at;
        if (entry->type == (uint32_t)type) {
            *found = entry->size;
            return entry + 1;
        }
        at += sizeof(*entry) + vd_align(entry->size);
    }
    return NULL;
}

const void *vdc_physical_device_property(const struct vdc_physical_device *pd, VkStructureType type,
                                         uint32_t *size)
{
    return entry_in(pd, pd->data->properties, pd->data->properties_size, type, size);
}

const void *vdc_physical_device_feature(const struct vdc_physical_device *pd, VkStructureType type,
                                        uint32_t *size)
{
    return entry_in(pd, pd->data->features, pd->data->features_size, type, size);
}

static bool is_same(const VkPhysicalDeviceProperties *a, const VkPhysicalDeviceProperties *b)
{
    return a->vendorID == b->vendorID && a->deviceID == b->deviceID &&
           strcmp(a->deviceName, b->deviceName) == 0;
}

struct vdc_physical_device *vdc_physical_device_living(struct vdc_physical_device *pd)
{
    struct vdc_instance *living;
    if (!vdc_connection_lost(pd->base.instance->connection) ||
        vdc_instance_living(pd->base.instance, &living) != VK_SUCCESS)
        return pd;
    for (uint32_t i = 0; i < living->physical_device_count; i++)
        if (is_same(&living->physical_devices[i].properties, &pd->properties))
            return &living->physical_devices[i];
    return pd; /* the new server has it no more */
}

bool vdc_physical_device_is_lost(struct vdc_physical_device *pd)
{
    return vdc_connection_lost(vdc_physical_device_living(pd)->base.instance->connection);
}
