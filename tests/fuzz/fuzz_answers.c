/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: what a server says of itself and of its devices. A first byte that is odd makes the rest
 * an answer to GET_PHYSICAL_DEVICES, which is then read to the end as the driver reads it; an even one
 * makes it a capset.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "icd/peer.h"
#include "icd/physical_device_data.h"
#include "icd/transport.h"
#include "protocol/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint32_t sum;

static void touch(const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        sum += ((const uint8_t *)bytes)[i];
}

static void walk(const uint8_t *at, uint32_t size)
{
    for (const uint8_t *end = at + size; at < end;) {
        const struct vd_chain_entry *entry = (const struct vd_chain_entry *)at;
        touch(entry + 1, entry->size);
        at += sizeof(*entry) + vd_align(entry->size);
    }
}

static void read_devices(uint8_t *blob, size_t size)
{
    uint32_t count = 8;
    if (vdc_physical_devices_check(blob, size, &count))
        return;
    const uint8_t *at = blob + sizeof(struct vd_physical_devices);
    while (count--) {
        const struct vd_physical_device_data *data = (const struct vd_physical_device_data *)at;
        const VkExtensionProperties *extensions =
            (const VkExtensionProperties *)(at + data->extensions);
        for (uint32_t i = 0; i < data->extension_count; i++)
            sum += (uint32_t)strlen(extensions[i].extensionName);
        touch(at + data->queue_families,
              data->queue_family_count * sizeof(VkQueueFamilyProperties));
        walk(at + data->features, data->features_size);
        walk(at + data->properties, data->properties_size);
        for (uint32_t i = 0; i < data->memory.memoryTypeCount; i++)
            touch(&data->memory.memoryHeaps[data->memory.memoryTypes[i].heapIndex],
                  sizeof(VkMemoryHeap));
        at += data->size;
    }
}

static void read_capset(const uint8_t *bytes, size_t size)
{
    struct vd_capset *capset = calloc(1, sizeof(*capset));
    memcpy(capset, bytes, size < sizeof(*capset) ? size : sizeof(*capset));
    struct vdc_peer peer;
    if (vdc_capset_is_valid(capset) && vdc_peer_init(&peer, capset)) {
        sum += vdc_peer_knows_extension(&peer, "VK_KHR_maintenance1");
        sum += vdc_peer_knows_command(&peer, 100);
        sum += vdc_peer_knows_struct(&peer, VK_STRUCTURE_TYPE_SUBMIT_INFO);
        vdc_peer_finish(&peer);
    }
    free(capset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    uint8_t *copy = malloc(size);
    memcpy(copy, data + 1, size - 1);
    if (data[0] & 1)
        read_devices(copy, size - 1);
    else
        read_capset(copy, size - 1);
    free(copy);
    return 0;
}
