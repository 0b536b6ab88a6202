/* Generated from vk.xml: names for logs, and sizes. */
#ifndef VIADUCT_NAMES_H
#define VIADUCT_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

/* Never NULL: "?" for what is not known. */
const char *vd_opcode_name(uint32_t opcode);
const char *vd_type_name(uint32_t type);
const char *vd_stype_name(VkStructureType type);
/* Of all structs that cross, growing. */
extern const VkStructureType vd_stypes[];
extern const size_t vd_stype_count;
/* Bytes of the struct with this sType, 0: not known. */
uint32_t vd_stype_size(VkStructureType type);
const char *vd_result_name(VkResult result);

#endif
