/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_SERVER_SEMAPHORE_H
#define VIADUCT_SERVER_SEMAPHORE_H

#include <stdint.h>

#include <vulkan/vulkan_core.h>

struct vd_device;

/* Those that the client has destroyed, and the driver not yet. */
struct vd_semaphores {
    VkSemaphore *handles;
    uint32_t count;
};

/* Destroys them all. The device is idle. */
void vd_semaphores_finish(struct vd_device *device);

#endif
