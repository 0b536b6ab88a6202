/* Generated from vk.xml. */
#include "chains.h"

#include "extensions.h"
#include "protocol/wire.h"

#if VD_WIRE_IS_NATIVE
#define FROM_WIRE(type) NULL
#else
#define FROM_WIRE(type) vd_from_wire_##type
#endif
<%
features = p.chain_of("VkPhysicalDeviceFeatures2")
properties = [s for s in p.chain_of("VkPhysicalDeviceProperties2") if not p.fills(s.name)]
tables = (("feature", features), ("own_feature", p.own_features), ("property", properties))
%>
% for table, structs in tables:
% for s in structs:
<% version, extensions = g.providers_c(s.providers) %>\
static const int ${table}_${s.name}[] = {${"".join("VD_EXT_" + x[3:] + ", " for x in extensions)}-1};
% endfor

const struct vd_chain_struct vd_${table}_structs[] = {
% for s in structs:
    {${s.stype}, sizeof(${s.name}), "${s.name}", ${g.providers_c(s.providers)[0]}, ${table}_${s.name},
% if table == "own_feature":
     0, NULL},
% else:
     sizeof(VD_WIRE(${s.name})), FROM_WIRE(${s.name})},
% endif
% endfor
};
const size_t vd_${table}_struct_count = sizeof(vd_${table}_structs) / sizeof(vd_${table}_structs[0]);

% endfor

const struct vd_masked_feature vd_masked_features[] = {
% for name in p.policy["masked"]:
<% struct, member = name.split(".") %>\
    {${r.structs[struct].stype}, offsetof(${struct}, ${member})},
% endfor
};
const size_t vd_masked_feature_count = sizeof(vd_masked_features) / sizeof(vd_masked_features[0]);
