/* SPDX-License-Identifier: MIT
 *
 * A server that was built without the GPU of virtual machines.
 */
#include <stddef.h>
#include <stdlib.h>

#include "device.h"
#include "link.h"

bool vg_device_available(void)
{
    return false;
}

int vg_device_run(int socket, int spawn)
{
    (void)socket, (void)spawn;
    return EXIT_FAILURE;
}

struct vg_link *vg_link_create(int fd, struct vds_shm_table *shm,
                               const struct vds_vtest_listener *listener, void *data)
{
    (void)fd, (void)shm, (void)listener, (void)data;
    return NULL;
}

void vg_link_destroy(struct vg_link *link)
{
    (void)link;
}

enum vds_vtest_status vg_link_process(struct vg_link *link)
{
    (void)link;
    return VDS_VTEST_FAILED;
}
