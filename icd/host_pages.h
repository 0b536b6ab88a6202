/* SPDX-License-Identifier: MIT
 *
 * Pages of the application's that become shared memory where they are, and its own again.
 *
 * The application's addresses stay, and what is in its memory; the pages behind them change: they
 * become those of a file in which everything lies at its own address. While they do, the application
 * may read them; what writes to them, be it in the middle of a system call, waits (userfaultfd).
 * Pages may be shared many times, as a whole and in parts, and by several instances.
 */
#ifndef VIADUCT_ICD_HOST_PAGES_H
#define VIADUCT_ICD_HOST_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

/* Whether the kernel lets this process do that. Linux 5.19 has what it takes, and wants a privilege
 * for it, or the sysctl vm.unprivileged_userfaultfd, or access to /dev/userfaultfd. */
bool vd_host_pages_available(void);

/* Whether the pages of these bytes can be shared: all are private, writable memory without a file.
 * Where not, one line in the log says so. */
bool vd_host_pages_shareable(const void *pointer, uint64_t size);

/* Makes whole pages the same of *file, which is not the caller's to close, at the offset that is their
 * address. VK_ERROR_INVALID_EXTERNAL_HANDLE: that cannot be done with these, and one line in the log
 * says why; nothing has changed then. Thread-safe. */
VkResult vd_host_pages_share(void *pointer, uint64_t size, int *file);

/* Takes that back, once: pages that nobody else shares are private again, with what is in them.
 * Thread-safe. */
void vd_host_pages_unshare(void *pointer, uint64_t size);

#endif
