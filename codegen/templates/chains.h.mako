/* Generated from vk.xml: the structs that a physical device can be asked to fill. */
#ifndef VIADUCT_CHAINS_H
#define VIADUCT_CHAINS_H

#include <stddef.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

struct vd_chain_struct {
    VkStructureType type;
    uint32_t size;
    const char *name;
    uint32_t version;          /* core version that has it, 0: none */
    const int *extensions;     /* enum vd_extension_index, ends with -1 */
    uint32_t wire_size;        /* as it crosses, 0: it never does */
    void (*from_wire)(void *native, const void *wire); /* NULL: both are the same */
};

/* What extends VkPhysicalDeviceFeatures2, and holds only VkBool32s. */
extern const struct vd_chain_struct vd_feature_structs[];
extern const size_t vd_feature_struct_count;
/* The same, of extensions that are the client's own: every feature is there. */
extern const struct vd_chain_struct vd_own_feature_structs[];
extern const size_t vd_own_feature_struct_count;
/* What extends VkPhysicalDeviceProperties2 and holds no pointer: these cross once, at start. */
extern const struct vd_chain_struct vd_property_structs[];
extern const size_t vd_property_struct_count;

/* Features that are not offered although their extension is. */
struct vd_masked_feature {
    VkStructureType type;
    uint32_t offset; /* of the VkBool32 */
};
extern const struct vd_masked_feature vd_masked_features[];
extern const size_t vd_masked_feature_count;

#endif
