/* SPDX-License-Identifier: MIT */
#include "physical_device_fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "chains.h"
#include "extensions.h"
#include "host_pages.h"
#include "log.h"
#include "memory_types.h"
#include "opcodes.h"
#include "physical_device.h"
#include "physical_device_data.h"

/* ---- What the application may not have */

static void mask_features(struct vdc_physical_device *pd)
{
    for (size_t i = 0; i < vd_masked_feature_count; i++) {
        const struct vd_masked_feature *feature = &vd_masked_features[i];
        const uint32_t offset = feature->offset - (uint32_t)sizeof(VkBaseOutStructure);
        uint32_t size;
        uint8_t *body = (uint8_t *)vdc_physical_device_feature(pd, feature->type, &size);
        if (body && offset + sizeof(VkBool32) <= size)
            memset(body + offset, 0, sizeof(VkBool32));
    }
}

/* What the device is passes through; names say Viaduct. */
static void rename_driver(struct vdc_physical_device *pd, VkStructureType type, size_t name_offset,
                          size_t info_offset)
{
    uint32_t size;
    uint8_t *body = (uint8_t *)vdc_physical_device_property(pd, type, &size);
    if (!body || info_offset + VK_MAX_DRIVER_INFO_SIZE > size)
        return;
    char host[VK_MAX_DRIVER_NAME_SIZE + VK_MAX_DRIVER_INFO_SIZE + 8];
    snprintf(host, sizeof(host), "on %.*s %.*s", VK_MAX_DRIVER_NAME_SIZE - 1,
             (char *)body + name_offset, VK_MAX_DRIVER_INFO_SIZE - 1, (char *)body + info_offset);
    memset(body + name_offset, 0, VK_MAX_DRIVER_NAME_SIZE);
    memset(body + info_offset, 0, VK_MAX_DRIVER_INFO_SIZE);
    memcpy(body + name_offset, "Viaduct", sizeof("Viaduct"));
    snprintf((char *)body + info_offset, VK_MAX_DRIVER_INFO_SIZE, "%.*s",
             VK_MAX_DRIVER_INFO_SIZE - 1, host);
}

/* What protocol/README.md adds to each byte of the host driver's UUID. */
static const uint8_t uuid_difference[VK_UUID_SIZE] = "Viaduct opaque 1";

/* Equal UUIDs promise that opaque descriptors of all kinds can be exchanged, and fences of the host's
 * driver cannot, nor, where it is a CPU, its memory. So the driver is another one, on the same device. */
static void change_identity(struct vdc_physical_device *pd, VkStructureType type,
                            size_t driver_uuid, size_t luid, size_t luid_valid)
{
    uint32_t size;
    uint8_t *body = (uint8_t *)vdc_physical_device_property(pd, type, &size);
    if (!body || luid_valid + sizeof(VkBool32) > size)
        return;
    for (uint32_t i = 0; i < VK_UUID_SIZE; i++)
        body[driver_uuid + i] = (uint8_t)(body[driver_uuid + i] + uuid_difference[i]);
    /* It stands for a promise of the same kind, and means nothing on Linux. */
    memset(body + luid, 0, VK_LUID_SIZE);
    memset(body + luid_valid, 0, sizeof(VkBool32));
}

/* Where the body of a struct begins. */
#define BODY sizeof(VkBaseOutStructure)

static void rename_device(struct vdc_physical_device *pd)
{
    char name[VK_MAX_PHYSICAL_DEVICE_NAME_SIZE];
    memcpy(name, pd->data->core_properties.deviceName, sizeof(name));
    name[sizeof(name) - 1] = 0;
    memset(pd->properties.deviceName, 0, sizeof(pd->properties.deviceName));
    snprintf(pd->properties.deviceName, sizeof(pd->properties.deviceName), "Viaduct (%.*s)",
             (int)sizeof(name) - 11, name);
    rename_driver(pd, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES,
                  offsetof(VkPhysicalDeviceDriverProperties, driverName) - BODY,
                  offsetof(VkPhysicalDeviceDriverProperties, driverInfo) - BODY);
    rename_driver(pd, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES,
                  offsetof(VkPhysicalDeviceVulkan12Properties, driverName) - BODY,
                  offsetof(VkPhysicalDeviceVulkan12Properties, driverInfo) - BODY);
    change_identity(pd, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES,
                    offsetof(VkPhysicalDeviceIDProperties, driverUUID) - BODY,
                    offsetof(VkPhysicalDeviceIDProperties, deviceLUID) - BODY,
                    offsetof(VkPhysicalDeviceIDProperties, deviceLUIDValid) - BODY);
    change_identity(pd, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES,
                    offsetof(VkPhysicalDeviceVulkan11Properties, driverUUID) - BODY,
                    offsetof(VkPhysicalDeviceVulkan11Properties, deviceLUID) - BODY,
                    offsetof(VkPhysicalDeviceVulkan11Properties, deviceLUIDValid) - BODY);
}

static bool is_near_enough(const struct vdc_nearness *near, const struct vd_extension *extension)
{
    return (near->kernel || !extension->same_kernel) && (near->clocks || !extension->same_clocks);
}

static void choose_extensions(struct vdc_physical_device *pd)
{
    const struct vd_physical_device_data *data = pd->data;
    const struct vdc_peer *peer = &pd->base.instance->peer;
    const struct vdc_nearness *near = &pd->base.instance->nearness;
    const VkExtensionProperties *list =
        (const VkExtensionProperties *)((const uint8_t *)data + data->extensions);
    for (uint32_t i = 0; i < data->extension_count; i++) {
        const int index = vd_extension_find(list[i].extensionName);
        if (index >= 0 && vd_extensions[index].device &&
            vd_extensions[index].way == VD_EXTENSION_FORWARDED &&
            is_near_enough(near, &vd_extensions[index]) &&
            vdc_peer_knows_extension(peer, list[i].extensionName))
            pd->extensions[index] = list[i].specVersion;
    }
    /* Pages of the application are imported by address, and so they can be only where all that is mapped
     * is. */
    if (pd->extensions[VD_EXT_EXT_external_memory_host] &&
        (vdc_shared_handle_type(pd) != VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT ||
         !vdc_host_pages_available()))
        pd->extensions[VD_EXT_EXT_external_memory_host] = 0;
    for (int i = 0; i < VD_EXT_COUNT; i++)
        if (vd_extensions[i].device && vd_extensions[i].way == VD_EXTENSION_CLIENT &&
            (!vd_extensions[i].same_kernel ||
             (near->kernel && vdc_peer_knows_extension(peer, vd_extensions[i].name))))
            pd->extensions[i] = vd_extensions[i].spec_version;
    /* Not one without what it depends on, were it of the instance. */
    bool offered[VD_EXT_COUNT];
    for (int i = 0; i < VD_EXT_COUNT; i++)
        offered[i] = vd_extensions[i].device ? pd->extensions[i] != 0
                                             : vd_extensions[i].way == VD_EXTENSION_CLIENT ||
                                                   vd_extensions[i].way == VD_EXTENSION_LOADER;
    vd_extensions_close(offered, pd->properties.apiVersion);
    for (int i = 0; i < VD_EXT_COUNT; i++) {
        pd->extensions[i] = offered[i] ? pd->extensions[i] : 0;
        pd->extension_count += pd->extensions[i] != 0;
    }
}

/* ---- Fetching */

/* At first; few machines have more devices. */
#define IDS_ASKED    8u
#define IDS_MAX      1024u
#define CAPACITY_MAX (UINT32_C(64) << 20)

/* One round trip; *blob is the caller's to free. */
static VkResult fetch(struct vdc_instance *instance, const uint64_t *ids, uint32_t id_count,
                      uint32_t capacity, uint8_t **blob)
{
    struct vdc_call call;
    const size_t size = sizeof(struct vd_get_physical_devices) + id_count * sizeof(*ids);
    VkResult result =
        vdc_call_begin(&call, instance, VD_OP_GET_PHYSICAL_DEVICES, size, VDC_CALL_SYNC);
    if (result != VK_SUCCESS)
        return result;
    const struct vd_get_physical_devices args = {.id_count = id_count, .capacity = capacity};
    memcpy(call.encoder.base + call.encoder.at, &args, sizeof(args));
    memcpy(call.encoder.base + call.encoder.at + sizeof(args), ids, id_count * sizeof(*ids));
    call.encoder.out_size = capacity;
    result = vdc_call_wait(&call);
    if (result == VK_SUCCESS) {
        *blob = malloc(capacity);
        if (*blob)
            memcpy(*blob, call.fill.out, capacity);
        else
            result = VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    vdc_call_end(&call);
    return result;
}

/* All that the server has to say. Then *blob and *ids are the caller's to free. */
static VkResult fetch_all(struct vdc_instance *instance, uint64_t **ids, uint32_t *id_count,
                          uint8_t **blob, uint32_t *capacity)
{
    uint32_t wanted = IDS_ASKED;
    *capacity = 128u << 10;
    for (*id_count = 0;;) {
        uint64_t *grown = realloc(*ids, wanted * sizeof(*grown));
        if (!grown)
            return VK_ERROR_OUT_OF_HOST_MEMORY;
        *ids = grown;
        while (*id_count < wanted)
            grown[(*id_count)++] = vdc_id_new(instance, VD_TYPE_VkPhysicalDevice, 0);
        const VkResult result = fetch(instance, grown, *id_count, *capacity, blob);
        if (result != VK_SUCCESS)
            return result;
        const struct vd_physical_devices *head = (const struct vd_physical_devices *)*blob;
        const bool more = head->count > *id_count && *id_count < IDS_MAX;
        const bool larger = head->size > *capacity && head->size <= CAPACITY_MAX;
        if (!more && !larger)
            return VK_SUCCESS;
        if (more)
            wanted = head->count < IDS_MAX ? head->count : IDS_MAX;
        if (larger)
            *capacity = (uint32_t)vd_align(head->size);
        free(*blob);
        *blob = NULL;
    }
}

static VkResult device_init(struct vdc_physical_device *pd, struct vdc_instance *instance,
                            uint64_t id, const uint8_t *at)
{
    vdc_dispatchable_init(&pd->base, id, instance, NULL);
    pd->data = (const struct vd_physical_device_data *)at;
    pd->extensions = calloc(VD_EXT_COUNT, sizeof(*pd->extensions));
    vdc_memo_init(&pd->formats);
    vdc_memo_init(&pd->image_formats);
    vdc_memo_init(&pd->shareable_images);
    if (!pd->extensions)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    VD_FROM_WIRE(VkPhysicalDeviceProperties, &pd->properties, &pd->data->core_properties);
    pd->features = pd->data->core_features;
    const uint32_t theirs = instance->peer.capset->registry_version;
    const uint32_t both = theirs < VD_REGISTRY_VERSION ? theirs : VD_REGISTRY_VERSION;
    if (pd->properties.apiVersion > both)
        pd->properties.apiVersion = both;
    rename_device(pd);
    mask_features(pd);
    choose_extensions(pd);
    vdc_memory_types_choose(pd);
    return VK_SUCCESS;
}

/* Why devices are missing that the host has: texts behind the last device, each with its end. */
static void log_refusals(const uint8_t *at, const uint8_t *end)
{
    while (at < end) {
        const uint8_t *next = memchr(at, 0, (size_t)(end - at));
        if (!next)
            return;
        char text[512];
        snprintf(text, sizeof(text), "%s", (const char *)at);
        for (char *c = text; *c; c++)
            if (*c >= 0 && *c < ' ')
                *c = '?';
        if (text[0]) /* else padding */
            vdc_log("the server says: %s", text);
        at = next + 1;
    }
}

VkResult vdc_physical_devices_fetch(struct vdc_instance *instance)
{
    pthread_mutex_lock(&instance->lock);
    const bool done = instance->enumerated;
    pthread_mutex_unlock(&instance->lock);
    if (done)
        return VK_SUCCESS;
    uint64_t *ids = NULL;
    uint8_t *blob = NULL;
    uint32_t capacity, count;
    VkResult result = fetch_all(instance, &ids, &count, &blob, &capacity);
    if (result != VK_SUCCESS) {
        free(ids);
        return result;
    }

    const char *wrong = vdc_physical_devices_check(blob, capacity, &count);
    if (wrong) {
        vdc_log("what the server says of its devices makes no sense: %s", wrong);
        free(blob);
        free(ids);
        return VK_ERROR_INITIALIZATION_FAILED;
    }
    struct vdc_physical_device *devices = calloc(count ? count : 1, sizeof(*devices));
    if (!devices) {
        free(blob);
        free(ids);
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    vdc_nearness_find(&instance->nearness, instance->connection);
    uint8_t *at = blob + sizeof(struct vd_physical_devices);
    for (uint32_t i = 0; i < count && result == VK_SUCCESS; i++) {
        devices[i].blob = i == 0 ? blob : NULL;
        vdc_physical_device_localize((struct vd_physical_device_data *)at);
        result = device_init(&devices[i], instance, ids[i], at);
        at += ((const struct vd_physical_device_data *)at)->size;
    }
    free(ids);
    const struct vd_physical_devices *head = (const struct vd_physical_devices *)blob;
    if (count == head->count && result == VK_SUCCESS)
        log_refusals(at, blob + head->size);
    pthread_mutex_lock(&instance->lock);
    instance->physical_devices = devices;
    instance->physical_device_count = count;
    instance->enumerated = result == VK_SUCCESS;
    pthread_mutex_unlock(&instance->lock);
    if (!count)
        free(blob);
    return result;
}

void vdc_physical_devices_finish(struct vdc_instance *instance)
{
    struct vdc_physical_device *devices = instance->physical_devices;
    for (uint32_t i = 0; i < instance->physical_device_count; i++) {
        free(devices[i].extensions);
        vdc_memo_finish(&devices[i].formats);
        vdc_memo_finish(&devices[i].image_formats);
        vdc_memo_finish(&devices[i].shareable_images);
        free(devices[i].blob);
    }
    free(devices);
}
