/* SPDX-License-Identifier: MIT
 *
 * Pages of the application that become shared memory where they are, and later its own again.
 *
 * The application's addresses stay, and so does what is in its memory. The pages behind them change:
 * they become those of a file in which everything lies at its own address. While they do, the
 * application may read them; whatever writes to them, a system call of its own too, waits (userfaultfd).
 * Pages may be shared many times, as a whole and in parts, and by several instances.
 */
#ifndef VIADUCT_ICD_HOST_PAGES_H
#define VIADUCT_ICD_HOST_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

/* Whether the kernel will let this process do that, told without trying. Linux 5.19 has what it takes, and wants a privilege
 * for it, or the sysctl vm.unprivileged_userfaultfd, or access to /dev/userfaultfd. */
bool vdc_host_pages_available(void);

/* Whether the pages of these bytes can be shared: all are private, writable memory without a file.
 * Where not, one line in the log says so. */
bool vdc_host_pages_shareable(const void *pointer, uint64_t size);

/* Makes whole pages those of *file, at the offset that is their address. The caller must not close the
 * file. VK_ERROR_INVALID_EXTERNAL_HANDLE: that cannot be done with these, and one line in the log
 * says why; nothing has changed then. Thread-safe. */
VkResult vdc_host_pages_share(void *pointer, uint64_t size, int *file);

/* Takes that back, once: pages that nobody else shares are private again, with what is in them.
 * Thread-safe. */
void vdc_host_pages_unshare(void *pointer, uint64_t size);

#endif
