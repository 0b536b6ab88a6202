/* SPDX-License-Identifier: MIT
 *
 * The host's instance and its physical devices.
 */
#ifndef VIADUCT_SERVER_INSTANCE_H
#define VIADUCT_SERVER_INSTANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "dispatch.h"
#include "memory_ways.h"

struct vds_context;
struct vds_device;

struct vds_physical_device {
    VkPhysicalDevice handle;
    uint64_t id;          /* the client's, 0: not yet */
    uint32_t api_version; /* that its devices have here */
    VkExtensionProperties *extensions;
    uint32_t extension_count;
    uint32_t import_alignment; /* minImportedHostPointerAlignment, 0: cannot import */
    /* Once the client has asked what there is: */
    struct vds_memory_way way;
    uint32_t incoherent; /* memory types that are host-visible and not host-coherent */
};

struct vds_instance {
    VkInstance handle;
    struct vds_instance_dispatch dispatch;
    uint32_t api_version;
    bool debug_utils, surface; /* whether these extensions are enabled */
    VkDebugUtilsMessengerEXT messenger;
    struct vds_physical_device *physical_devices;
    uint32_t physical_device_count;
    bool has_chosen; /* of these, those that can be served */
    char *refusals;  /* texts, one behind the other: why others can not */
    uint32_t refusals_size;
    struct vds_device *devices;     /* a list */
    struct vds_instance *next_left; /* in the list of those that could not be destroyed */
};

/* NULL, with a line in the log and *result, when that fails. `asked` is what the client wants. */
struct vds_instance *vds_instance_create(struct vds_context *context,
                                         const VkInstanceCreateInfo *asked, VkResult *result);
/* Finds out what takes a while to find out (physical_device.c). */
void vds_physical_devices_probe(struct vds_context *context, struct vds_instance *instance);
/* Ends all devices, then the instance. NULL is fine. */
void vds_instance_destroy(struct vds_context *context, struct vds_instance *instance);

/* Finds the physical devices that the client may see, of those that --gpu wants (physical_device.c,
 * gpu_choice.h). */
VkResult vds_physical_devices_init(struct vds_instance *instance, const char *gpu);
void vds_physical_devices_finish(struct vds_instance *instance);
bool vds_physical_device_has(const struct vds_physical_device *pd, const char *extension);
/* NULL: not one of ours. */
struct vds_physical_device *vds_physical_device_find(struct vds_instance *instance,
                                                     VkPhysicalDevice handle);

#endif
