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

#include "chains.h"
#include "names.h"
#include "seeds.h"

#define EXTENSION_COUNT 2u

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

/* ---- Seeds */

static void make_capset(void)
{
    static const char extensions[] = "VK_KHR_maintenance1\0VK_KHR_maintenance2";
    struct {
        uint8_t kind;
        struct vd_capset capset;
    } __attribute__((packed)) *seed = calloc(1, sizeof(*seed));
    struct vd_capset capset = {.protocol_version = VD_PROTOCOL_VERSION,
                               .registry_version = VK_HEADER_VERSION_COMPLETE,
                               .extensions_size = sizeof(extensions)};
    memset(capset.opcodes, 0xff, sizeof(capset.opcodes));
    memcpy(capset.extensions, extensions, sizeof(extensions));
    while (capset.stype_count < vd_stype_count && capset.stype_count < VD_CAPSET_STYPES) {
        capset.stypes[capset.stype_count] = vd_stypes[capset.stype_count];
        capset.stype_count++;
    }
    memcpy(&seed->capset, &capset, sizeof(capset));
    write_variants(seed, 1 + offsetof(struct vd_capset, opcodes), 1); /* the rest is zero */
    write_seed(seed, sizeof(*seed));
    seed->capset.stypes[7] = 0;
    write_seed(seed, sizeof(*seed));
    free(seed);
}

/* A struct of each kind of chain, and one that is not known. */
static uint32_t put_chain(uint8_t *to, const struct vd_chain_struct *known)
{
    const struct vd_chain_entry entries[] = {
        {(uint32_t)known->type, (uint32_t)(known->wire_size - sizeof(VD_WIRE(VkBaseOutStructure)))},
        {1, 12}};
    uint32_t size = 0;
    for (int i = 0; i < 2; i++) {
        memcpy(to + size, &entries[i], sizeof(entries[i]));
        size += (uint32_t)(sizeof(entries[i]) + vd_align(entries[i].size));
    }
    return size;
}

/* Of two devices. */
static void make_devices(void)
{
    static uint8_t seed[16384];
    struct vd_physical_devices head = {.count = 2, .size = sizeof(head)};
    for (uint32_t i = 0; i < head.count; i++) {
        uint8_t *at = seed + 1 + head.size;
        struct vd_physical_device_data data = {
            .import_alignment = 4096,
            .extension_count = EXTENSION_COUNT,
            .extensions = sizeof(data),
            .queue_family_count = 1,
            .memory = {.memoryTypeCount = 2,
                       .memoryTypes = {{.heapIndex = 0}, {.heapIndex = 1}},
                       .memoryHeapCount = 2},
            .own_start = 4096,
            .core_properties = {.deviceName = "fuzz"},
        };
        const VkExtensionProperties extensions[EXTENSION_COUNT] = {{"VK_KHR_maintenance1", 1},
                                                                   {"VK_KHR_maintenance2", 1}};
        memcpy(at + data.extensions, extensions, sizeof(extensions));
        data.queue_families = data.extensions + (uint32_t)vd_align(sizeof(extensions));
        data.features = data.queue_families + (uint32_t)vd_align(sizeof(VkQueueFamilyProperties));
        data.features_size = put_chain(at + data.features, &vd_feature_structs[i]);
        data.properties = data.features + data.features_size;
        data.properties_size = put_chain(at + data.properties, &vd_property_structs[i]);
        data.size = data.properties + data.properties_size;
        memcpy(at, &data, sizeof(data));
        head.size += data.size;
    }
    seed[0] = 1;
    memcpy(seed + 1, &head, sizeof(head));
    write_variants(seed, 1 + head.size, 1);
    /* Names that do not end. */
    const uint8_t *name = memchr(seed, 'f', head.size);
    memset(seed + (name - seed), 'x', VK_MAX_PHYSICAL_DEVICE_NAME_SIZE);
    write_seed(seed, 1 + head.size);
    uint8_t *first = seed + 1 + sizeof(head) + sizeof(struct vd_physical_device_data);
    memset(first, 'x', VK_MAX_EXTENSION_NAME_SIZE);
    write_seed(seed, 1 + head.size);
}

void make_seeds(void)
{
    make_capset();
    make_devices();
}

/* ---- The target */

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
