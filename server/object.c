/* SPDX-License-Identifier: MIT */
#include "object.h"

#include <stdlib.h>

static struct vds_object_page *page_of(const struct vds_object_table *table, uint32_t index)
{
    return atomic_load_explicit(&table->pages[index >> VDS_OBJECT_PAGE_BITS], memory_order_acquire);
}

static struct vds_object *object_at(const struct vds_object_table *table, uint32_t index)
{
    return &page_of(table, index)->objects[index & (VDS_OBJECT_PAGE_SIZE - 1)];
}

static uint32_t key_of(const struct vds_object *object)
{
    return atomic_load_explicit(&object->key, memory_order_relaxed);
}

void vds_object_table_init(struct vds_object_table *table,
                           void (*release)(void *user, uint32_t type, void *data), void *user)
{
    pthread_mutex_init(&table->lock, NULL);
    for (uint32_t i = 0; i < VDS_OBJECT_PAGES; i++)
        atomic_init(&table->pages[i], NULL);
    table->page_limit = 0;
    table->births = 0;
    table->release = release;
    table->user = user;
}

void vds_object_table_finish(struct vds_object_table *table)
{
    vds_object_clear(table);
    for (uint32_t i = 0; i < table->page_limit; i++) {
        free(atomic_load_explicit(&table->pages[i], memory_order_relaxed));
        atomic_store_explicit(&table->pages[i], NULL, memory_order_relaxed);
    }
    pthread_mutex_destroy(&table->lock);
}

bool vds_object_addable(const struct vds_object_table *table, uint64_t id, uint32_t type)
{
    const uint32_t index = vd_id_index(id);
    if (vd_id_type(id) != type || type == 0 || index == 0 || index >= VD_ID_INDEX_MAX)
        return false;
    return !page_of(table, index) || key_of(object_at(table, index)) == 0;
}

/* Under the lock. */
static bool add(struct vds_object_table *table, const struct vds_object_new *new)
{
    const uint32_t index = vd_id_index(new->id), pool = new->pool;
    if (!vds_object_addable(table, new->id, vd_id_type(new->id)))
        return false;
    if (new->owner_data && vds_object_links(table, new->owner)->data != new->owner_data)
        return false;
    if (pool &&
        (pool >= VD_ID_INDEX_MAX || !page_of(table, pool) || key_of(object_at(table, pool)) == 0))
        return false;
    if (!page_of(table, index)) {
        struct vds_object_page *page = calloc(1, sizeof(*page));
        if (!page)
            return false;
        /* release: pairs with the acquire of vds_object_find. */
        atomic_store_explicit(&table->pages[index >> VDS_OBJECT_PAGE_BITS], page,
                              memory_order_release);
        if (table->page_limit <= index >> VDS_OBJECT_PAGE_BITS)
            table->page_limit = (index >> VDS_OBJECT_PAGE_BITS) + 1;
    }

    struct vds_object_links *links = vds_object_links(table, index);
    *links = (struct vds_object_links){
        .data = new->data,
        .pool = pool,
        .born = table->births++,
        .kinds = new->kinds,
        .size = new->size,
    };
    if (pool) {
        struct vds_object_links *parent = vds_object_links(table, pool);
        links->next = parent->first_child;
        if (links->next)
            vds_object_links(table, links->next)->previous = index;
        parent->first_child = index;
    }
    struct vds_object *object = object_at(table, index);
    object->handle = new->handle;
    object->owner = new->owner;
    atomic_store_explicit(&object->key, vd_id_key(new->id), memory_order_release);
    return true;
}

bool vds_object_add(struct vds_object_table *table, uint64_t id, uint64_t handle, uint32_t owner,
                    uint32_t pool, void *data)
{
    const struct vds_object_new new = {
        .id = id,
        .handle = handle,
        .owner = owner,
        .pool = pool,
        .data = data,
    };
    return vds_object_add_new(table, &new);
}

bool vds_object_add_new(struct vds_object_table *table, const struct vds_object_new *new)
{
    pthread_mutex_lock(&table->lock);
    const bool added = add(table, new);
    pthread_mutex_unlock(&table->lock);
    return added;
}

/* Everything but taking it off its pool's list. Under the lock, as what follows. */
static void drop(struct vds_object_table *table, uint32_t index, bool release)
{
    struct vds_object *object = object_at(table, index);
    struct vds_object_links *links = vds_object_links(table, index);
    const uint32_t type = key_of(object) >> 24;
    void *data = links->data;
    atomic_store_explicit(&object->key, 0, memory_order_release);
    *links = (struct vds_object_links){0};
    if (data && release)
        table->release(table->user, type, data);
}

static void drop_children(struct vds_object_table *table, uint32_t index)
{
    struct vds_object_links *links = vds_object_links(table, index);
    uint32_t child = links->first_child;
    links->first_child = 0;
    while (child) {
        const uint32_t next = vds_object_links(table, child)->next;
        drop(table, child, true);
        child = next;
    }
}

static void remove_one(struct vds_object_table *table, uint64_t id)
{
    const uint32_t index = vd_id_index(id);
    drop_children(table, index);

    const struct vds_object_links *links = vds_object_links(table, index);
    if (links->next)
        vds_object_links(table, links->next)->previous = links->previous;
    if (links->previous)
        vds_object_links(table, links->previous)->next = links->next;
    else if (links->pool)
        vds_object_links(table, links->pool)->first_child = links->next;
    drop(table, index, true);
}

void vds_object_remove(struct vds_object_table *table, uint64_t id)
{
    pthread_mutex_lock(&table->lock);
    if (vds_object_find(table, id))
        remove_one(table, id);
    pthread_mutex_unlock(&table->lock);
}

void vds_object_remove_children(struct vds_object_table *table, uint64_t id)
{
    pthread_mutex_lock(&table->lock);
    if (vds_object_find(table, id))
        drop_children(table, vd_id_index(id));
    pthread_mutex_unlock(&table->lock);
}

/* Objects of one device, or with owner 0 all there are. Pools and children share their owner, so
 * that lists need no care. */
static void drop_all(struct vds_object_table *table, uint32_t owner, bool release)
{
    pthread_mutex_lock(&table->lock);
    for (uint32_t i = 0; i < table->page_limit; i++) {
        struct vds_object_page *page = page_of(table, i << VDS_OBJECT_PAGE_BITS);
        for (uint32_t j = 0; page && j < VDS_OBJECT_PAGE_SIZE; j++)
            if (key_of(&page->objects[j]) && (!owner || page->objects[j].owner == owner))
                drop(table, i << VDS_OBJECT_PAGE_BITS | j, release);
    }
    pthread_mutex_unlock(&table->lock);
}

void vds_object_remove_owned(struct vds_object_table *table, uint32_t owner, bool release)
{
    if (owner)
        drop_all(table, owner, release);
}

void vds_object_clear(struct vds_object_table *table)
{
    drop_all(table, 0, true);
}

void vds_object_visit_owned(struct vds_object_table *table, uint32_t owner,
                            void (*visit)(void *user, uint32_t type, uint64_t handle,
                                          uint32_t born),
                            void *user)
{
    pthread_mutex_lock(&table->lock);
    for (uint32_t i = 0; i < table->page_limit; i++) {
        const struct vds_object_page *page = page_of(table, i << VDS_OBJECT_PAGE_BITS);
        for (uint32_t j = 0; page && j < VDS_OBJECT_PAGE_SIZE; j++) {
            const struct vds_object *object = &page->objects[j];
            if (key_of(object) && object->owner == owner)
                visit(user, key_of(object) >> 24, object->handle, page->links[j].born);
        }
    }
    pthread_mutex_unlock(&table->lock);
}

void vds_object_visit_handle(struct vds_object_table *table, uint32_t type, uint64_t handle,
                             void (*visit)(void *user, const struct vds_object_links *links),
                             void *user)
{
    pthread_mutex_lock(&table->lock);
    for (uint32_t i = 0; i < table->page_limit; i++) {
        const struct vds_object_page *page = page_of(table, i << VDS_OBJECT_PAGE_BITS);
        for (uint32_t j = 0; page && j < VDS_OBJECT_PAGE_SIZE; j++) {
            const struct vds_object *object = &page->objects[j];
            if (object->handle != handle || key_of(object) >> 24 != type)
                continue;
            visit(user, &page->links[j]);
            pthread_mutex_unlock(&table->lock);
            return;
        }
    }
    pthread_mutex_unlock(&table->lock);
}

uint32_t vds_object_births(struct vds_object_table *table)
{
    pthread_mutex_lock(&table->lock);
    const uint32_t births = table->births;
    pthread_mutex_unlock(&table->lock);
    return births;
}
