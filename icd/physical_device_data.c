/* SPDX-License-Identifier: MIT */
#include "physical_device_data.h"

#include <string.h>

#include "protocol/record.h"

#include "chains.h"

/* More than any machine has; the sums below cannot wrap. */
#define SIZE_MAX_OF_DEVICE (UINT32_C(16) << 20)
#define ALIGNMENT_MAX      (UINT32_C(1) << 30)
#define FAMILIES_MAX       64u

static bool is_within(uint32_t offset, uint64_t size, uint32_t limit)
{
    return offset % VD_ALIGN == 0 && offset <= limit && size <= limit - offset;
}

static bool ends(const char *text, size_t size)
{
    return memchr(text, 0, size);
}

static const struct vd_chain_struct *find(const struct vd_chain_struct *structs, size_t count,
                                          uint32_t type)
{
    for (size_t i = 0; i < count; i++)
        if ((uint32_t)structs[i].type == type)
            return &structs[i];
    return NULL;
}

/* Entries one after another, to the last byte. Structs that this end does not know are left alone. */
static bool check_chain(const uint8_t *at, uint32_t size, const struct vd_chain_struct *structs,
                        size_t count)
{
    while (size >= sizeof(struct vd_chain_entry)) {
        struct vd_chain_entry entry;
        memcpy(&entry, at, sizeof(entry));
        const uint32_t left = size - (uint32_t)sizeof(entry);
        const struct vd_chain_struct *known = find(structs, count, entry.type);
        if (entry.size > left || vd_align(entry.size) > left)
            return false;
        if (known && entry.size != known->wire_size - sizeof(VD_WIRE(VkBaseOutStructure)))
            return false;
        const uint32_t step = (uint32_t)(sizeof(entry) + vd_align(entry.size));
        at += step;
        size -= step;
    }
    return size == 0;
}

static bool check_memory(const VD_WIRE(VkPhysicalDeviceMemoryProperties) * memory)
{
    if (memory->memoryTypeCount > VK_MAX_MEMORY_TYPES ||
        memory->memoryHeapCount > VK_MAX_MEMORY_HEAPS)
        return false;
    for (uint32_t i = 0; i < memory->memoryTypeCount; i++)
        if (memory->memoryTypes[i].heapIndex >= memory->memoryHeapCount)
            return false;
    return true;
}

static const char *check_device(const struct vd_physical_device_data *data, const uint8_t *bytes)
{
    const uint32_t size = data->size;
    const uint32_t alignment = data->import_alignment;
    if (data->extension_count > size / sizeof(VkExtensionProperties) ||
        !is_within(data->extensions, data->extension_count * sizeof(VkExtensionProperties), size))
        return "extensions";
    const VkExtensionProperties *extensions =
        (const VkExtensionProperties *)(bytes + data->extensions);
    for (uint32_t i = 0; i < data->extension_count; i++)
        if (!ends(extensions[i].extensionName, sizeof(extensions[i].extensionName)))
            return "the name of an extension";
    if (data->queue_family_count > FAMILIES_MAX ||
        !is_within(data->queue_families, data->queue_family_count * sizeof(VkQueueFamilyProperties),
                   size))
        return "queue families";
    if (!is_within(data->features, data->features_size, size) ||
        !check_chain(bytes + data->features, data->features_size, vd_feature_structs,
                     vd_feature_struct_count))
        return "features";
    if (!is_within(data->properties, data->properties_size, size) ||
        !check_chain(bytes + data->properties, data->properties_size, vd_property_structs,
                     vd_property_struct_count))
        return "properties";
    if (!check_memory(&data->memory))
        return "memory types";
    if (data->own_start > ALIGNMENT_MAX || data->own_start % 4096 != 0)
        return "the start of memory in files";
    if (alignment > ALIGNMENT_MAX || (alignment & (alignment - 1)) != 0)
        return "the alignment of imports";
    if (!ends(data->core_properties.deviceName, sizeof(data->core_properties.deviceName)))
        return "its name";
    return NULL;
}

const char *vdc_physical_devices_check(uint8_t *blob, size_t size, uint32_t *count)
{
    const struct vd_physical_devices *head = (const struct vd_physical_devices *)blob;
    if (size < sizeof(*head) || head->size > size || head->size < sizeof(*head))
        return "the size of it all";
    if (*count > head->count)
        *count = head->count;
    const uint8_t *at = blob + sizeof(*head);
    size_t left = head->size - sizeof(*head);
    for (uint32_t i = 0; i < *count; i++) {
        const struct vd_physical_device_data *data = (const struct vd_physical_device_data *)at;
        if (left < sizeof(*data) || data->size < sizeof(*data) || data->size > left ||
            data->size > SIZE_MAX_OF_DEVICE || data->size % VD_ALIGN != 0)
            return "the size of a device";
        const char *wrong = check_device(data, at);
        if (wrong)
            return wrong;
        at += data->size;
        left -= data->size;
    }
    return NULL;
}

#if VD_WIRE_IS_NATIVE

void vdc_physical_device_localize(struct vd_physical_device_data *data)
{
    (void)data;
}

#else

/* In place, for here they are smaller. Structs that nobody here can ask for are left out. Returns the bytes
 * that are left. */
static uint32_t localize_chain(uint8_t *chain, uint32_t size, const struct vd_chain_struct *structs,
                               size_t count)
{
    uint64_t wire[512], native[512];
    const size_t wire_head = sizeof(VD_WIRE(VkBaseOutStructure));
    const size_t head = sizeof(VkBaseOutStructure);
    uint8_t *to = chain;
    for (const uint8_t *at = chain, *end = chain + size; at < end;) {
        struct vd_chain_entry entry;
        memcpy(&entry, at, sizeof(entry));
        at += sizeof(entry);
        const struct vd_chain_struct *known = find(structs, count, entry.type);
        const uint8_t *body = at;
        at += vd_align(entry.size);
        if (!known || !known->from_wire || known->wire_size > sizeof(wire))
            continue;
        memcpy((uint8_t *)wire + wire_head, body, entry.size);
        known->from_wire(native, wire);
        entry.size = known->size - (uint32_t)head;
        memcpy(to, &entry, sizeof(entry));
        memcpy(to + sizeof(entry), (uint8_t *)native + head, entry.size);
        to += sizeof(entry) + vd_align(entry.size);
    }
    return (uint32_t)(to - chain);
}

void vdc_physical_device_localize(struct vd_physical_device_data *data)
{
    uint8_t *bytes = (uint8_t *)data;
    data->features_size = localize_chain(bytes + data->features, data->features_size,
                                         vd_feature_structs, vd_feature_struct_count);
    data->properties_size = localize_chain(bytes + data->properties, data->properties_size,
                                           vd_property_structs, vd_property_struct_count);
}

#endif
