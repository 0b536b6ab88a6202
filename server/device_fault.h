/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_SERVER_DEVICE_FAULT_H
#define VIADUCT_SERVER_DEVICE_FAULT_H

struct vds_context;

/* Says in the log what the host's driver knows of the loss of a device (VK_EXT_device_fault). Any thread. */
void vds_device_faults_report(struct vds_context *context);

#endif
