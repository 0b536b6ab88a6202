/* SPDX-License-Identifier: MIT */
#include "physical_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "calls.h"
#include "chain.h"
#include "chains.h"
#include "entrypoints.h"
#include "extensions.h"
#include "host_pages.h"
#include "log.h"
#include "opcodes.h"

static const void *entry_in(const struct vd_physical_device *pd, uint32_t offset, uint32_t size,
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

const void *vd_physical_device_property(const struct vd_physical_device *pd, VkStructureType type,
                                        uint32_t *size)
{
    return entry_in(pd, pd->data->properties, pd->data->properties_size, type, size);
}

const void *vd_physical_device_feature(const struct vd_physical_device *pd, VkStructureType type,
                                       uint32_t *size)
{
    return entry_in(pd, pd->data->features, pd->data->features_size, type, size);
}

/* -- what the application may not have --------------------------------------------------------- */

/* Features that cannot cross although their extension does. */
static const struct {
    VkStructureType type;
    uint32_t offset; /* of the VkBool32 behind sType and pNext */
    const char *reason;
} masked_features[] = {
    {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ACCELERATION_STRUCTURE_FEATURES_KHR,
     offsetof(VkPhysicalDeviceAccelerationStructureFeaturesKHR, accelerationStructureHostCommands) -
         16,
     "host addresses never pass"},
    {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_OPACITY_MICROMAP_FEATURES_EXT,
     offsetof(VkPhysicalDeviceOpacityMicromapFeaturesEXT, micromapHostCommands) - 16,
     "host addresses never pass"},
};

static void mask_features(struct vd_physical_device *pd)
{
    for (size_t i = 0; i < sizeof(masked_features) / sizeof(masked_features[0]); i++) {
        uint32_t size;
        uint8_t *body = (uint8_t *)vd_physical_device_feature(pd, masked_features[i].type, &size);
        if (body && masked_features[i].offset + sizeof(VkBool32) <= size)
            memset(body + masked_features[i].offset, 0, sizeof(VkBool32));
    }
}

/* Identity passes through; names say Viaduct. */
static void rename_driver(struct vd_physical_device *pd, VkStructureType type, size_t name_offset,
                          size_t info_offset)
{
    uint32_t size;
    uint8_t *body = (uint8_t *)vd_physical_device_property(pd, type, &size);
    if (!body || info_offset + VK_MAX_DRIVER_INFO_SIZE > size)
        return;
    char host[2 * VK_MAX_DRIVER_NAME_SIZE];
    snprintf(host, sizeof(host), "on %s %s", (char *)body + name_offset,
             (char *)body + info_offset);
    memset(body + name_offset, 0, VK_MAX_DRIVER_NAME_SIZE);
    memset(body + info_offset, 0, VK_MAX_DRIVER_INFO_SIZE);
    memcpy(body + name_offset, "Viaduct", sizeof("Viaduct"));
    snprintf((char *)body + info_offset, VK_MAX_DRIVER_INFO_SIZE, "%.*s",
             VK_MAX_DRIVER_INFO_SIZE - 1, host);
}

static void rename_device(struct vd_physical_device *pd)
{
    char name[VK_MAX_PHYSICAL_DEVICE_NAME_SIZE];
    memcpy(name, pd->data->core_properties.deviceName, sizeof(name));
    name[sizeof(name) - 1] = 0;
    memset(pd->properties.deviceName, 0, sizeof(pd->properties.deviceName));
    snprintf(pd->properties.deviceName, sizeof(pd->properties.deviceName), "Viaduct (%.*s)",
             (int)sizeof(name) - 11, name);
    rename_driver(pd, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES,
                  offsetof(VkPhysicalDeviceDriverProperties, driverName) - 16,
                  offsetof(VkPhysicalDeviceDriverProperties, driverInfo) - 16);
    rename_driver(pd, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES,
                  offsetof(VkPhysicalDeviceVulkan12Properties, driverName) - 16,
                  offsetof(VkPhysicalDeviceVulkan12Properties, driverInfo) - 16);
}

static bool peer_knows(const struct vd_capset *capset, const char *name)
{
    const char *at = capset->extensions;
    const char *end = at + capset->extensions_size;
    while (at < end && *at) {
        if (!strcmp(at, name))
            return true;
        at += strnlen(at, (size_t)(end - at)) + 1;
    }
    return false;
}

static void choose_extensions(struct vd_physical_device *pd)
{
    const struct vd_physical_device_data *data = pd->data;
    const struct vd_capset *capset = vdc_link_capset(&pd->base.instance->connection->link);
    const bool same_kernel = vdc_link_same_kernel(&pd->base.instance->connection->link);
    const VkExtensionProperties *list =
        (const VkExtensionProperties *)((const uint8_t *)data + data->extensions);
    for (uint32_t i = 0; i < data->extension_count; i++) {
        const int index = vd_extension_find(list[i].extensionName);
        if (index >= 0 && vd_extensions[index].device &&
            vd_extensions[index].way == VD_EXTENSION_FORWARDED &&
            (same_kernel || !vd_extensions[index].same_kernel) &&
            peer_knows(capset, list[i].extensionName))
            pd->extensions[index] = list[i].specVersion;
    }
    if (pd->extensions[VD_EXT_EXT_external_memory_host] && !vd_host_pages_available())
        pd->extensions[VD_EXT_EXT_external_memory_host] = 0;
    for (int i = 0; i < VD_EXT_COUNT; i++)
        if (vd_extensions[i].device && vd_extensions[i].way == VD_EXTENSION_CLIENT &&
            (!vd_extensions[i].same_kernel ||
             (same_kernel && peer_knows(capset, vd_extensions[i].name))))
            pd->extensions[i] = vd_extensions[i].spec_version;
    for (int i = 0; i < VD_EXT_COUNT; i++)
        pd->extension_count += pd->extensions[i] != 0;
}

/* Adds a type: as the specification wants it, before those that have all of its properties and more,
 * else behind the others. */
static void show_type(struct vd_physical_device *pd, VkMemoryPropertyFlags flags, uint32_t heap,
                      struct vd_memory_type type)
{
    VkPhysicalDeviceMemoryProperties *shown = &pd->memory;
    if (shown->memoryTypeCount == VK_MAX_MEMORY_TYPES)
        return;
    uint32_t at = 0;
    while (at < shown->memoryTypeCount && (shown->memoryTypes[at].propertyFlags == flags ||
                                           (shown->memoryTypes[at].propertyFlags & flags) != flags))
        at++;
    const uint32_t behind = shown->memoryTypeCount++ - at;
    memmove(&shown->memoryTypes[at + 1], &shown->memoryTypes[at], behind * sizeof(VkMemoryType));
    memmove(&pd->memory_types[at + 1], &pd->memory_types[at], behind * sizeof(type));
    shown->memoryTypes[at] = (VkMemoryType){.propertyFlags = flags, .heapIndex = heap};
    pd->memory_types[at] = type;
}

/* Shows each type of the host that we can keep promises for, in the host's order, so that applications
 * decide as they do natively. */
static void choose_memory_types(struct vd_physical_device *pd)
{
    const VkPhysicalDeviceMemoryProperties *host = &pd->data->memory;
    memcpy(pd->memory.memoryHeaps, host->memoryHeaps, sizeof(host->memoryHeaps));
    pd->memory.memoryHeapCount = host->memoryHeapCount;
    const VkMemoryPropertyFlags mapped = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                         VK_MEMORY_PROPERTY_HOST_COHERENT_BIT |
                                         VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    for (uint32_t i = 0; i < host->memoryTypeCount; i++) {
        const VkMemoryPropertyFlags flags = host->memoryTypes[i].propertyFlags;
        const uint32_t heap = host->memoryTypes[i].heapIndex;
        const bool visible = flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
        const bool imported = visible && pd->data->importable & (1u << i);
        /* Memory of the host's alone; that of the host's side nobody here could reach. */
        if (!visible || flags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT)
            show_type(pd, flags & ~mapped, heap,
                      (struct vd_memory_type){.host_index = i, .spare = imported});
        if (imported)
            show_type(pd, flags, heap, (struct vd_memory_type){.host_index = i, .imported = true});
    }
}

enum vd_backing vd_physical_device_backing(const struct vd_physical_device *pd,
                                           VkExternalMemoryHandleTypeFlags types)
{
    /* Servers that know shared fences know files that a client brings. */
    const bool of_client = pd->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU &&
                           pd->extensions[VD_EXT_KHR_external_fence_fd];
    switch ((int)types) {
    case 0:
    case VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT:
        return VD_BACKING_ANY;
    case VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT:
        return of_client ? VD_BACKING_CLIENT : VD_BACKING_HOST;
    default:
        return VD_BACKING_HOST;
    }
}

uint32_t vd_memory_bits(const struct vd_physical_device *pd, uint32_t host_bits,
                        enum vd_backing backing)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < pd->memory.memoryTypeCount; i++) {
        const struct vd_memory_type *type = &pd->memory_types[i];
        if (host_bits & (1u << type->host_index) &&
            backing != (type->imported ? VD_BACKING_HOST : VD_BACKING_CLIENT) &&
            !(type->spare && backing == VD_BACKING_ANY))
            bits |= 1u << i;
    }
    return bits;
}

/* -- fetching --------------------------------------------------------------------------------- */

#define IDS_ASKED 8u

/* One round trip; *blob is the caller's to free. */
static VkResult fetch(struct vd_instance *instance, const uint64_t *ids, uint32_t capacity,
                      uint8_t **blob)
{
    struct vd_call call;
    const size_t size = sizeof(struct vd_get_physical_devices) + IDS_ASKED * sizeof(*ids);
    VkResult result =
        vd_call_begin(&call, instance, VD_OP_GET_PHYSICAL_DEVICES, size, VD_CALL_SYNC);
    if (result != VK_SUCCESS)
        return result;
    const struct vd_get_physical_devices args = {.id_count = IDS_ASKED, .capacity = capacity};
    memcpy(call.encoder.base + call.encoder.at, &args, sizeof(args));
    memcpy(call.encoder.base + call.encoder.at + sizeof(args), ids, IDS_ASKED * sizeof(*ids));
    call.encoder.out_size = capacity;
    result = vd_call_wait(&call);
    if (result == VK_SUCCESS) {
        *blob = malloc(capacity);
        if (*blob)
            memcpy(*blob, call.fill.out, capacity);
        else
            result = VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    vd_call_end(&call);
    return result;
}

static VkResult device_init(struct vd_physical_device *pd, struct vd_instance *instance,
                            uint64_t id, const uint8_t *at)
{
    vd_dispatchable_init(&pd->base, id, instance, NULL);
    pd->data = (const struct vd_physical_device_data *)at;
    pd->extensions = calloc(VD_EXT_COUNT, sizeof(*pd->extensions));
    vd_memo_init(&pd->formats);
    vd_memo_init(&pd->image_formats);
    vd_memo_init(&pd->importable_images);
    if (!pd->extensions)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    pd->properties = pd->data->core_properties;
    pd->features = pd->data->core_features;
    if (pd->properties.apiVersion > VD_REGISTRY_VERSION)
        pd->properties.apiVersion = VD_REGISTRY_VERSION;
    rename_device(pd);
    mask_features(pd);
    choose_extensions(pd);
    choose_memory_types(pd);
    return VK_SUCCESS;
}

VkResult vd_physical_devices_fetch(struct vd_instance *instance)
{
    pthread_mutex_lock(&instance->lock);
    const bool done = instance->enumerated;
    pthread_mutex_unlock(&instance->lock);
    if (done)
        return VK_SUCCESS;
    uint64_t ids[IDS_ASKED];
    for (uint32_t i = 0; i < IDS_ASKED; i++)
        ids[i] = vd_id_new(instance, VD_TYPE_VkPhysicalDevice, 0);
    uint8_t *blob = NULL;
    uint32_t capacity = 128u << 10;
    VkResult result = fetch(instance, ids, capacity, &blob);
    if (result == VK_SUCCESS && ((struct vd_physical_devices *)blob)->size > capacity) {
        capacity = (uint32_t)vd_align(((struct vd_physical_devices *)blob)->size);
        free(blob);
        blob = NULL;
        result = fetch(instance, ids, capacity, &blob);
    }
    if (result != VK_SUCCESS)
        return result;

    const struct vd_physical_devices *head = (const struct vd_physical_devices *)blob;
    uint32_t count = head->count < IDS_ASKED ? head->count : IDS_ASKED;
    struct vd_physical_device *devices = calloc(count ? count : 1, sizeof(*devices));
    if (!devices)
        result = VK_ERROR_OUT_OF_HOST_MEMORY;
    uint8_t *at = blob + sizeof(*head);
    for (uint32_t i = 0; i < count && result == VK_SUCCESS; i++) {
        devices[i].blob = i == 0 ? blob : NULL;
        result = device_init(&devices[i], instance, ids[i], at);
        at += ((const struct vd_physical_device_data *)at)->size;
    }
    pthread_mutex_lock(&instance->lock);
    instance->physical_devices = devices;
    instance->physical_device_count = count;
    instance->enumerated = result == VK_SUCCESS;
    pthread_mutex_unlock(&instance->lock);
    if (!count)
        free(blob);
    return result;
}

void vdc_physical_devices_finish(struct vd_instance *instance)
{
    struct vd_physical_device *devices = instance->physical_devices;
    for (uint32_t i = 0; i < instance->physical_device_count; i++) {
        free(devices[i].extensions);
        vd_memo_finish(&devices[i].formats);
        vd_memo_finish(&devices[i].image_formats);
        vd_memo_finish(&devices[i].importable_images);
        free(devices[i].blob);
    }
    free(devices);
}

/* -- enumeration ------------------------------------------------------------------------------ */

VKAPI_ATTR VkResult VKAPI_CALL vd_vkEnumeratePhysicalDevices(VkInstance handle, uint32_t *pCount,
                                                             VkPhysicalDevice *pDevices)
{
    struct vd_instance *instance = (struct vd_instance *)handle;
    const VkResult result = vd_physical_devices_fetch(instance);
    if (result != VK_SUCCESS)
        return result == VK_ERROR_DEVICE_LOST ? VK_ERROR_INITIALIZATION_FAILED : result;
    const uint32_t have = instance->physical_device_count;
    const uint32_t n = pDevices && *pCount < have ? *pCount : have;
    for (uint32_t i = 0; pDevices && i < n; i++)
        pDevices[i] = (VkPhysicalDevice)&instance->physical_devices[i];
    *pCount = n;
    return n < have ? VK_INCOMPLETE : VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkEnumeratePhysicalDeviceGroups(
    VkInstance handle, uint32_t *pCount, VkPhysicalDeviceGroupProperties *pGroups)
{
    struct vd_instance *instance = (struct vd_instance *)handle;
    const VkResult result = vd_physical_devices_fetch(instance);
    if (result != VK_SUCCESS)
        return result == VK_ERROR_DEVICE_LOST ? VK_ERROR_INITIALIZATION_FAILED : result;
    const uint32_t have = instance->physical_device_count;
    const uint32_t n = pGroups && *pCount < have ? *pCount : have;
    for (uint32_t i = 0; pGroups && i < n; i++) {
        pGroups[i].physicalDeviceCount = 1;
        memset(pGroups[i].physicalDevices, 0, sizeof(pGroups[i].physicalDevices));
        pGroups[i].physicalDevices[0] = (VkPhysicalDevice)&instance->physical_devices[i];
        pGroups[i].subsetAllocation = VK_FALSE;
    }
    *pCount = n;
    return n < have ? VK_INCOMPLETE : VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL
vd_vkEnumerateDeviceExtensionProperties(VkPhysicalDevice handle, const char *pLayerName,
                                        uint32_t *pCount, VkExtensionProperties *pProperties)
{
    const struct vd_physical_device *pd = (const struct vd_physical_device *)handle;
    if (pLayerName) {
        *pCount = 0;
        return VK_SUCCESS;
    }
    uint32_t count = 0;
    for (int i = 0; i < VD_EXT_COUNT; i++) {
        if (!pd->extensions[i])
            continue;
        if (pProperties && count == *pCount)
            return VK_INCOMPLETE;
        if (pProperties) {
            pProperties[count] = (VkExtensionProperties){.specVersion = pd->extensions[i]};
            strncpy(pProperties[count].extensionName, vd_extensions[i].name,
                    VK_MAX_EXTENSION_NAME_SIZE - 1);
        }
        count++;
    }
    *pCount = count;
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkEnumerateDeviceLayerProperties(VkPhysicalDevice physicalDevice,
                                                                   uint32_t *pPropertyCount,
                                                                   VkLayerProperties *pProperties)
{
    (void)physicalDevice;
    (void)pProperties;
    *pPropertyCount = 0;
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL
vd_vkGetPhysicalDeviceToolProperties(VkPhysicalDevice physicalDevice, uint32_t *pToolCount,
                                     VkPhysicalDeviceToolProperties *pToolProperties)
{
    (void)physicalDevice;
    (void)pToolProperties;
    *pToolCount = 0;
    return VK_SUCCESS;
}

/* -- features and properties ------------------------------------------------------------------ */

static const struct vd_chain_struct *find_struct(const struct vd_chain_struct *structs,
                                                 size_t count, VkStructureType type)
{
    for (size_t i = 0; i < count; i++)
        if (structs[i].type == type)
            return &structs[i];
    return NULL;
}

static void fill_own_features(const struct vd_chain_struct *known, VkBaseOutStructure *out)
{
    VkBool32 *features = (VkBool32 *)(out + 1);
    /* A whole number of pointers: behind an odd number of features there is padding. */
    for (size_t i = 0; i < (known->size - sizeof(*out)) / sizeof(*features); i++)
        features[i] = VK_TRUE;
}

/* Fills every struct of a chain that was fetched at start. The body of a struct follows its sType
 * and pNext. */
static void fill_chain(const struct vd_physical_device *pd, VkBaseOutStructure *out, bool features)
{
    for (; out; out = out->pNext) {
        uint32_t size = 0;
        const void *body = features ? vd_physical_device_feature(pd, out->sType, &size)
                                    : vd_physical_device_property(pd, out->sType, &size);
        if (body) {
            memcpy(out + 1, body, size);
            continue;
        }
        const struct vd_chain_struct *own =
            features ? find_struct(vd_own_feature_structs, vd_own_feature_struct_count, out->sType)
                     : NULL;
        if (own) {
            fill_own_features(own, out);
            continue;
        }
        /* A struct that the host does not know, but we do, says no. */
        const struct vd_chain_struct *known =
            features ? find_struct(vd_feature_structs, vd_feature_struct_count, out->sType)
                     : find_struct(vd_property_structs, vd_property_struct_count, out->sType);
        if (known)
            memset(out + 1, 0, known->size - sizeof(*out));
    }
}

VKAPI_ATTR void VKAPI_CALL vd_vkGetPhysicalDeviceFeatures2(VkPhysicalDevice handle,
                                                           VkPhysicalDeviceFeatures2 *pFeatures)
{
    const struct vd_physical_device *pd = (const struct vd_physical_device *)handle;
    pFeatures->features = pd->features;
    fill_chain(pd, pFeatures->pNext, true);
}

/* Whether the host must be asked: structs with lists of their own were not fetched at start. */
static bool needs_host(const struct vd_physical_device *pd, const VkBaseOutStructure *out)
{
    (void)pd;
    for (; out; out = out->pNext) {
        switch ((int)out->sType) {
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_4_PROPERTIES:
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_HOST_IMAGE_COPY_PROPERTIES:
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_LAYERED_API_PROPERTIES_LIST_KHR:
            return true;
        }
    }
    return false;
}

VKAPI_ATTR void VKAPI_CALL
vd_vkGetPhysicalDeviceProperties2(VkPhysicalDevice handle, VkPhysicalDeviceProperties2 *pProperties)
{
    const struct vd_physical_device *pd = (const struct vd_physical_device *)handle;
    if (needs_host(pd, pProperties->pNext))
        vd_call_vkGetPhysicalDeviceProperties2(handle, pProperties);
    pProperties->properties = pd->properties;
    fill_chain(pd, pProperties->pNext, false);
}

VKAPI_ATTR void VKAPI_CALL vd_vkGetPhysicalDeviceQueueFamilyProperties2(
    VkPhysicalDevice handle, uint32_t *pCount, VkQueueFamilyProperties2 *pProperties)
{
    if (pProperties) {
        bool chained = false;
        for (uint32_t i = 0; i < *pCount; i++)
            chained = chained || pProperties[i].pNext;
        if (chained) {
            vd_call_vkGetPhysicalDeviceQueueFamilyProperties2(handle, pCount, pProperties);
            return;
        }
    }
    const struct vd_physical_device *pd = (const struct vd_physical_device *)handle;
    const VkQueueFamilyProperties *families =
        (const VkQueueFamilyProperties *)((const uint8_t *)pd->data + pd->data->queue_families);
    const uint32_t have = pd->data->queue_family_count;
    const uint32_t n = pProperties && *pCount < have ? *pCount : have;
    for (uint32_t i = 0; pProperties && i < n; i++)
        pProperties[i].queueFamilyProperties = families[i];
    *pCount = n;
}

VKAPI_ATTR void VKAPI_CALL vd_vkGetPhysicalDeviceMemoryProperties2(
    VkPhysicalDevice handle, VkPhysicalDeviceMemoryProperties2 *pProperties)
{
    if (pProperties->pNext) /* budgets change */
        vd_call_vkGetPhysicalDeviceMemoryProperties2(handle, pProperties);
    pProperties->memoryProperties = ((const struct vd_physical_device *)handle)->memory;
}

/* -- formats ---------------------------------------------------------------------------------- */

VKAPI_ATTR void VKAPI_CALL vd_vkGetPhysicalDeviceFormatProperties2(VkPhysicalDevice handle,
                                                                   VkFormat format,
                                                                   VkFormatProperties2 *pProperties)
{
    struct vd_memo *memo = &((struct vd_physical_device *)handle)->formats;
    VkFormatProperties *properties = &pProperties->formatProperties;
    struct vd_memo_entry *entry =
        pProperties->pNext ? NULL : vd_memo_find(memo, &format, sizeof(format));
    if (vd_memo_get(entry, properties, sizeof(*properties)))
        return;
    vd_call_vkGetPhysicalDeviceFormatProperties2(handle, format, pProperties);
    if (!vd_connection_lost(vd_instance_of(handle)->connection))
        vd_memo_put(memo, entry, properties, sizeof(*properties));
}

/* Of images that nothing else is said or asked about. */
static VkResult image_format(VkPhysicalDevice handle, const VkPhysicalDeviceImageFormatInfo2 *info,
                             VkImageFormatProperties2 *properties)
{
    struct vd_memo *memo = &((struct vd_physical_device *)handle)->image_formats;
    const uint32_t key[] = {(uint32_t)info->format, (uint32_t)info->type, (uint32_t)info->tiling,
                            info->usage, info->flags};
    struct {
        VkImageFormatProperties properties;
        VkResult result;
    } value;
    struct vd_memo_entry *entry = vd_memo_find(memo, key, sizeof(key));
    if (!vd_memo_get(entry, &value, sizeof(value))) {
        memset(&value, 0, sizeof(value));
        value.result = vd_call_vkGetPhysicalDeviceImageFormatProperties2(handle, info, properties);
        if (value.result == VK_SUCCESS)
            value.properties = properties->imageFormatProperties;
        /* What the host says of itself stays true; an error of the moment does not. */
        if (value.result == VK_SUCCESS || value.result == VK_ERROR_FORMAT_NOT_SUPPORTED)
            vd_memo_put(memo, entry, &value, sizeof(value));
    }
    properties->imageFormatProperties = value.properties;
    return value.result;
}

/* -- external handles: nobody may be told that others than those that cross work --------------- */

static VkExternalMemoryHandleTypeFlags crossing(const struct vd_physical_device *pd)
{
    VkExternalMemoryHandleTypeFlags types = 0;
    if (pd->extensions[VD_EXT_KHR_external_memory_fd])
        types |= VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT;
    if (pd->extensions[VD_EXT_EXT_external_memory_dma_buf])
        types |= VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT;
    if (pd->extensions[VD_EXT_EXT_external_memory_host])
        types |= VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;
    return types;
}

static void restrict_types(const struct vd_physical_device *pd, VkExternalMemoryProperties *out)
{
    out->exportFromImportedHandleTypes &= crossing(pd);
    out->compatibleHandleTypes &= crossing(pd);
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkGetPhysicalDeviceImageFormatProperties2(
    VkPhysicalDevice handle, const VkPhysicalDeviceImageFormatInfo2 *info,
    VkImageFormatProperties2 *properties)
{
    const struct vd_physical_device *pd = (const struct vd_physical_device *)handle;
    const VkPhysicalDeviceExternalImageFormatInfo *external =
        vd_chain_find(info->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO);
    if (external && (external->handleType & ~crossing(pd)))
        return VK_ERROR_FORMAT_NOT_SUPPORTED;
    if (!info->pNext && !properties->pNext)
        return image_format(handle, info, properties);
    const VkResult result =
        vd_call_vkGetPhysicalDeviceImageFormatProperties2(handle, info, properties);
    VkExternalImageFormatProperties *out = (void *)vd_chain_find(
        properties->pNext, VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES);
    if (out)
        restrict_types(pd, &out->externalMemoryProperties);
    return result;
}

VKAPI_ATTR void VKAPI_CALL vd_vkGetPhysicalDeviceExternalBufferProperties(
    VkPhysicalDevice handle, const VkPhysicalDeviceExternalBufferInfo *info,
    VkExternalBufferProperties *properties)
{
    const struct vd_physical_device *pd = (const struct vd_physical_device *)handle;
    if (info->handleType & ~crossing(pd)) {
        properties->externalMemoryProperties = (VkExternalMemoryProperties){
            .compatibleHandleTypes = info->handleType,
        };
        return;
    }
    vd_call_vkGetPhysicalDeviceExternalBufferProperties(handle, info, properties);
    restrict_types(pd, &properties->externalMemoryProperties);
}

VKAPI_ATTR void VKAPI_CALL vd_vkGetPhysicalDeviceExternalFenceProperties(
    VkPhysicalDevice handle, const VkPhysicalDeviceExternalFenceInfo *info,
    VkExternalFenceProperties *properties)
{
    const struct vd_physical_device *pd = (const struct vd_physical_device *)handle;
    const bool shared = pd->extensions[VD_EXT_KHR_external_fence_fd] &&
                        info->handleType == VK_EXTERNAL_FENCE_HANDLE_TYPE_OPAQUE_FD_BIT;
    properties->exportFromImportedHandleTypes = shared ? info->handleType : 0;
    properties->compatibleHandleTypes = shared ? info->handleType : 0;
    properties->externalFenceFeatures =
        shared ? VK_EXTERNAL_FENCE_FEATURE_EXPORTABLE_BIT | VK_EXTERNAL_FENCE_FEATURE_IMPORTABLE_BIT
               : 0;
}

VKAPI_ATTR void VKAPI_CALL vd_vkGetPhysicalDeviceExternalSemaphoreProperties(
    VkPhysicalDevice handle, const VkPhysicalDeviceExternalSemaphoreInfo *info,
    VkExternalSemaphoreProperties *properties)
{
    const struct vd_physical_device *pd = (const struct vd_physical_device *)handle;
    const VkExternalSemaphoreHandleTypeFlags crossing =
        pd->extensions[VD_EXT_KHR_external_semaphore_fd]
            ? VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_OPAQUE_FD_BIT |
                  VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT
            : 0;
    if (info->handleType & crossing)
        vd_call_vkGetPhysicalDeviceExternalSemaphoreProperties(handle, info, properties);
    else
        properties->externalSemaphoreFeatures = 0;
    if (properties->externalSemaphoreFeatures == 0) {
        properties->exportFromImportedHandleTypes = 0;
        properties->compatibleHandleTypes = 0;
    }
    properties->exportFromImportedHandleTypes &= crossing;
    properties->compatibleHandleTypes &= crossing;
}
