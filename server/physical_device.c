/* SPDX-License-Identifier: MIT
 *
 * VD_OP_GET_PHYSICAL_DEVICES: everything about the host's physical devices, once.
 */
#define _GNU_SOURCE 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chains.h"
#include "context_private.h"
#include "execution.h"
#include "extensions.h"
#include "gpu_choice.h"
#include "instance.h"
#include "log.h"
#include "mapped_file.h"
#include "memory_way.h"
#include "names.h"
#include "opcodes.h"
#include "protocol/physical_device.h"
#include "shm.h"
#include "udmabuf.h"

/* ---- What there is */

static VkResult describe(const struct vds_instance *instance, struct vds_physical_device *pd)
{
    const struct vds_instance_dispatch *vk = &instance->dispatch;
    VkResult result =
        vk->vkEnumerateDeviceExtensionProperties(pd->handle, NULL, &pd->extension_count, NULL);
    if (result != VK_SUCCESS)
        return result;
    pd->extensions = calloc(pd->extension_count ? pd->extension_count : 1, sizeof(*pd->extensions));
    if (!pd->extensions)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    result = vk->vkEnumerateDeviceExtensionProperties(pd->handle, NULL, &pd->extension_count,
                                                      pd->extensions);
    if (result < 0)
        return result;

    VkPhysicalDeviceExternalMemoryHostPropertiesEXT host_memory = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT};
    const bool imports = vds_physical_device_has(pd, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME);
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
        .pNext = imports ? &host_memory : NULL,
    };
    vk->vkGetPhysicalDeviceProperties2(pd->handle, &properties);
    /* Whatever the patch number, no later version than the instance was created for. */
    const uint32_t limit = instance->api_version | 0xfff;
    pd->api_version =
        properties.properties.apiVersion < limit ? properties.properties.apiVersion : limit;
    if (imports && host_memory.minImportedHostPointerAlignment <= UINT32_MAX)
        pd->import_alignment = (uint32_t)host_memory.minImportedHostPointerAlignment;
    return VK_SUCCESS;
}

/* Whether --gpu means this device; its extensions are known. */
static bool is_wanted(const struct vds_instance *instance, const struct vds_physical_device *pd,
                      const char *gpu, uint32_t number)
{
    VkPhysicalDevicePCIBusInfoPropertiesEXT pci = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PCI_BUS_INFO_PROPERTIES_EXT};
    const bool on_pci = vds_physical_device_has(pd, VK_EXT_PCI_BUS_INFO_EXTENSION_NAME);
    VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES,
                                       .pNext = on_pci ? &pci : NULL};
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &id};
    if (!gpu)
        return true;
    instance->dispatch.vkGetPhysicalDeviceProperties2(pd->handle, &properties);
    struct vds_gpu_identity identity = {.number = number,
                                        .on_pci = on_pci,
                                        .domain = pci.pciDomain,
                                        .bus = pci.pciBus,
                                        .device = pci.pciDevice,
                                        .function = pci.pciFunction};
    strcpy(identity.name, properties.properties.deviceName);
    memcpy(identity.uuid, id.deviceUUID, sizeof(identity.uuid));
    return vds_gpu_is_wanted(gpu, &identity);
}

VkResult vds_physical_devices_init(struct vds_instance *instance, const char *gpu)
{
    const struct vds_instance_dispatch *vk = &instance->dispatch;
    uint32_t count = 0;
    VkResult result = vk->vkEnumeratePhysicalDevices(instance->handle, &count, NULL);
    if (result != VK_SUCCESS || count == 0) {
        vds_log(VDS_LOG_WARNING, "the host has no Vulkan device");
        return VK_SUCCESS;
    }
    VkPhysicalDevice *handles = calloc(count, sizeof(VkPhysicalDevice));
    instance->physical_devices = calloc(count, sizeof(*instance->physical_devices));
    if (!handles || !instance->physical_devices) {
        result = VK_ERROR_OUT_OF_HOST_MEMORY;
        goto free_handles;
    }
    result = vk->vkEnumeratePhysicalDevices(instance->handle, &count, handles);
    for (uint32_t i = 0; result >= 0 && i < count; i++) {
        struct vds_physical_device *pd =
            &instance->physical_devices[instance->physical_device_count];
        *pd = (struct vds_physical_device){.handle = handles[i]};
        result = describe(instance, pd);
        if (result >= 0 && is_wanted(instance, pd, gpu, i))
            instance->physical_device_count++;
        else
            free(pd->extensions);
    }
    if (result >= 0 && instance->physical_device_count == 0)
        vds_log(VDS_LOG_WARNING, "the host has %u Vulkan devices, and none is '%s'", count, gpu);
    if (result > 0)
        result = VK_SUCCESS;

free_handles:
    free(handles);
    return result;
}

void vds_physical_devices_finish(struct vds_instance *instance)
{
    for (uint32_t i = 0; i < instance->physical_device_count; i++)
        free(instance->physical_devices[i].extensions);
    free(instance->refusals);
    free(instance->physical_devices);
    instance->physical_devices = NULL;
    instance->physical_device_count = 0;
}

bool vds_physical_device_has(const struct vds_physical_device *pd, const char *extension)
{
    for (uint32_t i = 0; i < pd->extension_count; i++)
        if (strcmp(pd->extensions[i].extensionName, extension) == 0)
            return true;
    return false;
}

struct vds_physical_device *vds_physical_device_find(struct vds_instance *instance,
                                                     VkPhysicalDevice handle)
{
    for (uint32_t i = 0; i < instance->physical_device_count; i++)
        if (instance->physical_devices[i].handle == handle)
            return &instance->physical_devices[i];
    return NULL;
}

/* ---- Which of them a client can use */

static void find_way(struct vds_context *context, const struct vds_instance *instance,
                     struct vds_physical_device *pd)
{
    uint32_t among = context->options.memory ? context->options.memory : VDS_MEMORY_ANY_WAY;
    /* A guest has no descriptors of the host's. What it has registered is mapped here, and no file. */
    if (context->is_guest)
        among &= ~(1u << VDS_MEMORY_OWN | 1u << VDS_MEMORY_UDMABUF);
    if (!among)
        pd->way = (struct vds_memory_way){.why = "this way is not for virtual machines"};
    else
        vds_memory_way_find(context->get_instance_proc_addr, instance, pd, among,
                            !context->is_guest, context->options.ways, &pd->way);
}

void vds_physical_devices_probe(struct vds_context *context, struct vds_instance *instance)
{
    bool udmabuf = false, files = false;
    for (uint32_t i = 0; i < instance->physical_device_count; i++) {
        find_way(context, instance, &instance->physical_devices[i]);
        udmabuf |= instance->physical_devices[i].way.kind == VDS_MEMORY_UDMABUF;
        files |= instance->physical_devices[i].way.files != 0;
    }
    if (udmabuf)
        vds_shm_keep_files(context->shm);
    else
        vds_udmabuf_close();
    if (!files)
        vds_mapped_file_close();
}

/* Tells the log, and keeps the text for the client. */
static void refuse(struct vds_instance *instance, const struct vds_physical_device *pd)
{
    VkPhysicalDeviceDriverProperties driver = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {.sType =
                                                  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    if (vds_physical_device_has(pd, VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME))
        properties.pNext = &driver;
    instance->dispatch.vkGetPhysicalDeviceProperties2(pd->handle, &properties);
    char text[VK_MAX_PHYSICAL_DEVICE_NAME_SIZE + VK_MAX_DRIVER_NAME_SIZE + 256];
    snprintf(text, sizeof(text), "%s (driver %s) is not offered: no way to share its memory (%s)",
             properties.properties.deviceName, driver.driverName[0] ? driver.driverName : "unknown",
             pd->way.why);
    vds_log(VDS_LOG_WARNING, "%s", text);
    const uint32_t size = (uint32_t)strlen(text) + 1;
    char *all = realloc(instance->refusals, instance->refusals_size + size);
    if (!all)
        return;
    memcpy(all + instance->refusals_size, text, size);
    instance->refusals = all;
    instance->refusals_size += size;
}

static uint32_t find_incoherent(const struct vds_instance *instance,
                                const struct vds_physical_device *pd)
{
    const VkMemoryPropertyFlags both =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    VkPhysicalDeviceMemoryProperties memory;
    instance->dispatch.vkGetPhysicalDeviceMemoryProperties(pd->handle, &memory);
    uint32_t types = 0;
    for (uint32_t i = 0; i < memory.memoryTypeCount; i++)
        if ((memory.memoryTypes[i].propertyFlags & both) == VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT)
            types |= UINT32_C(1) << i;
    return types;
}

/* Before the client knows any of them. */
static void choose(struct vds_context *context, struct vds_instance *instance)
{
    if (instance->has_chosen)
        return;
    instance->has_chosen = true;
    vds_physical_devices_probe(context, instance);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < instance->physical_device_count; i++) {
        struct vds_physical_device *pd = &instance->physical_devices[i];
        if (pd->way.kind != VDS_MEMORY_NO_WAY) {
            pd->incoherent = find_incoherent(instance, pd);
            instance->physical_devices[kept++] = *pd;
            continue;
        }
        refuse(instance, pd);
        free(pd->extensions);
    }
    instance->physical_device_count = kept;
}

/* ---- The answer */

/* Bytes that grow; what is added is zeroed, and begins at a multiple of 8. */
struct blob {
    uint8_t *bytes;
    size_t size, capacity;
    bool failed;
};

/* The place of `size` new bytes, or 0 on failure; also 0 for the first ones. */
static size_t append(struct blob *blob, size_t size)
{
    size = vd_align(size);
    if (blob->failed)
        return 0;
    if (size > blob->capacity - blob->size) {
        const size_t capacity = (blob->capacity + size) * 2;
        uint8_t *bytes = realloc(blob->bytes, capacity);
        if (!bytes) {
            blob->failed = true;
            return 0;
        }
        blob->bytes = bytes;
        blob->capacity = capacity;
    }
    const size_t at = blob->size;
    memset(blob->bytes + at, 0, size);
    blob->size += size;
    return at;
}

static void append_bytes(struct blob *blob, const void *bytes, size_t size)
{
    const size_t at = append(blob, size);
    if (!blob->failed && size)
        memcpy(blob->bytes + at, bytes, size);
}

static bool applies(const struct vds_physical_device *pd, const struct vd_chain_struct *s)
{
    if (s->version && pd->api_version >= s->version)
        return true;
    for (const int *x = s->extensions; *x >= 0; x++)
        if (vds_physical_device_has(pd, vd_extensions[*x].name))
            return true;
    return false;
}

/* The structs that this device can fill, linked, in one piece of memory; NULL without memory. */
static VkBaseOutStructure *build_chain(const struct vds_physical_device *pd,
                                       const struct vd_chain_struct *structs, size_t count,
                                       uint8_t **memory)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += vd_align(structs[i].size);
    *memory = calloc(1, total ? total : 1);
    if (!*memory)
        return NULL;
    uint8_t *at = *memory;
    VkBaseOutStructure *first = NULL, **next = &first;
    for (size_t i = 0; i < count; i++) {
        if (!applies(pd, &structs[i]))
            continue;
        VkBaseOutStructure *link = (VkBaseOutStructure *)at;
        at += vd_align(structs[i].size);
        link->sType = structs[i].type;
        *next = link;
        next = &link->pNext;
    }
    return first;
}

static void append_chain(struct blob *blob, const VkBaseOutStructure *link,
                         const struct vd_chain_struct *structs, size_t count)
{
    for (size_t i = 0; link && i < count; i++) {
        /* The chain is in the table's order. */
        if (structs[i].type != link->sType)
            continue;
        const struct vd_chain_entry entry = {
            .type = (uint32_t)link->sType,
            .size = structs[i].size - (uint32_t)sizeof(VkBaseOutStructure),
        };
        append_bytes(blob, &entry, sizeof(entry));
        append_bytes(blob, link + 1, entry.size);
        link = link->pNext;
    }
}

static void append_features(struct blob *blob, const struct vds_instance_dispatch *vk,
                            const struct vds_physical_device *pd,
                            struct vd_physical_device_data *data)
{
    uint8_t *memory;
    VkPhysicalDeviceFeatures2 features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
        .pNext = build_chain(pd, vd_feature_structs, vd_feature_struct_count, &memory),
    };
    if (!memory) {
        blob->failed = true;
        return;
    }
    vk->vkGetPhysicalDeviceFeatures2(pd->handle, &features);
    data->core_features = features.features;
    append_chain(blob, features.pNext, vd_feature_structs, vd_feature_struct_count);
    free(memory);
}

static void append_properties(struct blob *blob, const struct vds_instance_dispatch *vk,
                              const struct vds_physical_device *pd,
                              struct vd_physical_device_data *data)
{
    uint8_t *memory;
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
        .pNext = build_chain(pd, vd_property_structs, vd_property_struct_count, &memory),
    };
    if (!memory) {
        blob->failed = true;
        return;
    }
    vk->vkGetPhysicalDeviceProperties2(pd->handle, &properties);
    data->core_properties = properties.properties;
    data->core_properties.apiVersion = pd->api_version;
    append_chain(blob, properties.pNext, vd_property_structs, vd_property_struct_count);
    free(memory);
}

static void append_queue_families(struct blob *blob, const struct vds_instance_dispatch *vk,
                                  const struct vds_physical_device *pd,
                                  struct vd_physical_device_data *data)
{
    uint32_t count = 0;
    vk->vkGetPhysicalDeviceQueueFamilyProperties(pd->handle, &count, NULL);
    const size_t at = append(blob, count * sizeof(VkQueueFamilyProperties));
    if (!blob->failed) {
        vk->vkGetPhysicalDeviceQueueFamilyProperties(pd->handle, &count,
                                                     (VkQueueFamilyProperties *)(blob->bytes + at));
        data->queue_family_count = count;
    }
}

static void append_device(struct vds_context *context, struct blob *blob,
                          const struct vds_physical_device *pd)
{
    const struct vds_instance_dispatch *vk = &context->instance->dispatch;
    struct vd_physical_device_data data = {
        .own_types = pd->way.kind == VDS_MEMORY_OWN ? pd->way.types : 0,
        .handle_type = pd->way.handle_type,
        .own_start = pd->way.start,
        .importable = pd->way.kind == VDS_MEMORY_OWN ? 0 : pd->way.types,
        .import_alignment = pd->way.alignment,
        .file_types = pd->way.files,
    };
    const size_t start = append(blob, sizeof(data));
    vk->vkGetPhysicalDeviceMemoryProperties(pd->handle, &data.memory);

    data.extensions = (uint32_t)(blob->size - start);
    data.extension_count = pd->extension_count;
    append_bytes(blob, pd->extensions, pd->extension_count * sizeof(*pd->extensions));

    data.queue_families = (uint32_t)(blob->size - start);
    append_queue_families(blob, vk, pd, &data);

    data.features = (uint32_t)(blob->size - start);
    append_features(blob, vk, pd, &data);
    data.features_size = (uint32_t)(blob->size - start) - data.features;

    data.properties = (uint32_t)(blob->size - start);
    append_properties(blob, vk, pd, &data);
    data.properties_size = (uint32_t)(blob->size - start) - data.properties;

    data.size = (uint32_t)(blob->size - start);
    if (!blob->failed)
        memcpy(blob->bytes + start, &data, sizeof(data));
}

/* Gives ids to the first devices that have none. False: malformed. */
static bool name_devices(struct vds_execution *x, const uint64_t *ids, uint32_t count)
{
    struct vds_instance *instance = x->context->instance;
    for (uint32_t i = 0; i < count; i++) {
        struct vds_physical_device *pd = &instance->physical_devices[i];
        if (pd->id)
            continue;
        if (vd_id_type(ids[i]) != VD_TYPE_VkPhysicalDevice ||
            !vds_object_add(&x->context->objects, ids[i], (uintptr_t)pd->handle, 0, 0, NULL))
            return vds_dec_fail(&x->decoder, "an id that can not be given");
        pd->id = ids[i];
    }
    return true;
}

bool vds_decode_get_physical_devices(struct vds_decoder *d, void *body)
{
    const struct vd_get_physical_devices *args = body;
    if (args->id_count > (d->size - d->cursor) / sizeof(uint64_t))
        return vds_dec_fail(d, "a list of ids that does not fit");
    d->cursor += args->id_count * (uint32_t)sizeof(uint64_t);
    if (vd_align(args->capacity) != d->out_size ||
        args->capacity < sizeof(struct vd_physical_devices))
        return vds_dec_fail(d, "a capacity that is not the output area's");
    d->out_cursor = d->out_size;
    return true;
}

void vds_call_get_physical_devices(struct vds_execution *x, void *body)
{
    const struct vd_get_physical_devices *args = body;
    struct vds_instance *instance = x->context->instance;
    if (!instance) {
        vds_dec_fail(&x->decoder, "before vkCreateInstance");
        return;
    }
    choose(x->context, instance);
    const uint32_t named = args->id_count < instance->physical_device_count
                               ? args->id_count
                               : instance->physical_device_count;
    if (!name_devices(x, (const uint64_t *)(args + 1), named))
        return;
    struct blob blob = {0};
    append(&blob, sizeof(struct vd_physical_devices));
    for (uint32_t i = 0; i < named; i++)
        append_device(x->context, &blob, &instance->physical_devices[i]);
    if (named == instance->physical_device_count)
        append_bytes(&blob, instance->refusals, instance->refusals_size);
    if (blob.failed) {
        vds_dec_fail(&x->decoder, "no memory for the properties of the devices");
    } else {
        const struct vd_physical_devices head = {
            .count = instance->physical_device_count,
            .size = (uint32_t)blob.size,
        };
        memcpy(blob.bytes, &head, sizeof(head));
        memcpy(x->decoder.out, blob.bytes, blob.size <= args->capacity ? blob.size : sizeof(head));
    }
    free(blob.bytes);
}
