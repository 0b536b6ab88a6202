/* Generated from vk.xml. */
#include "dispatch.h"

/* A command that was promoted may be known by one of its older names only. */
void vd_instance_dispatch_load(struct vd_instance_dispatch *table, VkInstance instance,
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

void vd_device_dispatch_load(struct vd_device_dispatch *table, VkDevice device,
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
