/* Generated from vk.xml and policy.toml. */
#include "extensions.h"

#include <string.h>

#include <vulkan/vulkan_core.h>

<%
def way(x):
    if x.name in p.policy["instance"] or x.name in p.policy["device"]:
        return "CLIENT"
    if x.name in p.policy["loader"]:
        return "LOADER"
    if x.name in p.withheld or x.provisional or x.kind == "instance":
        return "WITHHELD"
    return "FORWARDED"
def reason(x):
    for table in ("instance", "device", "loader", "withheld", "same_kernel", "same_clocks"):
        if x.name in p.policy[table]:
            return '"' + p.policy[table][x.name] + '"'
    if x.provisional:
        return '"provisional"'
    if x.kind == "instance":
        return '"an instance extension that is not the client\'s"'
    return "0"
%>\
const struct vd_extension vd_extensions[VD_EXT_COUNT] = {
% for name, x in sorted(r.extensions.items()):
    [VD_EXT_${name[3:]}] = {"${name}", ${x.spec_version}, ${"true" if x.kind == "device" else "false"},
        VD_EXTENSION_${way(x)}, ${"true" if x.name in p.policy["same_kernel"] else "false"}, ${"true" if x.name in p.policy["same_clocks"] else "false"}, ${reason(x)}},
% endfor
};

static bool has_dependencies(enum vd_extension_index extension, const bool *set, uint32_t version)
{
    (void)version;
    switch ((int)extension) {
% for name, x in sorted(r.extensions.items()):
% if x.depends:
    case VD_EXT_${name[3:]}:
        return ${g.depends_c(x)};
% endif
% endfor
    }
    return true;
}

void vd_extensions_close(bool *set, uint32_t version)
{
    bool again = true;
    while (again) {
        again = false;
        for (int i = 0; i < VD_EXT_COUNT; i++) {
            if (set[i] && !has_dependencies((enum vd_extension_index)i, set, version)) {
                set[i] = false;
                again = true;
            }
        }
    }
}

int vd_extension_find(const char *name)
{
    int low = 0, high = VD_EXT_COUNT - 1;
    while (low <= high) {
        const int middle = (low + high) / 2;
        const int order = strcmp(name, vd_extensions[middle].name);
        if (order == 0)
            return middle;
        if (order < 0)
            high = middle - 1;
        else
            low = middle + 1;
    }
    return -1;
}
