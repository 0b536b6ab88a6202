/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_SERVER_MEMORY_H
#define VIADUCT_SERVER_MEMORY_H

struct vds_context;

/* A VkDeviceMemory with this data is gone: gives back the shared memory that it imported, or what it took
 * of the client's budget. */
void vds_memory_release(struct vds_context *context, void *data);

#endif
