/* Generated from vk.xml and policy.toml. */
#include "objects.h"

const struct vd_object_facts vd_objects[VD_TYPE_COUNT] = {
% for h in g.known_handles():
    [VD_TYPE_${h.name}] = {
        .object_type = (VkObjectType)${r.enums["VkObjectType"].get(h.object_type, 0)},
        .report_type = (VkDebugReportObjectTypeEXT)${r.enums["VkDebugReportObjectTypeEXT"].get(h.report_type, 0)},
        .parent = VD_TYPE_${h.parent or "NONE"},
        .pool = VD_TYPE_${h.pool or "NONE"},
        .child = VD_TYPE_${g.child(h) or "NONE"},
        .ender = VD_OP_${g.ender(h) or "NOP"},
        .dispatchable = ${"true" if h.dispatchable else "false"},
        .crosses = ${"false" if h.name in p.client_handles else "true"},
        .of_device = ${"true" if h.of_device or h.name == "VkDevice" else "false"},
    },
% endfor
};

% for of, enum in (("object", "VkObjectType"), ("report", "VkDebugReportObjectTypeEXT")):
uint32_t vd_type_of_${of}(${enum} type)
{
    for (uint32_t i = 0; type != 0 && i < VD_TYPE_COUNT; i++)
        if (vd_objects[i].${of}_type == type)
            return i;
    return VD_TYPE_NONE;
}

% endfor
