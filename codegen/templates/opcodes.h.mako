/* Generated from vk.xml, protocol/opcodes.txt and protocol/types.txt. */
#ifndef VIADUCT_OPCODES_H
#define VIADUCT_OPCODES_H

/* The registry both ends were generated from: VK_HEADER_VERSION_COMPLETE. */
#define VD_REGISTRY_VERSION ${g.version_number}u

enum vd_opcode {
    VD_OP_NOP = 0,
% for name, number in g.opcodes.items():
    VD_OP_${name} = ${number},
% endfor
    VD_OP_COUNT = ${max(g.opcodes.values()) + 1},
};

enum vd_type {
    VD_TYPE_NONE = 0,
% for name, number in g.types.items():
    VD_TYPE_${name} = ${number},
% endfor
    VD_TYPE_COUNT = ${max(g.types.values(), default=0) + 1},
};

#endif
