/* Generated from vk.xml. */
#include "dispatch.h"

#include "opcodes.h"

/* A command that was promoted may be known by one of its older names only. */
void vds_instance_dispatch_load(struct vds_instance_dispatch *table, VkInstance instance,
                               PFN_vkGetInstanceProcAddr get)
{
% for c in g.host_commands("instance"):
    table->${c.name} = (PFN_${c.name})get(instance, "${c.name}");
% for a in c.aliases:
    if (!table->${c.name})
        table->${c.name} = (PFN_${c.name})get(instance, "${a}");
% endfor
% endfor
}

void vds_device_dispatch_load(struct vds_device_dispatch *table, VkDevice device,
                             PFN_vkGetDeviceProcAddr get)
{
% for c in g.host_commands("device"):
    table->${c.name} = (PFN_${c.name})get(device, "${c.name}");
% for a in c.aliases:
    if (!table->${c.name})
        table->${c.name} = (PFN_${c.name})get(device, "${a}");
% endfor
% endfor
}

bool vds_destroy_object(const struct vds_device_dispatch *table, VkDevice device, uint32_t type,
                       uint64_t handle)
{
    switch (type) {
% for h, c in g.destroyers():
    case VD_TYPE_${h.name}:
        if (!table->${c.name})
            return false;
        table->${c.name}(device, (${h.name})(uintptr_t)handle${", NULL" if len(c.params) == 3 else ""});
        return true;
% endfor
    }
    return false;
}
