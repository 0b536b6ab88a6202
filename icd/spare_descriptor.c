/* SPDX-License-Identifier: MIT */
#include "spare_descriptor.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Without a lock, for fork() to find nothing half done; -1: none. */
static atomic_int spare = -1;

void vdc_spare_descriptor_keep(void)
{
    if (atomic_load_explicit(&spare, memory_order_relaxed) >= 0)
        return;
    const int saved_errno = errno;
    const int fd = eventfd(0, EFD_CLOEXEC);
    int none = -1;
    if (fd >= 0 && !atomic_compare_exchange_strong(&spare, &none, fd))
        close(fd);
    errno = saved_errno;
}

void vdc_spare_descriptor_use(void)
{
    const int fd = atomic_exchange(&spare, -1);
    if (fd >= 0)
        close(fd);
}

/* The loader unloads a driver that has no instance. */
__attribute__((destructor)) static void give_back(void)
{
    vdc_spare_descriptor_use();
}
