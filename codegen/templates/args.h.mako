/* Generated from vk.xml: the bodies of records, the C structs of each command's arguments. A
 * command recorded into a command buffer leaves its first parameter out. */
#ifndef VIADUCT_ARGS_H
#define VIADUCT_ARGS_H

#include <assert.h>

#include <vulkan/vulkan_core.h>

#include "protocol/wire.h"

% for plan in g.plans:
% if plan.wire:
struct vd_args_${plan.c.name} {
% for p in plan.wire:
    ${wire.argument(p)}
% endfor
};
static_assert(sizeof(struct vd_args_${plan.c.name}) == ${layouts.of_members(plan.wire)[0]}, "wire format");
% endif
% endfor

#endif
