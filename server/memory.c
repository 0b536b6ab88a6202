/* SPDX-License-Identifier: MIT
 *
 * Device memory. What the client imports is shared memory of its own, which stays mapped here as
 * long as the host's memory object lives. Descriptors, which the host's driver makes and takes, stand
 * in records as ids.
 */
#include "memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/chain.h"

#include "args.h"
#include "context_private.h"
#include "device.h"
#include "execution.h"
#include "fd.h"
#include "instance.h"
#include "log.h"
#include "mapped_file.h"
#include "names.h"
#include "own_records.h"
#include "replay.h"
#include "shm.h"
#include "udmabuf.h"

/* The shared memory that the record names, NULL: it imports none. No record of these names more. */
static struct vds_loan *import_of(const struct vds_execution *x)
{
    const struct vds_plan *plan = &x->decoder.plan;
    return plan->loan_count ? &plan->loans[0] : NULL;
}

/* What stays with the object: shared memory, or what it takes of the budget. */
struct memory {
    struct vds_shm_region *imported;
    uint64_t size; /* of its own, that is shown */
    uint64_t taken;
    uint64_t all; /* bytes */
    uint32_t type;
    void *map; /* for finding its file; NULL: not yet */
};

void vds_memory_release(struct vds_context *context, void *data)
{
    struct memory *memory = data;
    vds_shm_put(context->shm, memory->imported);
    vds_budget_give_back(&context->device_memory, memory->taken);
    vds_meter_device_memory(&context->meter, -memory->size);
    free(memory);
}

/* What the host's memory pays for an allocation. What is imported was counted when it was made, but a client
 * can import the same pages any number of times. A driver on the CPU that takes an address keeps no more
 * than that. Else the kernel keeps lists of pages, and a file or its like: 64 bytes for each page and 2 KiB for
 * a dma-buf of udmabuf on Linux 6.12; what other drivers' kernel parts keep for an address is not known. */
static uint64_t cost_of(const struct vds_execution *x, const VkMemoryAllocateInfo *info)
{
    if (!import_of(x))
        return x->owner->limits.cpu ? info->allocationSize : 0;
    if (x->owner->limits.cpu && x->owner->physical_device->way.kind == VDS_MEMORY_IMPORT)
        return 0;
    return 4096 + info->allocationSize / 4096 * 64;
}

/* Counts the allocation. NULL, and the client hears of it: it is more than is left, or there is no
 * memory. */
static struct memory *take_budget(struct vds_execution *x, const VkMemoryAllocateInfo *info)
{
    struct memory *memory = calloc(1, sizeof(*memory));
    const uint64_t cost = cost_of(x, info);
    if (memory && !vds_budget_take(&x->context->device_memory, cost)) {
        free(memory);
        memory = NULL;
    }
    if (!memory) {
        x->result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
        return NULL;
    }
    memory->taken = cost;
    memory->all = info->allocationSize;
    memory->type = info->memoryTypeIndex;
    if (!import_of(x)) {
        memory->size = info->allocationSize;
        vds_meter_device_memory(&x->context->meter, memory->size);
    }
    return memory;
}

/* The part of shared memory that is imported, if any, must hold what is allocated. */
static bool check_import(struct vds_execution *x, const VkMemoryAllocateInfo *info)
{
    const VkImportMemoryHostPointerInfoEXT *import = NULL;
    for (const VkBaseInStructure *link = info->pNext; link; link = link->pNext)
        if (link->sType == VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT)
            import = (const VkImportMemoryHostPointerInfoEXT *)link;
    if (!import)
        return true;
    const struct vds_memory_way *way = &x->owner->physical_device->way;
    const uint32_t alignment = way->alignment;
    if (way->kind != VDS_MEMORY_IMPORT && way->kind != VDS_MEMORY_UDMABUF)
        return vds_dec_fail(&x->decoder, "imports memory where the host can not");
    if (import->handleType != VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT)
        return vds_dec_fail(&x->decoder, "imports memory that is no host allocation");
    const struct vds_shm_region *region = import_of(x)->region;
    const uint64_t offset = (uint64_t)((const uint8_t *)import->pHostPointer - region->map);
    if (info->allocationSize > region->size - offset)
        return vds_dec_fail(&x->decoder, "imports memory beyond its shared memory");
    if ((uintptr_t)import->pHostPointer % alignment != 0 || info->allocationSize % alignment != 0) {
        x->result = VK_ERROR_INVALID_EXTERNAL_HANDLE;
        return false;
    }
    return true;
}

/* Whether it is a memfd of so many bytes. Whoever shares it can still make it shorter, which ends a
 * worker that has it, and nothing else. */
static bool is_memory(int fd, uint64_t size)
{
    struct stat status;
    return fcntl(fd, F_GET_SEALS) >= 0 && fstat(fd, &status) == 0 && status.st_size >= 0 &&
           (uint64_t)status.st_size >= size;
}

/* What is imported by descriptor; -1: nothing is. */
struct given {
    int fd;   /* ours */
    int lent; /* its duplicate, which the driver takes */
};

/* Puts a duplicate of the descriptor that is imported, if any, in the place of its id. */
static bool take_import(struct vds_execution *x, const VkMemoryAllocateInfo *info,
                        struct given *given)
{
    for (const VkBaseInStructure *link = info->pNext; link; link = link->pNext) {
        /* The chain is a private copy, so that what stands in it may be changed. */
        VkImportMemoryFdInfoKHR *import = (VkImportMemoryFdInfoKHR *)link;
        if (link->sType != VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR || !import->handleType)
            continue;
        if (given->fd >= 0)
            return vds_dec_fail(&x->decoder, "imports two descriptors");
        given->fd = vds_shm_take_fd(x->context->shm, (uint32_t)import->fd);
        if (given->fd < 0)
            return vds_dec_fail(&x->decoder, "imports a descriptor that was not given");
        if (x->owner->limits.cpu &&
            !(x->owner->limits.plain_files && is_memory(given->fd, info->allocationSize))) {
            /* Such a driver believes what stands in the file, and its addresses are this process's.
             * The client's memory is shared memory there, which needs no descriptor. */
            vds_log(VDS_LOG_WARNING,
                    "vkAllocateMemory: refused: a descriptor for a driver on the CPU");
            x->result = VK_ERROR_INVALID_EXTERNAL_HANDLE;
            return false;
        }
        import->fd = given->lent = vds_fd_lend(given->fd);
        if (given->lent < 0) {
            x->result = VK_ERROR_TOO_MANY_OBJECTS;
            return false;
        }
    }
    return true;
}

/* Where the driver wants a dma-buf of the client's pages, puts one in the place of their address. */
static bool make_dma_buf(struct vds_execution *x, const VkMemoryAllocateInfo *info,
                         struct given *given)
{
    if (x->owner->physical_device->way.kind != VDS_MEMORY_UDMABUF || !import_of(x))
        return true;
    if (given->fd >= 0)
        return vds_dec_fail(&x->decoder, "imports memory twice");
    const struct vds_shm_region *region = import_of(x)->region;
    /* The chain is a private copy, so that what stands in it may be changed. */
    VkImportMemoryHostPointerInfoEXT *import = (VkImportMemoryHostPointerInfoEXT *)vd_chain_find(
        info->pNext, VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT);
    if (!import)
        return true;
    const uint64_t offset = (uint64_t)((const uint8_t *)import->pHostPointer - region->map);
    if (region->file >= 0)
        given->fd =
            vds_udmabuf_create(region->file, region->file_offset + offset, info->allocationSize);
    given->lent = given->fd >= 0 ? vds_fd_lend(given->fd) : -1;
    if (given->lent < 0) {
        vds_log(VDS_LOG_WARNING, "vkAllocateMemory: no dma-buf of %llu bytes: %s",
                (unsigned long long)info->allocationSize,
                region->file < 0  ? "the memory has no file"
                : errno == EINVAL ? "more than /sys/module/udmabuf/parameters/size_limit_mb?"
                                  : strerror(errno));
        x->result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
        return false;
    }
    static_assert(sizeof(VkImportMemoryFdInfoKHR) <= sizeof(*import), "it takes the place");
    *(VkImportMemoryFdInfoKHR *)import = (VkImportMemoryFdInfoKHR){
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR,
        .pNext = import->pNext,
        .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT,
        .fd = given->lent,
    };
    return true;
}

/* Only memory that is mapped may be flushed. So what is not coherent is mapped here until it is freed:
 * nobody looks at it, for the client has a mapping of its own. */
static VkResult map_incoherent(const struct vds_execution *x, const VkMemoryAllocateInfo *info,
                               VkDeviceMemory memory)
{
    void *map;
    const uint32_t types = x->owner->physical_device->incoherent;
    if (info->memoryTypeIndex >= 32 || !(types & UINT32_C(1) << info->memoryTypeIndex))
        return VK_SUCCESS;
    const VkResult result =
        x->device->vkMapMemory(x->owner->handle, memory, 0, VK_WHOLE_SIZE, 0, &map);
    if (result == VK_SUCCESS)
        return VK_SUCCESS;
    vds_log(VDS_LOG_WARNING, "vkMapMemory: %s", vd_result_name(result));
    x->device->vkFreeMemory(x->owner->handle, memory, NULL);
    return VK_ERROR_OUT_OF_HOST_MEMORY;
}

void vds_call_vkAllocateMemory(struct vds_execution *x, void *body)
{
    struct vd_args_vkAllocateMemory *a = body;
    struct given given = {-1, -1};
    struct memory *memory = NULL;
    const bool ok = check_import(x, a->pAllocateInfo) && take_import(x, a->pAllocateInfo, &given) &&
                    (memory = take_budget(x, a->pAllocateInfo)) &&
                    make_dma_buf(x, a->pAllocateInfo, &given);
    if (ok) {
        x->result = x->device->vkAllocateMemory(a->device, a->pAllocateInfo, NULL, a->pMemory);
        if (x->result == VK_SUCCESS)
            x->result = map_incoherent(x, a->pAllocateInfo, *a->pMemory);
    }
    const bool made = ok && x->result == VK_SUCCESS;
    if (given.lent >= 0 && !made)
        vds_fd_returned(given.lent);
    if (given.fd >= 0)
        close(given.fd);
    struct vds_birth *birth = &x->decoder.plan.births[0];
    if (x->owner->limits.cpu) {
        birth->size = a->pAllocateInfo->allocationSize;
        birth->kinds = UINT32_C(1) << (a->pAllocateInfo->memoryTypeIndex & 31);
    }
    if (!made) {
        if (memory)
            vds_memory_release(x->context, memory);
        return;
    }
    struct vds_loan *import = import_of(x);
    if (import) {
        memory->imported = import->region;
        import->region = NULL;
    }
    birth->data = memory;
}

void vds_call_vkFreeMemory(struct vds_execution *x, void *body)
{
    struct vd_args_vkFreeMemory *a = body;
    /* The shared memory goes with the table's entry, after this. */
    x->device->vkFreeMemory(a->device, a->memory, NULL);
}

void vds_call_vkGetMemoryFdKHR(struct vds_execution *x, void *body)
{
    struct vd_args_vkGetMemoryFdKHR *a = body;
    if (!x->device->vkGetMemoryFdKHR) {
        vds_dec_fail(&x->decoder, "the host has no such command");
        return;
    }
    int fd = -1;
    x->result = x->device->vkGetMemoryFdKHR(a->device, a->pGetFdInfo, &fd);
    /* Mesa's drivers say so where they can make no duplicate. */
    if (x->result == VK_SUCCESS && fd < 0)
        x->result = VK_ERROR_TOO_MANY_OBJECTS;
    if (x->result == VK_SUCCESS) {
        *a->pFd = (int)vds_shm_add_fd(x->context->shm, fd);
        x->result = *a->pFd ? VK_SUCCESS : VK_ERROR_TOO_MANY_OBJECTS;
    }
}

/* ---- Memory in a file that the driver tells nobody of */

bool vds_decode_get_memory_file(struct vds_decoder *d, void *body)
{
    struct vd_get_memory_file *args = body;
    if (d->out_size != sizeof(struct vd_memory_file))
        return vds_dec_fail(d, "an output area of another size");
    d->out_cursor = d->out_size;
    return vds_dec_first(d, &args->memory, VD_TYPE_VkDeviceMemory);
}

/* Of the file that the memory is in, a duplicate; -1: it is in none, or there are no descriptors. */
static int file_of(const struct vds_execution *x, VkDeviceMemory handle, struct memory *memory,
                   uint64_t *offset)
{
    int file;
    if (!memory || memory->imported || memory->type >= 32 ||
        !(x->owner->physical_device->way.files & UINT32_C(1) << memory->type))
        return -1;
    if (!memory->map && x->device->vkMapMemory(x->owner->handle, handle, 0, VK_WHOLE_SIZE, 0,
                                               &memory->map) != VK_SUCCESS)
        memory->map = NULL;
    return memory->map && vds_mapped_file_find(memory->map, memory->all, &file, offset)
               ? fcntl(file, F_DUPFD_CLOEXEC, 0)
               : -1;
}

void vds_call_get_memory_file(struct vds_execution *x, void *body)
{
    const struct vd_get_memory_file *args = body;
    const struct vds_object_links *links = vds_object_links(x->decoder.objects, x->decoder.first);
    struct vd_memory_file answer = {0};
    const int fd = file_of(x, (VkDeviceMemory)args->memory, links->data, &answer.offset);
    answer.fd = fd >= 0 ? vds_shm_add_fd(x->context->shm, fd) : 0;
    x->result = answer.fd ? VK_SUCCESS : VK_ERROR_MEMORY_MAP_FAILED;
    memcpy(x->decoder.out, &answer, sizeof(answer));
}

void vds_call_vkGetMemoryFdPropertiesKHR(struct vds_execution *x, void *body)
{
    struct vd_args_vkGetMemoryFdPropertiesKHR *a = body;
    const int fd = vds_shm_take_fd(x->context->shm, (uint32_t)a->fd);
    if (fd < 0) {
        vds_dec_fail(&x->decoder, "asks for a descriptor that was not given");
        return;
    }
    if (x->device->vkGetMemoryFdPropertiesKHR) {
        x->result = x->device->vkGetMemoryFdPropertiesKHR(a->device, a->handleType, fd,
                                                          a->pMemoryFdProperties);
    } else {
        vds_dec_fail(&x->decoder, "the host has no such command");
    }
    close(fd);
}
