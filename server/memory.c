/* SPDX-License-Identifier: MIT
 *
 * Device memory. What the client imports is shared memory of its own, which stays mapped here as
 * long as the host's memory object lives. Descriptors, which the host's driver makes and takes, stand
 * in records as ids.
 */
#include <unistd.h>

#include "args.h"
#include "context_private.h"
#include "device.h"
#include "log.h"
#include "replay.h"

/* The part of shared memory that is imported, if any, must hold what is allocated. */
static bool check_import(struct vd_decoder *d, const VkMemoryAllocateInfo *info)
{
    const VkImportMemoryHostPointerInfoEXT *import = NULL;
    for (const VkBaseInStructure *link = info->pNext; link; link = link->pNext) {
        if (link->sType == VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT) {
            import = (const VkImportMemoryHostPointerInfoEXT *)link;
        }
    }
    if (!import) {
        return true;
    }
    const uint32_t alignment = d->owner->physical_device->import_alignment;
    if (alignment == 0) {
        return vd_dec_fail(d, "imports memory where the host can not");
    }
    if (import->handleType != VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT) {
        return vd_dec_fail(d, "imports memory that is no host allocation");
    }
    const uint64_t offset = (uint64_t)((const uint8_t *)import->pHostPointer - d->shm->map);
    if (info->allocationSize > d->shm->size - offset) {
        return vd_dec_fail(d, "imports memory beyond its shared memory");
    }
    if ((uintptr_t)import->pHostPointer % alignment != 0 || info->allocationSize % alignment != 0) {
        d->result = VK_ERROR_INVALID_EXTERNAL_HANDLE;
        return false;
    }
    return true;
}

/* Puts the descriptor that is imported, if any, in the place of its id: *fd, or -1. */
static bool take_import(struct vd_decoder *d, const VkMemoryAllocateInfo *info, int *fd)
{
    *fd = -1;
    for (const VkBaseInStructure *link = info->pNext; link; link = link->pNext) {
        /* The chain is a private copy, so that what stands in it may be changed. */
        VkImportMemoryFdInfoKHR *import = (VkImportMemoryFdInfoKHR *)link;
        if (link->sType != VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR || !import->handleType) {
            continue;
        }
        if (*fd >= 0) {
            return vd_dec_fail(d, "imports two descriptors");
        }
        *fd = import->fd = vd_shm_take_fd(d->context->shm, (uint32_t)import->fd);
        if (*fd < 0) {
            return vd_dec_fail(d, "imports a descriptor that was not given");
        }
    }
    return true;
}

void vd_replay_vkAllocateMemory(struct vd_decoder *d, void *body)
{
    struct vd_args_vkAllocateMemory *a = body;
    int fd;
    if (!check_import(d, a->pAllocateInfo) || !take_import(d, a->pAllocateInfo, &fd)) {
        return;
    }
    d->result = d->device->vkAllocateMemory(a->device, a->pAllocateInfo, NULL, a->pMemory);
    if (d->result != VK_SUCCESS && fd >= 0) {
        close(fd); /* else the driver's */
    }
    if (d->result == VK_SUCCESS && d->shm) {
        d->pendings[0].data = d->shm;
        d->shm = NULL;
    }
}

void vd_replay_vkFreeMemory(struct vd_decoder *d, void *body)
{
    struct vd_args_vkFreeMemory *a = body;
    /* The shared memory goes with the table's entry, after this. */
    d->device->vkFreeMemory(a->device, a->memory, NULL);
}

void vd_replay_vkGetMemoryFdKHR(struct vd_decoder *d, void *body)
{
    struct vd_args_vkGetMemoryFdKHR *a = body;
    if (!d->device->vkGetMemoryFdKHR) {
        vd_dec_fail(d, "the host has no such command");
        return;
    }
    int fd;
    d->result = d->device->vkGetMemoryFdKHR(a->device, a->pGetFdInfo, &fd);
    if (d->result == VK_SUCCESS) {
        *a->pFd = (int)vd_shm_add_fd(d->context->shm, fd);
        d->result = *a->pFd ? VK_SUCCESS : VK_ERROR_TOO_MANY_OBJECTS;
    }
}

void vd_replay_vkGetMemoryFdPropertiesKHR(struct vd_decoder *d, void *body)
{
    struct vd_args_vkGetMemoryFdPropertiesKHR *a = body;
    const int fd = vd_shm_take_fd(d->context->shm, (uint32_t)a->fd);
    if (fd < 0) {
        vd_dec_fail(d, "asks for a descriptor that was not given");
        return;
    }
    if (d->device->vkGetMemoryFdPropertiesKHR) {
        d->result = d->device->vkGetMemoryFdPropertiesKHR(a->device, a->handleType, fd,
                                                          a->pMemoryFdProperties);
    } else {
        vd_dec_fail(d, "the host has no such command");
    }
    close(fd);
}
