/* Generated from vk.xml: one call for each command that crosses. It encodes, sends, waits where an
 * answer is needed, and fills in what came back. */
#ifndef VIADUCT_CALLS_H
#define VIADUCT_CALLS_H

#include <vulkan/vulkan_core.h>

struct vdc_instance;

% for plan in g.plans:
${g.client.prototype(plan)};
% endfor

/* For entry points by hand: the registry at hand may be older than they are. */
% for plan in g.plans:
% if plan.c.name in g.p.policy["wrapped"]:
#define VDC_HAS_${plan.c.name} 1
% endif
% endfor

#endif
