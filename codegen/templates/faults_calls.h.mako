/* Generated from vk.xml: every command that the server may want from the host's driver, on its way
 * through tests/layer/faults.c, which defines before(), refusal() and loss(). */
<%
special = {"vkCreateInstance", "vkCreateDevice", "vkDestroyDevice", "vkGetInstanceProcAddr", "vkGetDeviceProcAddr"}
commands = [(c, "instance") for c in g.host_commands("instance") if c.name not in special] + \
           [(c, "device") for c in g.host_commands("device") if c.name not in special]
%>\
% for c, level in commands:
static PFN_${c.name} below_${c.name};
static VKAPI_ATTR ${c.ret} VKAPI_CALL through_${c.name}(${c.args})
{
    if (before("${c.name}"))
        return${{"void": "", "VkResult": " VK_ERROR_OUT_OF_HOST_MEMORY" if "VK_ERROR_OUT_OF_HOST_MEMORY" in c.errors else " VK_SUCCESS"}.get(c.ret, " 0")};
% if "VK_ERROR_OUT_OF_HOST_MEMORY" in c.errors:
    const VkResult refused = refusal("${c.name}");
    if (refused != VK_SUCCESS)
        return refused;
% endif
% if "VK_ERROR_DEVICE_LOST" in c.errors:
    if (loss("${c.name}"))
        return VK_ERROR_DEVICE_LOST;
% endif
    return below_${c.name}(${", ".join(p.name for p in c.params)});
}

% endfor
static const struct passing passing[] = {
% for c, level in commands:
% for name in [c.name] + c.aliases:
    {"${name}", (PFN_vkVoidFunction)through_${c.name}, (PFN_vkVoidFunction *)&below_${c.name}},
% endfor
% endfor
};
