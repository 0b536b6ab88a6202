/* Generated from vk.xml: the host's commands. */
#ifndef VIADUCT_DISPATCH_H
#define VIADUCT_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

/* NULL where the host has no such command. */
struct vd_instance_dispatch {
% for c in g.host_commands("instance"):
    PFN_${c.name} ${c.name};
% endfor
};

struct vd_device_dispatch {
% for c in g.host_commands("device"):
    PFN_${c.name} ${c.name};
% endfor
};

void vd_instance_dispatch_load(struct vd_instance_dispatch *table, VkInstance instance,
                               PFN_vkGetInstanceProcAddr get);
void vd_device_dispatch_load(struct vd_device_dispatch *table, VkDevice device,
                             PFN_vkGetDeviceProcAddr get);

/* Ends an object of a device, whose type is one of enum vd_type. False: the host has no way. */
bool vd_destroy_object(const struct vd_device_dispatch *table, VkDevice device, uint32_t type,
                       uint64_t handle);

#endif
