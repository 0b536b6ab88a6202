/* SPDX-License-Identifier: MIT */
#include "link.h"

#include <sys/mman.h>
#include <unistd.h>

#include "icd/spare_descriptor.h"

bool vdc_link_forked(const struct vdc_link *link)
{
    if (link->owned)
        return atomic_load_explicit(link->owned, memory_order_relaxed) == 0;
    return getpid() != link->owner;
}

bool vdc_link_lost(const struct vdc_link *link)
{
    return atomic_load_explicit(&link->completion->lost, memory_order_acquire) != 0 ||
           vdc_link_forked(link);
}

bool vdc_link_gone(const struct vdc_link *link)
{
    return atomic_load_explicit(&link->gone, memory_order_acquire) || vdc_link_forked(link);
}

static void mark_owned(struct vdc_link *link)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    link->owner = getpid();
    void *map = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return;
    if (madvise(map, page, MADV_WIPEONFORK) < 0) {
        munmap(map, page);
        return;
    }
    link->owned = map;
    atomic_store_explicit(link->owned, 1, memory_order_relaxed);
}

VkResult vdc_link_init(struct vdc_link *link)
{
    *link = (struct vdc_link){.completion_shm.fd = -1};
    mark_owned(link);
    VkResult result = vdc_transport_connect(&link->transport);
    if (result == VK_SUCCESS) {
        vdc_spare_descriptor_keep();
        result = link->transport->ops->shm_create(link->transport, sizeof(struct vd_completion),
                                                  &link->completion_shm);
    }
    if (result == VK_SUCCESS)
        vdc_link_shm_close_file(&link->completion_shm);
    if (result != VK_SUCCESS) {
        vdc_link_finish(link);
        return result;
    }
    link->completion = link->completion_shm.map;
    return VK_SUCCESS;
}

void vdc_link_finish(struct vdc_link *link)
{
    vdc_link_shm_destroy(link, &link->completion_shm);
    if (link->transport)
        link->transport->ops->destroy(link->transport);
    if (link->owned)
        munmap(link->owned, (size_t)sysconf(_SC_PAGESIZE));
}

const struct vd_capset *vdc_link_capset(const struct vdc_link *link)
{
    return &link->transport->capset;
}

bool vdc_link_same_kernel(const struct vdc_link *link)
{
    return link->transport->ops->same_kernel;
}

/* ---- Shared memory */

VkResult vdc_link_shm_create_file(struct vdc_link *link, uint64_t size, struct vdc_shm *shm)
{
    if (vdc_link_gone(link))
        return VK_ERROR_DEVICE_LOST;
    const VkResult result = link->transport->ops->shm_create(link->transport, size, shm);
    vdc_spare_descriptor_keep(); /* it may have been used for that */
    return result;
}

void vdc_link_shm_close_file(struct vdc_shm *shm)
{
    if (shm->fd >= 0)
        close(shm->fd);
    shm->fd = -1;
    vdc_spare_descriptor_keep();
}

VkResult vdc_link_shm_create(struct vdc_link *link, uint64_t size, struct vdc_shm *shm)
{
    const VkResult result = vdc_link_shm_create_file(link, size, shm);
    if (result == VK_SUCCESS)
        vdc_link_shm_close_file(shm);
    return result;
}

void vdc_link_shm_destroy(struct vdc_link *link, struct vdc_shm *shm)
{
    if (shm->id == 0)
        return;
    if (!vdc_link_forked(link)) {
        link->transport->ops->shm_destroy(link->transport, shm);
    } else { /* the transport's other end belongs to the parent */
        munmap(shm->map, shm->size);
        if (shm->fd >= 0)
            close(shm->fd);
    }
    *shm = (struct vdc_shm){.fd = -1};
}

VkResult vdc_link_shm_import(struct vdc_link *link, int fd, uint64_t offset, uint64_t size,
                             struct vdc_shm *shm)
{
    if (vdc_link_lost(link))
        return VK_ERROR_DEVICE_LOST;
    return link->transport->ops->shm_import(link->transport, fd, offset, size, shm);
}

int vdc_link_shm_export(struct vdc_link *link, uint32_t shm)
{
    struct vdc_transport *transport = link->transport;
    return transport->ops->shm_export && !vdc_link_lost(link)
               ? transport->ops->shm_export(transport, shm)
               : -1;
}

bool vdc_link_shm_set_layout(struct vdc_link *link, uint32_t shm, uint64_t offset, uint32_t pitch,
                             VkExtent2D extent)
{
    struct vdc_transport *transport = link->transport;
    return transport->ops->shm_set_layout && !vdc_link_lost(link) &&
           transport->ops->shm_set_layout(transport, shm, offset, pitch, extent);
}

/* ---- Descriptors */

VkResult vdc_link_fd_give(struct vdc_link *link, int fd, uint32_t *id)
{
    if (vdc_link_lost(link))
        return VK_ERROR_DEVICE_LOST;
    return link->transport->ops->fd_give(link->transport, fd, id);
}

VkResult vdc_link_fd_take(struct vdc_link *link, uint32_t id, int *fd)
{
    return link->transport->ops->fd_take(link->transport, id, fd);
}

/* ---- Sleeping */

void vdc_link_wake(struct vdc_link *link, _Atomic uint32_t *address)
{
    link->transport->ops->wake(link->transport, address);
}

void vdc_link_wait(struct vdc_link *link, _Atomic uint32_t *address, uint32_t value,
                   uint64_t timeout_ns)
{
    link->transport->ops->wait(link->transport, address, value, timeout_ns);
}
