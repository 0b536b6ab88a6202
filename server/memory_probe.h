/* SPDX-License-Identifier: MIT
 *
 * A device of the host, made to find out what its memory is good for.
 */
#ifndef VIADUCT_SERVER_MEMORY_PROBE_H
#define VIADUCT_SERVER_MEMORY_PROBE_H

#include "memory_ways.h"

struct vds_instance;
struct vds_physical_device;

struct vds_memory_probe;

/* NULL, with *why, when there is no such device. */
struct vds_memory_probe *vds_memory_probe_create(PFN_vkGetInstanceProcAddr get,
                                                 const struct vds_instance *instance,
                                                 const struct vds_physical_device *pd,
                                                 const char **why);
void vds_memory_probe_destroy(struct vds_memory_probe *probe);

/* Fill way->types and the rest. False: it serves no type, and *why says why. */
bool vds_memory_probe_own(struct vds_memory_probe *probe, struct vds_memory_way *way,
                          const char **why);
bool vds_memory_probe_import(struct vds_memory_probe *probe, struct vds_memory_way *way,
                             const char **why);
/* Fills way->files, of way->types. */
void vds_memory_probe_files(struct vds_memory_probe *probe, struct vds_memory_way *way);
bool vds_memory_probe_udmabuf(struct vds_memory_probe *probe, struct vds_memory_way *way,
                              const char **why);

#endif
