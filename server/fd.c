/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "fd.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

/* The kernel gives the lowest free number, so that those near the limit stay free, and what is there
 * between lending and returning is what was lent. */
static int high_number(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    const rlim_t most = limit.rlim_cur < 65536 ? limit.rlim_cur : 65536;
    return (int)(most - most / 8);
}

int vds_fd_lend(int fd)
{
    const int lent = fcntl(fd, F_DUPFD_CLOEXEC, high_number());
    return lent >= 0 ? lent : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

void vds_fd_returned(int lent)
{
    if (fcntl(lent, F_GETFD) >= 0)
        close(lent);
}
