/* SPDX-License-Identifier: MIT
 *
 * The host's instance and its physical devices.
 */
#ifndef VIADUCT_SERVER_INSTANCE_H
#define VIADUCT_SERVER_INSTANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "dispatch.h"

struct vd_context;
struct vd_device;

struct vd_physical_device {
    VkPhysicalDevice handle;
    uint64_t id;          /* the client's, 0: not yet */
    uint32_t api_version; /* that its devices have here */
    VkExtensionProperties *extensions;
    uint32_t extension_count;
    uint32_t import_alignment; /* minImportedHostPointerAlignment, 0: cannot import */
};

struct vd_instance {
    VkInstance handle;
    struct vd_instance_dispatch dispatch;
    uint32_t api_version;
    bool debug_utils, surface; /* whether these extensions are enabled */
    VkDebugUtilsMessengerEXT messenger;
    struct vd_physical_device *physical_devices;
    uint32_t physical_device_count;
    struct vd_device *devices;     /* a list */
    struct vd_instance *next_left; /* in the list of those that could not be destroyed */
};

/* What importing was found to do, for each physical device: to try, it takes a device. */
#define VD_HOST_MEMORY_CACHE 8
struct vd_host_memory_cache {
    uint32_t count;
    struct {
        uint8_t device_uuid[VK_UUID_SIZE];
        uint32_t importable;
    } entries[VD_HOST_MEMORY_CACHE];
};

/* NULL, with a line in the log and *result, when that fails. `asked` is what the client wants. */
struct vd_instance *vd_instance_create(struct vd_context *context,
                                       const VkInstanceCreateInfo *asked, VkResult *result);
/* Finds out what takes a while to find out (physical_device.c). */
void vd_physical_devices_probe(struct vd_context *context, const struct vd_instance *instance);
/* Ends all devices, then the instance. NULL is fine. */
void vd_instance_destroy(struct vd_context *context, struct vd_instance *instance);

/* Finds the physical devices that the client may see (physical_device.c). */
VkResult vd_physical_devices_init(struct vd_instance *instance, int gpu);
void vd_physical_devices_finish(struct vd_instance *instance);
bool vd_physical_device_has(const struct vd_physical_device *pd, const char *extension);
/* NULL: not one of ours. */
struct vd_physical_device *vd_physical_device_find(struct vd_instance *instance,
                                                   VkPhysicalDevice handle);

#endif
