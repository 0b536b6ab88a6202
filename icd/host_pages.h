/* SPDX-License-Identifier: MIT
 *
 * Pages of the application's that become shared memory where they are, and its own again.
 *
 * The application's addresses stay, and what is in its memory; the pages behind them change. While
 * they do, its threads may read, and those that write wait (userfaultfd).
 */
#ifndef VIADUCT_ICD_HOST_PAGES_H
#define VIADUCT_ICD_HOST_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

#include "shm_pool.h"

/* Whether the kernel lets this process do that: Linux 5.19 has what it takes, and most containers'
 * system call filters forbid it. */
bool vd_host_pages_available(void);

/* Whether the pages of these bytes can be shared: all are private, writable memory without a file.
 * Where not, one line in the log says so. */
bool vd_host_pages_shareable(const void *pointer, uint64_t size);

/* Puts the part, which has a descriptor, in the place of the part->size bytes of whole pages at
 * `pointer`. VK_ERROR_INVALID_EXTERNAL_HANDLE: these cannot be shared, and one line in the log says
 * why; nothing has changed then. The part must stay until it is taken out again. Thread-safe. */
VkResult vd_host_pages_share(void *pointer, const struct vd_shm_part *part);

/* Puts private pages with what is in the part there, wherever the part still lies. False: that
 * failed, and the part is in use for ever. Thread-safe. */
bool vd_host_pages_unshare(void *pointer, const struct vd_shm_part *part);

#endif
