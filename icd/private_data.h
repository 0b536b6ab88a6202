/* SPDX-License-Identifier: MIT
 *
 * VK_EXT_private_data: numbers that the application hangs on objects. They never leave the client.
 */
#ifndef VIADUCT_ICD_PRIVATE_DATA_H
#define VIADUCT_ICD_PRIVATE_DATA_H

#include <stdbool.h>
#include <stdint.h>

/* All private data of an instance. Thread-safe. */
struct vdc_private_data;

struct vdc_private_data *vdc_private_data_create(void);
void vdc_private_data_destroy(struct vdc_private_data *data);

/* Slots and objects are ids, which are never the same for two. What is freed is forgotten. */
void vdc_private_data_remove_slot(struct vdc_private_data *data, uint64_t slot);
void vdc_private_data_forget(struct vdc_private_data *data, uint64_t object);
/* False: no memory. */
bool vdc_private_data_set(struct vdc_private_data *data, uint64_t slot, uint64_t object,
                          uint64_t value);
/* 0: never set. */
uint64_t vdc_private_data_get(struct vdc_private_data *data, uint64_t slot, uint64_t object);

#endif
