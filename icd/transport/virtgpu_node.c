/* SPDX-License-Identifier: MIT */
#include "virtgpu_node.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <drm.h>
#include <virtgpu_drm.h>

#include "icd/log.h"
#include "icd/transport.h"

#define DRIVER_NAME "virtio_gpu"
#define NODES       "/dev/dri"

int vdc_drm_ioctl(int fd, unsigned long request, void *argument)
{
    int result;
    do {
        result = ioctl(fd, request, argument);
    } while (result < 0 && (errno == EINTR || errno == EAGAIN));
    return result;
}

static bool is_virtio_gpu(int fd)
{
    char name[sizeof(DRIVER_NAME)] = "";
    struct drm_version version = {.name = name, .name_len = sizeof(name)};
    return vdc_drm_ioctl(fd, DRM_IOCTL_VERSION, &version) == 0 &&
           version.name_len == strlen(DRIVER_NAME) && !memcmp(name, DRIVER_NAME, version.name_len);
}

static bool get_capset(int fd, uint32_t version, struct vd_capset *capset)
{
    struct drm_virtgpu_get_caps request = {
        .cap_set_id = VD_CAPSET_ID,
        .cap_set_ver = version,
        .addr = (uintptr_t)capset,
        .size = sizeof(*capset),
    };
    return vdc_drm_ioctl(fd, DRM_IOCTL_VIRTGPU_GET_CAPS, &request) == 0;
}

/* The node's descriptor if a Viaduct server is behind it, else -1 after a line in the log. */
static int open_node(const char *path, struct vd_capset *capset)
{
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        vdc_log_reason("node-denied", path, "can not open %s: %s", path, strerror(errno));
        return -1;
    }
    uint64_t value = 0;
    struct drm_virtgpu_getparam param = {.param = VIRTGPU_PARAM_3D_FEATURES,
                                         .value = (uintptr_t)&value};
    if (!is_virtio_gpu(fd))
        goto close_fd;
    if (vdc_drm_ioctl(fd, DRM_IOCTL_VIRTGPU_GETPARAM, &param) < 0 || value == 0 ||
        !get_capset(fd, 0, capset)) {
        vdc_log_reason("node-foreign", path, "the virtio-gpu at %s is not Viaduct's", path);
        goto close_fd;
    }
    if (capset->protocol_version != VD_PROTOCOL_VERSION) {
        vdc_log_reason("node-version", path,
                       "the server behind %s speaks Viaduct protocol %u, this driver %u", path,
                       capset->protocol_version, VD_PROTOCOL_VERSION);
        goto close_fd;
    }
    if (!vdc_capset_is_valid(capset)) {
        vdc_log_reason("node-senseless", path, "the server behind %s offers a senseless capset",
                       path);
        goto close_fd;
    }
    return fd;

close_fd:
    close(fd);
    return -1;
}

static int is_render_node(const struct dirent *entry)
{
    return !strncmp(entry->d_name, "renderD", strlen("renderD"));
}

/* Whether the node may be virtio-gpu's, without opening it: that may wake a GPU. The device's driver
 * is virtio_gpu, or that of the bus behind it, which is some virtio, too. */
static bool may_be_virtio(const char *path)
{
    char link[64], driver[PATH_MAX];
    struct stat status;
    if (stat(path, &status) < 0 || !S_ISCHR(status.st_mode))
        return false;
    snprintf(link, sizeof(link), "/sys/dev/char/%u:%u/device/driver", major(status.st_rdev),
             minor(status.st_rdev));
    const ssize_t length = readlink(link, driver, sizeof(driver) - 1);
    if (length < 0)
        return true; /* nobody tells */
    driver[length] = '\0';
    const char *name = strrchr(driver, '/');
    return !strncmp(name ? name + 1 : driver, "virtio", strlen("virtio"));
}

int vdc_virtgpu_open(struct vd_capset *capset)
{
    struct dirent **nodes;
    const int count = scandir(NODES, &nodes, is_render_node, versionsort);
    int fd = -1;
    for (int i = 0; i < count; i++) {
        char path[sizeof(NODES) + 1 + sizeof(nodes[i]->d_name)];
        snprintf(path, sizeof(path), NODES "/%s", nodes[i]->d_name);
        if (fd < 0 && may_be_virtio(path))
            fd = open_node(path, capset);
        free(nodes[i]);
    }
    if (count >= 0)
        free(nodes);
    return fd;
}
