/* SPDX-License-Identifier: MIT
 *
 * Device memory. What the client imports is shared memory of its own, which stays mapped here as
 * long as the host's memory object lives.
 */
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

void vd_replay_vkAllocateMemory(struct vd_decoder *d, void *body)
{
    struct vd_args_vkAllocateMemory *a = body;
    if (!check_import(d, a->pAllocateInfo)) {
        return;
    }
    d->result = d->device->vkAllocateMemory(a->device, a->pAllocateInfo, NULL, a->pMemory);
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
