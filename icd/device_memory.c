/* SPDX-License-Identifier: MIT
 *
 * Host-visible memory is shared memory of the client, which the host's driver imports; or it is the
 * driver's own, of which the client maps a descriptor (vd_physical_device_data.own_types). Either way
 * nothing is ever copied. Where memory is imported, pages of the application become such shared memory.
 * Memory that is not host-visible lives on the host, and so does memory that is shared by
 * descriptor: the host's driver makes and takes them. Where the host is a CPU, opaque descriptors are
 * those of the client's files.
 */
#include "device_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "call.h"
#include "calls.h"
#include "chain.h"
#include "entrypoints.h"
#include "host_pages.h"
#include "log.h"
#include "memory_descriptor.h"
#include "memory_types.h"
#include "undedicate.h"

#ifndef VK_EXT_zero_initialize_device_memory
#define VK_MEMORY_ALLOCATE_ZERO_INITIALIZE_BIT_EXT 8 /* headers before 1.4.363 do not know it */
#endif

struct vdc_device_memory {
    struct vdc_shm_part part; /* of the driver's own memory: only where it is mapped, once it is */
    uint64_t size;
    VkExternalMemoryHandleTypeFlags own; /* the driver's own, the type of its descriptors */
    bool coherent;
    void *pages;  /* the application's, which are the part, too; NULL: none */
    void *placed; /* where vkMapMemory2 was asked to map, NULL: at part.map */
    uint64_t placed_size;
};

static struct vdc_device_memory *memory_of(VkDevice device, VkDeviceMemory memory)
{
    return vdc_id_object(vdc_instance_of(device), (uint64_t)memory);
}

const struct vdc_shm_part *vdc_device_memory_part(struct vdc_device *device, VkDeviceMemory memory)
{
    const struct vdc_device_memory *m = memory_of((VkDevice)device, memory);
    return m && m->part.map ? &m->part : NULL;
}

/* Whose absence others notice, and which is freed so rarely that an answer costs nothing. */
#define LARGE (UINT64_C(1) << 20)

/* Also where nobody lacks memory. */
static bool is_always_missed(const struct vdc_device_memory *m)
{
    return !m || m->size > LARGE || m->pages || m->part.fd >= 0;
}

bool vdc_device_memory_is_missed(struct vdc_device *device, VkDeviceMemory memory)
{
    return is_always_missed(memory_of((VkDevice)device, memory)) ||
           atomic_load_explicit(&device->base.instance->scarce_until, memory_order_relaxed);
}

/* Whether memory has to be zero. What is imported can not be asked of the host, so the client sees to
 * it for memory of its own. */
static bool wants_zeroes(const void *chain)
{
    const VkMemoryAllocateFlagsInfo *info =
        vd_chain_find(chain, VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO);
    return info && info->flags & VK_MEMORY_ALLOCATE_ZERO_INITIALIZE_BIT_EXT;
}

/* No struct of Vulkan has these numbers; what does not know them passes them over. */
#define OWN_FILE_TYPE ((VkStructureType)0x7ffffffe)
#define SHOWN_TYPE    ((VkStructureType)0x7ffffffd)

const VkBaseInStructure vdc_shown_memory = {.sType = SHOWN_TYPE};
const VkBaseInStructure vdc_own_file = {.sType = OWN_FILE_TYPE};

/* Where an allocation's memory comes from, or may go to. */
struct sharing {
    const VkImportMemoryFdInfoKHR *fd;            /* NULL: none */
    const VkImportMemoryHostPointerInfoEXT *host; /* NULL: none */
    VkExternalMemoryHandleTypeFlags types;        /* of descriptors, imported or exported */
    bool own_file, shown;
};

static struct sharing sharing_of(const void *chain)
{
    struct sharing sharing = {
        .fd = vd_chain_find(chain, VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR),
        .host = vd_chain_find(chain, VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT),
    };
    const VkExportMemoryAllocateInfo *export =
        vd_chain_find(chain, VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO);
    if (sharing.fd && !sharing.fd->handleType)
        sharing.fd = NULL;
    if (sharing.host && !sharing.host->handleType)
        sharing.host = NULL;
    sharing.own_file = vd_chain_find(chain, OWN_FILE_TYPE);
    sharing.shown = vd_chain_find(chain, SHOWN_TYPE);
    sharing.types = (export ? export->handleTypes : 0) | (sharing.fd ? sharing.fd->handleType : 0);
    return sharing;
}

/* Lets go of what is behind memory. */
static void release(struct vdc_instance *instance, struct vdc_device_memory *memory)
{
    if (memory->pages)
        vdc_host_pages_unshare(memory->pages, memory->part.size);
    if (memory->own && memory->part.map)
        munmap(memory->part.map, memory->part.size);
    vdc_shm_pool_free(instance->memory, &memory->part);
    free(memory);
}

/* The descriptor stays the application's until the import has succeeded. */
static VkResult import_file(struct vdc_instance *instance, int fd, uint64_t offset, uint64_t size,
                            struct vdc_shm_part *part)
{
    const int ours = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (ours < 0)
        return errno == EBADF ? VK_ERROR_INVALID_EXTERNAL_HANDLE : VK_ERROR_TOO_MANY_OBJECTS;
    const VkResult result = vdc_shm_pool_import(instance->memory, ours, offset, size, part);
    if (result != VK_SUCCESS)
        close(ours);
    return result;
}

static VkResult import_pages(struct vdc_instance *instance, void *pages, uint64_t size,
                             struct vdc_device_memory *memory)
{
    int file;
    VkResult result = vdc_host_pages_share(pages, size, &file);
    if (result != VK_SUCCESS)
        return result;
    result = import_file(instance, file, (uintptr_t)pages, size, &memory->part);
    if (result != VK_SUCCESS) {
        vdc_host_pages_unshare(pages, size);
        return result;
    }
    memory->pages = pages;
    vdc_shm_pool_close_file(&memory->part);
    return VK_SUCCESS;
}

/* Memory of a type that the host imports, at multiples of `align`. */
static VkResult create(struct vdc_instance *instance, uint64_t size, uint64_t align,
                       const struct sharing *sharing, struct vdc_device_memory **out)
{
    struct vdc_device_memory *memory = calloc(1, sizeof(*memory));
    if (!memory)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    VkResult result;
    if (sharing->fd)
        result = import_file(instance, sharing->fd->fd, 0, size, &memory->part);
    else if (sharing->host)
        result = import_pages(instance, sharing->host->pHostPointer, size, memory);
    else if (sharing->types || sharing->own_file)
        result = vdc_shm_pool_alloc_file(instance->memory, size, &memory->part);
    else
        result = vdc_shm_pool_alloc_aligned(instance->memory, size, align, sharing->shown,
                                            &memory->part);
    if (result == VK_SUCCESS)
        *out = memory;
    else
        release(instance, memory);
    return result;
}

/* Why memory of a type that the host imports, or of another, can not be shared so; NULL: it can. */
static const char *mismatch(const struct vdc_physical_device *pd, bool imported,
                            const struct sharing *sharing)
{
    if (sharing->host && !imported)
        return "is the host's, and takes no pages of the application";
    if (sharing->types && imported &&
        vdc_physical_device_backing(pd, sharing->types) != VDC_BACKING_CLIENT)
        return "is the client's, which has no such descriptor";
    return NULL;
}

/* ---- The driver's own memory */

/* It stays mapped until it is freed: to map it again costs nothing. False: it can not be mapped. */
static bool map_once(VkDevice device, VkDeviceMemory handle, struct vdc_device_memory *memory)
{
    if (!memory->part.map && memory->own)
        memory->part = (struct vdc_shm_part){
            .fd = -1,
            .size = memory->size,
            .map = vdc_memory_fetch_and_map(device, handle, memory->own, 0, memory->size, NULL),
        };
    return memory->part.map;
}

/* Whether memory of a type that is imported must be the driver's own: lavapipe binds no other to sparse
 * resources, and descriptors but the opaque ones are the driver's. */
static bool is_of_driver(const struct vdc_device *device, const struct vdc_memory_type *type,
                         const struct sharing *sharing)
{
    if (!type->sole || sharing->host || sharing->own_file || sharing->shown)
        return false;
    return sharing->types ? vdc_physical_device_backing(device->physical_device, sharing->types) !=
                                VDC_BACKING_CLIENT
                          : device->is_sparse;
}

/* Memory that is the driver's; `info` names the host's type. */
static VkResult allocate_own(VkDevice device, VkMemoryAllocateInfo *info,
                             const struct sharing *sharing, VkDeviceMemory *handle,
                             struct vdc_device_memory **out)
{
    const struct vdc_physical_device *pd = ((struct vdc_device *)device)->physical_device;
    const VkExternalMemoryHandleTypeFlags wanted =
        pd->data->own_types ? pd->data->handle_type : VDC_MEMORY_IS_FOUND;
    struct vdc_device_memory *memory = calloc(1, sizeof(*memory));
    if (!memory)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    memory->size = info->allocationSize;
    /* The application's own choice stands. Dma-bufs can be mapped as well. */
    memory->own = !sharing->types || sharing->types & wanted
                      ? wanted
                      : sharing->types & VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT;
    const VkExportMemoryAllocateInfo export = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
        .pNext = info->pNext,
        .handleTypes = wanted,
    };
    if (!sharing->types && wanted != VDC_MEMORY_IS_FOUND)
        info->pNext = &export;
    /* What is imported has a descriptor already, and need not give one. */
    if (sharing->fd)
        memory->part = (struct vdc_shm_part){
            .fd = -1,
            .size = memory->size,
            .map = vdc_memory_map_fd(pd, sharing->fd->handleType, sharing->fd->fd, 0, memory->size,
                                     NULL),
        };
    VkResult result = sharing->fd ? vdc_memory_import_fd(device, info, sharing->fd, handle)
                                  : vdc_call_vkAllocateMemory(device, info, NULL, handle);
    if (result == VK_SUCCESS && (sharing->shown || sharing->own_file) &&
        !map_once(device, *handle, memory)) {
        vdc_call_vkFreeMemory(device, *handle, NULL);
        result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    }
    if (result == VK_SUCCESS)
        *out = memory;
    else
        release(vdc_instance_of(device), memory);
    return result;
}

static VkResult allocate(VkDevice handle, const VkMemoryAllocateInfo *pAllocateInfo,
                         const VkAllocationCallbacks *pAllocator, VkDeviceMemory *pMemory)
{
    struct vdc_device *device = (struct vdc_device *)handle;
    const struct vdc_physical_device *pd = device->physical_device;
    struct vdc_instance *instance = device->base.instance;
    /* A lost device knows no memory types for anything, and programs that find none ask for type -1. */
    if (pAllocateInfo->memoryTypeIndex >= pd->memory.memoryTypeCount)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    const VkMemoryType *shown = &pd->memory.memoryTypes[pAllocateInfo->memoryTypeIndex];
    const struct vdc_memory_type type = pd->memory_types[pAllocateInfo->memoryTypeIndex];
    if (pAllocateInfo->allocationSize > pd->memory.memoryHeaps[shown->heapIndex].size)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    VkMemoryAllocateInfo info = *pAllocateInfo;
    info.memoryTypeIndex = type.host_index;
    const struct sharing sharing = sharing_of(info.pNext);
    const bool of_driver = is_of_driver(device, &type, &sharing);
    const bool imported = type.imported && !of_driver;
    const char *why = mismatch(pd, imported, &sharing);
    if (why) {
        vdc_log("memory type %u %s", pAllocateInfo->memoryTypeIndex, why);
        return sharing.fd || sharing.host ? VK_ERROR_INVALID_EXTERNAL_HANDLE
                                          : VK_ERROR_OUT_OF_DEVICE_MEMORY;
    }
    VkResult result;
    struct vdc_device_memory *memory = NULL;
    if (imported) {
        const uint64_t align = pd->data->import_alignment;
        info.allocationSize = (info.allocationSize + align - 1) & -align;
        result = create(instance, info.allocationSize, align, &sharing, &memory);
        if (result != VK_SUCCESS)
            return result;
        memory->size = pAllocateInfo->allocationSize;
        memory->coherent = shown->propertyFlags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
        struct vdc_undedicated copy;
        const bool zero = wants_zeroes(info.pNext);
        if (zero && !sharing.fd && !sharing.host)
            memset(memory->part.map, 0, memory->part.size);
        if (zero || info.allocationSize != pAllocateInfo->allocationSize || sharing.host ||
            sharing.types)
            info.pNext = vdc_undedicate(&copy, info.pNext);
        if (zero)
            copy.flags.flags &= ~(VkMemoryAllocateFlags)VK_MEMORY_ALLOCATE_ZERO_INITIALIZE_BIT_EXT;
        uint64_t pages = vd_shm_pointer(memory->part.shm, memory->part.offset);
        const VkImportMemoryHostPointerInfoEXT import = {
            .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
            .pNext = info.pNext,
            .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
            .pHostPointer = &pages, /* the encoder sends what stands there */
        };
        info.pNext = &import;
        result = vdc_call_vkAllocateMemory(handle, &info, pAllocator, pMemory);
    } else if (type.own || of_driver) {
        result = allocate_own(handle, &info, &sharing, pMemory, &memory);
        if (result == VK_SUCCESS)
            memory->coherent = shown->propertyFlags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    } else if (sharing.fd) {
        result = vdc_memory_import_fd(handle, &info, sharing.fd, pMemory);
    } else {
        result = vdc_call_vkAllocateMemory(handle, &info, pAllocator, pMemory);
    }
    if (result == VK_SUCCESS) {
        vdc_id_set_object(instance, (uint64_t)*pMemory, memory);
        if (sharing.fd)
            close(sharing.fd->fd); /* an import takes what it is given */
    } else if (memory) {
        release(instance, memory);
    }
    return result;
}

/* What may be another answer where more has been freed. */
static bool is_lack(VkResult result)
{
    return result == VK_ERROR_OUT_OF_HOST_MEMORY || result == VK_ERROR_OUT_OF_DEVICE_MEMORY ||
           result == VK_ERROR_TOO_MANY_OBJECTS;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkAllocateMemory(VkDevice device,
                                                    const VkMemoryAllocateInfo *pAllocateInfo,
                                                    const VkAllocationCallbacks *pAllocator,
                                                    VkDeviceMemory *pMemory)
{
    struct vdc_unanswered *frees = &vdc_instance_of(device)->frees;
    const uint64_t executed = vdc_unanswered_executed(frees);
    const VkResult result = allocate(device, pAllocateInfo, pAllocator, pMemory);
    /* Whoever asks for shared memory may overtake frees, and tries again though another thread has waited. */
    if (!is_lack(result) || vdc_unanswered_made(frees) == executed ||
        vdc_call_settle(frees, device) != VK_SUCCESS)
        return result;
    return allocate(device, pAllocateInfo, pAllocator, pMemory);
}

static void unplace(struct vdc_device_memory *memory, bool reserve)
{
    if (!memory->placed)
        return;
    if (reserve)
        mmap(memory->placed, memory->placed_size, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    else
        munmap(memory->placed, memory->placed_size);
    memory->placed = NULL;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkFreeMemory(VkDevice device, VkDeviceMemory handle,
                                            const VkAllocationCallbacks *pAllocator)
{
    if (!handle)
        return;
    struct vdc_device_memory *memory = memory_of(device, handle);
    vdc_descriptor_cache_end_life(&((struct vdc_device *)device)->descriptors);
    const bool answered = is_always_missed(memory);
    /* The server may be about to copy to an image there, and whoever gets the pages writes at once. */
    if (!answered)
        vdc_call_settle(&vdc_instance_of(device)->copies, device);
    vdc_call_vkFreeMemory(device, handle, pAllocator);
    if (memory) {
        unplace(memory, false);
        release(vdc_instance_of(device), memory);
    }
    if (!answered)
        vdc_unanswered_add(&vdc_instance_of(device)->frees);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetMemoryHostPointerPropertiesEXT(
    VkDevice handle, VkExternalMemoryHandleTypeFlagBits handleType, const void *pHostPointer,
    VkMemoryHostPointerPropertiesEXT *pMemoryHostPointerProperties)
{
    const struct vdc_physical_device *pd = ((struct vdc_device *)handle)->physical_device;
    pMemoryHostPointerProperties->memoryTypeBits = 0;
    if (handleType != VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT ||
        !vdc_host_pages_shareable(pHostPointer, 1))
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    for (uint32_t i = 0; i < pd->memory.memoryTypeCount; i++)
        if (pd->memory_types[i].imported)
            pMemoryHostPointerProperties->memoryTypeBits |= 1u << i;
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetMemoryFdKHR(VkDevice device,
                                                    const VkMemoryGetFdInfoKHR *pGetFdInfo,
                                                    int *pFd)
{
    const struct vdc_device_memory *memory = memory_of(device, pGetFdInfo->memory);
    if (memory && !memory->own) {
        *pFd = fcntl(memory->part.fd, F_DUPFD_CLOEXEC, 0);
        return *pFd >= 0 ? VK_SUCCESS : VK_ERROR_TOO_MANY_OBJECTS;
    }
    return vdc_memory_fetch_fd(device, pGetFdInfo, pFd);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkMapMemory(VkDevice device, VkDeviceMemory handle,
                                               VkDeviceSize offset, VkDeviceSize size,
                                               VkMemoryMapFlags flags, void **ppData)
{
    return vdc_vkMapMemory2(device,
                            &(VkMemoryMapInfo){
                                .sType = VK_STRUCTURE_TYPE_MEMORY_MAP_INFO,
                                .flags = flags,
                                .memory = handle,
                                .offset = offset,
                                .size = size,
                            },
                            ppData);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkMapMemory2(VkDevice device, const VkMemoryMapInfo *info,
                                                void **ppData)
{
    struct vdc_device_memory *memory = memory_of(device, info->memory);
    *ppData = NULL;
    if (!memory || !map_once(device, info->memory, memory))
        return VK_ERROR_MEMORY_MAP_FAILED;
    if (info->flags & VK_MEMORY_MAP_PLACED_BIT_EXT) {
        const VkMemoryMapPlacedInfoEXT *placed =
            vd_chain_find(info->pNext, VK_STRUCTURE_TYPE_MEMORY_MAP_PLACED_INFO_EXT);
        if (!placed || memory->pages)
            return VK_ERROR_MEMORY_MAP_FAILED;
        uint64_t size = info->size;
        if (size == VK_WHOLE_SIZE)
            size = memory->size - info->offset;
        size = (size + 4095) & ~UINT64_C(4095);
        /* Of an old size of 0: the same pages a second time, without a descriptor. Those of a device
         * can not be had so. */
        if (memory->own
                ? !vdc_memory_fetch_and_map(device, info->memory, memory->own, info->offset, size,
                                            placed->pPlacedAddress)
                : mremap((uint8_t *)memory->part.map + info->offset, 0, size,
                         MREMAP_MAYMOVE | MREMAP_FIXED, placed->pPlacedAddress) == MAP_FAILED)
            return VK_ERROR_MEMORY_MAP_FAILED;
        memory->placed = placed->pPlacedAddress;
        memory->placed_size = size;
        *ppData = memory->placed;
        return VK_SUCCESS;
    }
    *ppData = (uint8_t *)(memory->pages ? memory->pages : memory->part.map) + info->offset;
    return VK_SUCCESS;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkUnmapMemory(VkDevice device, VkDeviceMemory handle)
{
    struct vdc_device_memory *memory = memory_of(device, handle);
    if (memory)
        unplace(memory, false);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkUnmapMemory2(VkDevice device, const VkMemoryUnmapInfo *info)
{
    struct vdc_device_memory *memory = memory_of(device, info->memory);
    if (memory)
        unplace(memory, info->flags & VK_MEMORY_UNMAP_RESERVE_BIT_EXT);
    return VK_SUCCESS;
}

/* Whether the host's driver must be told at all: not of what the host itself keeps coherent, nor of what
 * nobody has mapped. */
static bool any_incoherent(VkDevice device, uint32_t count, const VkMappedMemoryRange *ranges)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct vdc_device_memory *memory = memory_of(device, ranges[i].memory);
        if (memory && !memory->coherent && memory->part.map)
            return true;
    }
    return false;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkFlushMappedMemoryRanges(VkDevice device, uint32_t count,
                                                             const VkMappedMemoryRange *ranges)
{
    return any_incoherent(device, count, ranges)
               ? vdc_call_vkFlushMappedMemoryRanges(device, count, ranges)
               : VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkInvalidateMappedMemoryRanges(VkDevice device, uint32_t count,
                                                                  const VkMappedMemoryRange *ranges)
{
    return any_incoherent(device, count, ranges)
               ? vdc_call_vkInvalidateMappedMemoryRanges(device, count, ranges)
               : VK_SUCCESS;
}
