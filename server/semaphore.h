/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_SERVER_SEMAPHORE_H
#define VIADUCT_SERVER_SEMAPHORE_H

#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

struct vds_device;

struct vds_semaphores {
    VkSemaphore *handles;
    uint32_t count;
};

/* Whether the client has signalled it: no queue needs to wait, and it is not signalled any more. */
bool vds_semaphore_take_signalled(struct vds_device *device, VkSemaphore semaphore);

/* Destroys those that the client has destroyed, and the driver not yet. The device is idle. */
void vds_semaphores_finish(struct vds_device *device);

#endif
