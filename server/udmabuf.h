/* SPDX-License-Identifier: MIT
 *
 * dma-bufs of pages of memfds, for drivers that refuse pointers to such pages. The kernel's udmabuf makes
 * them: they are the very pages, for as long as the dma-buf lives.
 */
#ifndef VIADUCT_SERVER_UDMABUF_H
#define VIADUCT_SERVER_UDMABUF_H

#include <stdbool.h>
#include <stdint.h>

/* Opens /dev/udmabuf, before the sandbox keeps it closed. False with errno set: this kernel has none, or
 * not for this user. */
bool vds_udmabuf_open(void);
/* Nobody needs it here. Not while another thread makes a dma-buf. */
void vds_udmabuf_close(void);
bool vds_udmabuf_is_open(void);

/* Of whole pages of a memfd that is sealed against shrinking, and against nothing else that would keep it
 * from being written. The caller's to close; -1 with errno set, EINVAL for more than the kernel makes at
 * once (the module's size_limit_mb, 64 MiB by default). */
int vds_udmabuf_create(int memfd, uint64_t offset, uint64_t size);

#endif
