/* SPDX-License-Identifier: MIT
 *
 * The objects of one client: id -> host handle. An array indexed by the id, so that finding takes
 * no lock and no search. Any thread may add, remove and find.
 */
#ifndef VIADUCT_SERVER_OBJECT_H
#define VIADUCT_SERVER_OBJECT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/handle.h"

#define VDS_OBJECT_PAGE_BITS 12
#define VDS_OBJECT_PAGE_SIZE (1u << VDS_OBJECT_PAGE_BITS)
#define VDS_OBJECT_PAGES     (VD_ID_INDEX_MAX / VDS_OBJECT_PAGE_SIZE)

/* What every command looks at. */
struct vds_object {
    uint64_t handle;      /* the host's; 0: a poisoned object, whose creation failed */
    _Atomic uint32_t key; /* vd_id_key(), 0: free. Stored with release after the others. */
    uint32_t owner;       /* index of the VkDevice (its own, for a device), 0: instance level */
};

/* What creation and destruction look at. */
struct vds_object_links {
    void *data;              /* by type; the table's release() gets it back */
    uint32_t pool;           /* index of the pool that it comes from, 0: none */
    uint32_t first_child;    /* of a pool */
    uint32_t next, previous; /* among the children of the pool */
    uint32_t born;           /* how many there had been before it */
    uint32_t kinds;          /* see vds_known_kinds(), 0: not known */
    uint64_t size;           /* see vds_known_size(), 0: not known */
    bool doomed;             /* goes with the command in hand */
    bool open;               /* of a command buffer: its stream goes on */
};

struct vds_object_page {
    struct vds_object objects[VDS_OBJECT_PAGE_SIZE];
    struct vds_object_links links[VDS_OBJECT_PAGE_SIZE];
};

struct vds_object_table {
    pthread_mutex_t lock; /* of those who add and remove */
    struct vds_object_page *_Atomic pages[VDS_OBJECT_PAGES];
    uint32_t page_limit; /* no page from here on exists */
    uint32_t births;
    /* Called for each removed object that has data. */
    void (*release)(void *user, uint32_t type, void *data);
    void *user;
};

void vds_object_table_init(struct vds_object_table *table,
                           void (*release)(void *user, uint32_t type, void *data), void *user);
void vds_object_table_finish(struct vds_object_table *table);

/* Removes all objects. */
void vds_object_clear(struct vds_object_table *table);

/* Whether an object with this id could be added: well formed, and its index free. */
bool vds_object_addable(const struct vds_object_table *table, uint64_t id, uint32_t type);

/* False: not addable, the pool does not exist, or no memory. `handle` 0 makes a poisoned object. */
bool vds_object_add(struct vds_object_table *table, uint64_t id, uint64_t handle, uint32_t owner,
                    uint32_t pool, void *data);
/* The same of an object of which more is known: nobody finds it without that, however early. */
struct vds_object_new {
    uint64_t id, handle;
    uint32_t owner, pool;
    const void *owner_data; /* that of the owner, if it is still the one that is meant; NULL: any */
    void *data;
    uint64_t size;
    uint32_t kinds;
};
bool vds_object_add_new(struct vds_object_table *table, const struct vds_object_new *new);

/* With its children; nothing happens if there is no such id. */
void vds_object_remove(struct vds_object_table *table, uint64_t id);
/* Its children only. */
void vds_object_remove_children(struct vds_object_table *table, uint64_t id);
/* All objects of a device, the device included. Without `release` their data stays as it is. */
void vds_object_remove_owned(struct vds_object_table *table, uint32_t owner, bool release);

/* Calls `visit` for each object of a device, with its links' `born`. It must not use the table. */
void vds_object_visit_owned(struct vds_object_table *table, uint32_t owner,
                            void (*visit)(void *user, uint32_t type, uint64_t handle,
                                          uint32_t born),
                            void *user);

/* Calls `visit` for the object of this type with this handle of the host's, if there is one, with its
 * links. It must not use the table. */
void vds_object_visit_handle(struct vds_object_table *table, uint32_t type, uint64_t handle,
                             void (*visit)(void *user, const struct vds_object_links *links),
                             void *user);
/* How many there have been. */
uint32_t vds_object_births(struct vds_object_table *table);

/* NULL: no such id. */
static inline struct vds_object *vds_object_find(const struct vds_object_table *table, uint64_t id)
{
    const uint32_t index = vd_id_index(id), key = vd_id_key(id);
    if (index >= VD_ID_INDEX_MAX || key == 0)
        return NULL;
    /* acquire: what was in the page and the object before vds_object_add published them. */
    struct vds_object_page *page =
        atomic_load_explicit(&table->pages[index >> VDS_OBJECT_PAGE_BITS], memory_order_acquire);
    if (!page)
        return NULL;
    struct vds_object *object = &page->objects[index & (VDS_OBJECT_PAGE_SIZE - 1)];
    return atomic_load_explicit(&object->key, memory_order_acquire) == key ? object : NULL;
}

/* NULL: no such id of that type. */
static inline struct vds_object *vds_object_find_type(const struct vds_object_table *table,
                                                      uint64_t id, uint32_t type)
{
    return vd_id_type(id) == type ? vds_object_find(table, id) : NULL;
}

/* The links of an index whose page exists, as that of any found object does. */
static inline struct vds_object_links *vds_object_links(const struct vds_object_table *table,
                                                        uint32_t index)
{
    struct vds_object_page *page =
        atomic_load_explicit(&table->pages[index >> VDS_OBJECT_PAGE_BITS], memory_order_acquire);
    return &page->links[index & (VDS_OBJECT_PAGE_SIZE - 1)];
}

#endif
