/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_SERVER_MAP_ALIGNED_H
#define VIADUCT_SERVER_MAP_ALIGNED_H

#include <stdint.h>

/* Where shared memory lies, so that drivers can import it: some want more than whole pages. */
#define VDS_MAP_ALIGNMENT 65536u

/* Reserves so much of the address space at a multiple of VDS_MAP_ALIGNMENT, without access; NULL with
 * errno set. munmap() ends it. */
void *vds_reserve_aligned(uint64_t size);
/* Maps these bytes of a file there, to be read and written, and shared. */
void *vds_map_aligned(int fd, uint64_t offset, uint64_t size);

#endif
