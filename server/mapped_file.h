/* SPDX-License-Identifier: MIT
 *
 * Which file memory of this process is mapped from. Drivers for the CPU keep memory in files that they tell
 * nobody of; who has such a file and the place has the memory.
 */
#ifndef VIADUCT_SERVER_MAPPED_FILE_H
#define VIADUCT_SERVER_MAPPED_FILE_H

#include <stdbool.h>
#include <stdint.h>

/* Opens /proc/self/maps, before the sandbox keeps it closed. Best effort. */
void vds_mapped_file_open(void);
/* Nobody needs it here, and nothing is found any more. Not while another thread looks for a file. */
void vds_mapped_file_close(void);

/* The descriptor that this process has of the file, its owner's to close, and where in it the byte at `map`
 * is, a multiple of the page's size where `map` is one. False: the `size` bytes there are not one shared
 * mapping of a memfd, or there is no descriptor of it any more. Reads all of the maps, which takes longer
 * the more there is: 0.1 ms and more. Not by two threads at once. */
bool vds_mapped_file_find(const void *map, uint64_t size, int *file, uint64_t *offset);

#endif
