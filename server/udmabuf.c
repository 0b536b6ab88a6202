/* SPDX-License-Identifier: MIT */
#include "udmabuf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int device = -1;

bool vds_udmabuf_open(void)
{
    if (device < 0)
        device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
    return device >= 0;
}

void vds_udmabuf_close(void)
{
    if (device >= 0)
        close(device);
    device = -1;
}

bool vds_udmabuf_is_open(void)
{
    return device >= 0;
}

int vds_udmabuf_create(int memfd, uint64_t offset, uint64_t size)
{
    const struct udmabuf_create info = {
        .memfd = (uint32_t)memfd,
        .flags = UDMABUF_FLAGS_CLOEXEC,
        .offset = offset,
        .size = size,
    };
    if (device < 0) {
        errno = ENODEV;
        return -1;
    }
    return ioctl(device, UDMABUF_CREATE, &info);
}
