/* SPDX-License-Identifier: MIT
 *
 * Lines in the log about what a guest does wrong: so many, and no more, as it may go on for ever.
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_COMPLAINT_H
#define VIADUCT_SERVER_VIRTIO_GPU_COMPLAINT_H

/* A warning, as vds_log(); left out when there were many in the last ten seconds. */
__attribute__((format(printf, 1, 2))) void vg_complain(const char *format, ...);

#endif
