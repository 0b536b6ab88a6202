/* SPDX-License-Identifier: MIT */
#include "physical_device.h"

#include <stddef.h>

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
