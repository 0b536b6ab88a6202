/* Generated from vk.xml and policy.toml: what both ends know about each type of object. */
#ifndef VIADUCT_OBJECTS_H
#define VIADUCT_OBJECTS_H

#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

#include "opcodes.h"

/* Types are numbers of enum vd_type, VD_TYPE_NONE where there is none. */
struct vd_object_facts {
    VkObjectType object_type; /* VK_OBJECT_TYPE_UNKNOWN: of another platform, or not known */
    VkDebugReportObjectTypeEXT report_type; /* VK_DEBUG_REPORT_OBJECT_TYPE_UNKNOWN_EXT: none */
    uint8_t parent;           /* what it lives in, and ends with */
    uint8_t pool;             /* what it is allocated from: its parent, or VD_TYPE_NONE */
    uint8_t child;            /* of a pool: what is allocated from it */
    uint16_t ender;           /* enum vd_opcode of the command that ends one, VD_OP_NOP: none */
    bool dispatchable;
    bool crosses;             /* it exists on the host, too; else the client alone knows it */
    bool of_device;           /* it is a device, or belongs to one */
};

/* By enum vd_type. */
extern const struct vd_object_facts vd_objects[VD_TYPE_COUNT];

/* enum vd_type of an object type, VD_TYPE_NONE where there is none. */
uint32_t vd_type_of_object(VkObjectType type);
/* The same of the types of VK_EXT_debug_report, which VK_EXT_debug_marker uses. */
uint32_t vd_type_of_report(VkDebugReportObjectTypeEXT type);

#endif
