/* SPDX-License-Identifier: MIT */
#include "futex.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Neither is FUTEX_PRIVATE_FLAG: the other side is another process. */

void vds_futex_wait(_Atomic uint32_t *address, uint32_t value)
{
    syscall(SYS_futex, address, FUTEX_WAIT, value, NULL, NULL, 0);
}

void vds_futex_wake(_Atomic uint32_t *address)
{
    syscall(SYS_futex, address, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static _Atomic int notified = -1;

void vds_wake_notify(int fd)
{
    atomic_store(&notified, fd);
}

void vds_wake(_Atomic uint32_t *address)
{
    vds_futex_wake(address);
    const int fd = atomic_load_explicit(&notified, memory_order_relaxed);
    if (fd >= 0)
        eventfd_write(fd, 1);
}
