/* SPDX-License-Identifier: MIT
 *
 * Which way it is for a physical device: found by trying (memory_probe.h), once.
 */
#ifndef VIADUCT_SERVER_MEMORY_WAY_H
#define VIADUCT_SERVER_MEMORY_WAY_H

#include "memory_ways.h"

struct vds_instance;
struct vds_physical_device;

/* Tries those of the set, unless `known` tells; remembers. `descriptors`: the client can be given some. */
void vds_memory_way_find(PFN_vkGetInstanceProcAddr get, const struct vds_instance *instance,
                         const struct vds_physical_device *pd, uint32_t among, bool descriptors,
                         struct vds_memory_ways *known, struct vds_memory_way *way);

#endif
