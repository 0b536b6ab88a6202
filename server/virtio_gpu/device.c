/* SPDX-License-Identifier: MIT */
#include "device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/log.h"

#include "gpu.h"
#include "loop.h"
#include "vhost_user.h"

bool vg_device_available(void)
{
    return true;
}

int vg_device_run(int socket, int spawn)
{
    struct vg_loop loop;
    struct vg_gpu *gpu = vg_loop_init(&loop) ? vg_gpu_create(&loop, spawn) : NULL;
    struct vg_vhost_user *vhost_user = gpu ? vg_vhost_user_create(&loop, gpu, socket) : NULL;
    if (!vhost_user) {
        vds_log(VDS_LOG_ERROR, "no memory or descriptors for a device");
        return EXIT_FAILURE;
    }
    vds_log(VDS_LOG_INFO, "connected");
    vds_log(VDS_LOG_INFO,
            "DEGRADED: each worker of this guest gets the file of all of its memory, for pages "
            "are not made a udmabuf of their own yet");
    while (vg_vhost_user_is_open(vhost_user)) {
        if (vg_loop_turn(&loop, vg_gpu_expire(gpu)) < 0 && errno != EINTR) {
            vds_log(VDS_LOG_ERROR, "epoll: %m");
            break;
        }
    }
    /* The kernel gives back memory and descriptors; workers see their sockets close. */
    vds_log(VDS_LOG_INFO, "disconnected");
    return EXIT_SUCCESS;
}
