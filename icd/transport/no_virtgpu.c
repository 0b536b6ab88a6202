/* SPDX-License-Identifier: MIT
 *
 * A driver that was built without the way out of virtual machines.
 */
#include "icd/log.h"
#include "icd/transport.h"

VkResult vdc_virtgpu_connect(struct vdc_transport **transport)
{
    (void)transport;
    vdc_log("this driver was built without virtio-gpu");
    return VK_ERROR_INCOMPATIBLE_DRIVER;
}
