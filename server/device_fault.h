/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_SERVER_DEVICE_FAULT_H
#define VIADUCT_SERVER_DEVICE_FAULT_H

struct vds_device;

/* Says in the log what the host's driver knows of the loss of the device (VK_EXT_device_fault). NULL is fine.
 * By a thread that keeps the device from being destroyed; without locks, for such a driver may not return. */
void vds_device_fault_report(const struct vds_device *device);

#endif
