/* SPDX-License-Identifier: MIT
 *
 * What every object of the client has, and the table that gives out ids.
 */
#ifndef VIADUCT_ICD_OBJECT_H
#define VIADUCT_ICD_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/vk.h"

#include <vulkan/vk_icd.h>
#include <vulkan/vulkan_core.h>

#include "protocol/handle.h"

struct vdc_instance;
struct vdc_device;

/* Dispatchable handles point to this; the loader owns the first word. */
struct vdc_dispatchable {
    VK_LOADER_DATA loader;
    uint64_t id;
    struct vdc_instance *instance;
    struct vdc_device *device; /* NULL for instances and physical devices */
};

static inline void vdc_dispatchable_init(struct vdc_dispatchable *object, uint64_t id,
                                         struct vdc_instance *instance, struct vdc_device *device)
{
    *object = (struct vdc_dispatchable){.id = id, .instance = instance, .device = device};
    set_loader_magic_value(object);
}

/* The id of a dispatchable handle; NULL has 0. */
static inline uint64_t vdc_id_of(const void *handle)
{
    return handle ? ((const struct vdc_dispatchable *)handle)->id : 0;
}

static inline struct vdc_instance *vdc_instance_of(const void *handle)
{
    return ((const struct vdc_dispatchable *)handle)->instance;
}

/* Objects that never cross begin with this. Their handles are pointers, which come again once they are
 * freed; their ids do not. */
struct vdc_local_object {
    uint64_t id;
};

/* The id of an object that is named by its type (enum vd_type) and a number, as in
 * VkDebugUtilsObjectNameInfoEXT. */
uint64_t vdc_id_of_object(uint32_t type, uint64_t handle);

struct vdc_ids;

struct vdc_ids *vdc_ids_create(void);
void vdc_ids_destroy(struct vdc_ids *ids);

/* What the application hangs on objects. It is kept under their ids, as everything is that is kept
 * beside an object, and is forgotten when the id is freed. */
struct vdc_private_data *vdc_ids_private_data(struct vdc_ids *ids);

/* A new id of this type (enum vd_type), or 0 when there is no memory or no index left. `pool`, an
 * id or 0, is freed with all its children by vdc_id_free_children. Thread-safe. */
uint64_t vdc_ids_new(struct vdc_ids *ids, uint8_t type, uint64_t pool);
/* 0 and ids that are already free are fine. */
void vdc_ids_free(struct vdc_ids *ids, const uint64_t *list, uint64_t count);
void vdc_ids_free_children(struct vdc_ids *ids, uint64_t pool);

/* The client's own object behind a non-dispatchable handle, where it has one. */
void vdc_ids_set_object(struct vdc_ids *ids, uint64_t id, void *object);
void *vdc_ids_object(struct vdc_ids *ids, uint64_t id);

#endif
