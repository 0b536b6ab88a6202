/* SPDX-License-Identifier: MIT
 *
 * VK_EXT_private_data: numbers that the application hangs on objects. They never leave the client.
 */
#ifndef VIADUCT_ICD_PRIVATE_DATA_H
#define VIADUCT_ICD_PRIVATE_DATA_H

/* All private data of a device. */
struct vd_private_data;

struct vd_private_data *vd_private_data_create(void);
void vd_private_data_destroy(struct vd_private_data *data);

#endif
