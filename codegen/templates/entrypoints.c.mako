/* Generated from vk.xml and policy.toml. */
#include "entrypoints.h"

#include <string.h>

#include "calls.h"
#include "extensions.h"
#include "opcodes.h"
#include "results.h"

/* ---- What each command may return, and nothing else */
<% lists = {} %>\
% for c in g.with_results():
<% listed = g.results_c(c) %>\
% if listed not in lists:
<% lists[listed] = "listed_" + str(len(lists)) %>\
static const VkResult ${lists[listed]}[] = {${listed}};
% endif
static VKAPI_ATTR VkResult VKAPI_CALL answer_${c.name}(${c.args})
{
    const VkResult result = ${g.implementation(c)}(${", ".join(m.name for m in c.params)});
    return result == VK_SUCCESS ? result : vdc_listed_result(result, ${lists[listed]});
}

% endfor
% for name, function, level, version, extensions, opcode in g.entry_points():
% if extensions:
static const int of_${name}[] = {${"".join("VD_EXT_" + x[3:] + ", " for x in extensions)}-1};
% endif
% endfor
static const int of_none[] = {-1};

const struct vdc_entrypoint vdc_entrypoints[] = {
% for name, function, level, version, extensions, opcode in g.entry_points():
    {"${name}", (PFN_vkVoidFunction)${function}, (enum vdc_level)${level}, ${version}, ${"of_" + name if extensions else "of_none"}, ${opcode}},
% endfor
};
const size_t vdc_entrypoint_count = sizeof(vdc_entrypoints) / sizeof(vdc_entrypoints[0]);

const struct vdc_entrypoint *vdc_entrypoint_find(const char *name)
{
    size_t low = 0, high = vdc_entrypoint_count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        const int order = strcmp(name, vdc_entrypoints[middle].name);
        if (order == 0)
            return &vdc_entrypoints[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
