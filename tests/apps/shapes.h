/* SPDX-License-Identifier: MIT
 *
 * The parts of shapes.c: each shows what its name says on `gpu`, or ends the program.
 */
#ifndef VIADUCT_TESTS_SHAPES_H
#define VIADUCT_TESTS_SHAPES_H

#include "common.h"

extern struct gpu gpu;

#define LOAD(name) const PFN_##name name##_ = (PFN_##name)vkGetDeviceProcAddr(gpu.device, #name)

/* A layout with these sets, and 16 bytes of push constants for compute shaders. */
VkPipelineLayout shapes_create_layout(uint32_t set_count, const VkDescriptorSetLayout *sets);

void shapes_vertex_input(void);
void shapes_mesh(void);
void shapes_host_copy(void);
void shapes_descriptors(void);
void shapes_launch(void);

#endif
