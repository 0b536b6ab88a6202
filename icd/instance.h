/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_ICD_INSTANCE_H
#define VIADUCT_ICD_INSTANCE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "connection/connection.h"
#include "nearness.h"
#include "object.h"
#include "peer.h"
#include "shm_pool.h"
#include "unanswered.h"

struct vdc_displays;
struct vdc_physical_device;
struct vdc_profile;
struct vdc_scratch;

/* An instance owns a connection, and so a worker process on the other side. */
struct vdc_instance {
    struct vdc_dispatchable base;
    struct vdc_connection *connection;
    struct vdc_peer peer;         /* what the server knows */
    struct vdc_nearness nearness; /* found with the physical devices */
    struct vdc_ids *ids;
    struct vdc_shm_pool *memory;       /* for VkDeviceMemory and streams */
    uint32_t api_version;              /* what the application asked for */
    bool *extensions;                  /* enabled, by enum vd_extension_index */
    pthread_mutex_t lock;              /* physical devices, scratch, queue slots */
    _Atomic(struct vdc_scratch *) hot; /* a buffer for records, taken and given without the lock */
    struct vdc_scratch *scratch;       /* more of them */
    unsigned scratch_count;
    _Atomic uint64_t scarce_until; /* ns: until then memory may be refused again; 0: never */
    struct vdc_unanswered frees;   /* of memory (device_memory.c) */
    struct vdc_unanswered copies;  /* to images (host_image_copy.c) */
    struct vdc_profile *profile;   /* NULL: nobody asked */
    struct vdc_displays *displays; /* of this machine */
    uint64_t queue_slots[(VD_QUEUE_MAX + 63) / 64]; /* bit set: in use on the completion page */
    struct vdc_physical_device *physical_devices;
    uint32_t physical_device_count;
    bool enumerated;
    /* Once the connection is lost: instances that the application does not see, each with a connection
     * of its own, for devices that it creates then. The newest comes first. Under the lock. */
    struct vdc_instance *heir;
};

/* The instance whose connection serves new devices of this one: itself, or an heir, which is made where
 * there is none that lives. It belongs to the instance. VK_ERROR_DEVICE_LOST: no server answers. */
VkResult vdc_instance_living(struct vdc_instance *instance, struct vdc_instance **living);

/* The ids of an instance's objects, see object.h. */
static inline uint64_t vdc_id_new(struct vdc_instance *instance, uint8_t type, uint64_t pool)
{
    return vdc_ids_new(instance->ids, type, pool);
}

static inline void vdc_id_free_list(struct vdc_instance *instance, const uint64_t *list,
                                    uint64_t count)
{
    vdc_ids_free(instance->ids, list, count);
}

static inline void vdc_id_free(struct vdc_instance *instance, uint64_t id)
{
    vdc_ids_free(instance->ids, &id, 1);
}

/* A zeroed object of `size` bytes that never crosses and begins with a struct vdc_local_object. NULL:
 * no memory. */
static inline void *vdc_local_object_create(struct vdc_instance *instance, uint8_t type,
                                            size_t size)
{
    struct vdc_local_object *object = calloc(1, size);
    if (!object)
        return NULL;
    object->id = vdc_ids_new(instance->ids, type, 0);
    if (!object->id) {
        free(object);
        return NULL;
    }
    return object;
}

/* NULL is fine. */
static inline void vdc_local_object_destroy(struct vdc_instance *instance,
                                            struct vdc_local_object *object)
{
    if (object)
        vdc_id_free(instance, object->id);
    free(object);
}

static inline void vdc_id_free_children(struct vdc_instance *instance, uint64_t pool)
{
    vdc_ids_free_children(instance->ids, pool);
}

static inline void vdc_id_set_object(struct vdc_instance *instance, uint64_t id, void *object)
{
    vdc_ids_set_object(instance->ids, id, object);
}

static inline void *vdc_id_object(struct vdc_instance *instance, uint64_t id)
{
    return vdc_ids_object(instance->ids, id);
}

#endif
