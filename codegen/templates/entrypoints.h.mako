/* Generated from vk.xml and policy.toml: the commands that the ICD offers. */
#ifndef VIADUCT_ENTRYPOINTS_H
#define VIADUCT_ENTRYPOINTS_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/vk.h"

enum vdc_level {
    VDC_LEVEL_GLOBAL,
    VDC_LEVEL_INSTANCE,
    VDC_LEVEL_PHYSICAL_DEVICE,
    VDC_LEVEL_DEVICE,
};

struct vdc_entrypoint {
    const char *name;
    PFN_vkVoidFunction function;
    enum vdc_level level;
    uint32_t version;      /* core version that has it, 0: none */
    const int *extensions; /* enum vd_extension_index of those that have it, ends with -1 */
    uint32_t opcode;       /* enum vd_opcode of the call that it makes, 0: none */
};

/* Sorted by name. */
extern const struct vdc_entrypoint vdc_entrypoints[];
extern const size_t vdc_entrypoint_count;

/* NULL where there is none. */
const struct vdc_entrypoint *vdc_entrypoint_find(const char *name);

/* Commands written by hand. */
% for c in sorted(p.commands.values(), key=lambda c: c.name):
% if p.by_hand(c.name):
VKAPI_ATTR ${c.ret} VKAPI_CALL vdc_${c.name}(${c.args});
% endif
% endfor

#endif
