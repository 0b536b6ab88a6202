/* Generated from vk.xml. */
#include "names.h"

#include "opcodes.h"

static const char *const opcodes[VD_OP_COUNT] = {
    [VD_OP_NOP] = "NOP",
% for name in g.opcodes:
    [VD_OP_${name}] = "${name}",
% endfor
};

static const char *const types[VD_TYPE_COUNT] = {
% for name in g.types:
    [VD_TYPE_${name}] = "${name}",
% endfor
};

const char *vd_opcode_name(uint32_t opcode)
{
    return opcode < VD_OP_COUNT && opcodes[opcode] ? opcodes[opcode] : "?";
}

const char *vd_type_name(uint32_t type)
{
    return type < VD_TYPE_COUNT && types[type] ? types[type] : "?";
}

const char *vd_stype_name(VkStructureType type)
{
    switch ((int)type) {
% for name in sorted({s.stype for s in p.structs.values() if s.stype}):
    case ${name}:
        return "${name[len("VK_STRUCTURE_TYPE_"):]}";
% endfor
    }
    return "?";
}

const VkStructureType vd_stypes[] = {
% for name in g.stypes():
    ${name},
% endfor
};
const size_t vd_stype_count = sizeof(vd_stypes) / sizeof(vd_stypes[0]);

uint32_t vd_stype_size(VkStructureType type)
{
    switch ((int)type) {
% for s in sorted(p.structs.values(), key=lambda s: s.name):
% if s.stype:
    case ${s.stype}:
        return sizeof(${s.name});
% endif
% endfor
    }
    return 0;
}

const char *vd_result_name(VkResult result)
{
    switch ((int)result) {
% for name, value in sorted(r.enums["VkResult"].items(), key=lambda x: x[1]):
    case ${value}:
        return "${name}";
% endfor
    }
    return "?";
}
