/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_SERVER_SEMAPHORE_H
#define VIADUCT_SERVER_SEMAPHORE_H

#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

struct vd_device;

struct vd_semaphores {
    VkSemaphore *handles;
    uint32_t count;
};

/* Whether the client has signalled it: no queue needs to wait, and it is not signalled any more. */
bool vd_semaphore_take_signalled(struct vd_device *device, VkSemaphore semaphore);

/* Destroys those that the client has destroyed, and the driver not yet. The device is idle. */
void vd_semaphores_finish(struct vd_device *device);

#endif
