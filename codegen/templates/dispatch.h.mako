/* Generated from vk.xml: the host's commands. */
#ifndef VIADUCT_DISPATCH_H
#define VIADUCT_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

/* NULL where the host has no such command. */
struct vds_instance_dispatch {
% for c in g.host_commands("instance"):
    PFN_${c.name} ${c.name};
% endfor
};

struct vds_device_dispatch {
% for c in g.host_commands("device"):
    PFN_${c.name} ${c.name};
% endfor
};

void vds_instance_dispatch_load(struct vds_instance_dispatch *table, VkInstance instance,
                               PFN_vkGetInstanceProcAddr get);
void vds_device_dispatch_load(struct vds_device_dispatch *table, VkDevice device,
                             PFN_vkGetDeviceProcAddr get);

/* Ends an object of a device, whose type is one of enum vd_type. False: the host has no way. */
bool vds_destroy_object(const struct vds_device_dispatch *table, VkDevice device, uint32_t type,
                       uint64_t handle);

#endif
