/* SPDX-License-Identifier: MIT
 *
 * What a driver says of its memory is not enough: some announce imports that they refuse, or give
 * descriptors that nobody can map. So the GPU writes, and what it wrote is looked for in the other
 * mapping; then the other way round. Where a file's memory begins is found in the same way.
 */
#include "memory_probe.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/patience.h"

#include "dispatch.h"
#include "fd.h"
#include "instance.h"
#include "map_aligned.h"
#include "mapped_file.h"
#include "udmabuf.h"

/* Of the memory that is tried, and of what is written to it, in bytes. */
#define SIZE (2 * VDS_MAP_ALIGNMENT)
#define MARK 64u

/* How far from the beginning of a file its memory is looked for. */
#define START_MAX (UINT64_C(1) << 20)

/* How long a GPU may take for nearly nothing, its first submission at that. */
#define WAIT_NS (2 * VD_PATIENCE * VD_NS_PER_S)

struct vds_memory_probe {
    const struct vds_physical_device *pd;
    struct vds_instance_dispatch vi;
    struct vds_device_dispatch vk;
    VkPhysicalDeviceMemoryProperties memory;
    VkDevice device;
    VkQueue queue;
    VkCommandPool pool;
    VkFence fence;
    bool is_gpu;   /* else who writes to imported memory is a CPU, whose memory it is, too */
    bool is_stuck; /* the GPU does not answer; what it may still use stays */
};

/* ---- The device */

/* A queue family that copies: graphics and compute queues do. -1: there is none. */
static int find_family(const struct vds_memory_probe *probe)
{
    VkQueueFamilyProperties families[32];
    uint32_t count = sizeof(families) / sizeof(families[0]);
    probe->vi.vkGetPhysicalDeviceQueueFamilyProperties(probe->pd->handle, &count, families);
    for (uint32_t i = 0; i < count; i++)
        if (families[i].queueFlags &
            (VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT | VK_QUEUE_TRANSFER_BIT))
            return (int)i;
    return -1;
}

static VkResult create_device(struct vds_memory_probe *probe, uint32_t family)
{
    static const char *const wanted[] = {
        VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME,
        VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME,
        VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME,
    };
    const char *extensions[sizeof(wanted) / sizeof(wanted[0])];
    uint32_t count = 0;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (vds_physical_device_has(probe->pd, wanted[i]))
            extensions[count++] = wanted[i];
    const float priority = 1.0f;
    const VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueFamilyIndex = family,
        .queueCount = 1,
        .pQueuePriorities = &priority,
    };
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
        .enabledExtensionCount = count,
        .ppEnabledExtensionNames = extensions,
    };
    return probe->vi.vkCreateDevice(probe->pd->handle, &info, NULL, &probe->device);
}

static VkResult prepare(struct vds_memory_probe *probe, uint32_t family)
{
    const VkCommandPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .queueFamilyIndex = family,
    };
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    probe->vk.vkGetDeviceQueue(probe->device, family, 0, &probe->queue);
    const VkResult result = probe->vk.vkCreateCommandPool(probe->device, &pool, NULL, &probe->pool);
    return result == VK_SUCCESS
               ? probe->vk.vkCreateFence(probe->device, &fence, NULL, &probe->fence)
               : result;
}

struct vds_memory_probe *vds_memory_probe_create(PFN_vkGetInstanceProcAddr get,
                                                 const struct vds_instance *instance,
                                                 const struct vds_physical_device *pd,
                                                 const char **why)
{
    struct vds_memory_probe *probe = calloc(1, sizeof(*probe));
    if (!probe) {
        *why = "there is no memory to find a way";
        return NULL;
    }
    probe->pd = pd;
    probe->vi = instance->dispatch;
    probe->vi.vkGetPhysicalDeviceMemoryProperties(pd->handle, &probe->memory);
    VkPhysicalDeviceProperties2 properties = {.sType =
                                                  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    probe->vi.vkGetPhysicalDeviceProperties2(pd->handle, &properties);
    const VkPhysicalDeviceType type = properties.properties.deviceType;
    probe->is_gpu = type != VK_PHYSICAL_DEVICE_TYPE_CPU && type != VK_PHYSICAL_DEVICE_TYPE_OTHER;
    const int family = find_family(probe);
    if (family < 0 || create_device(probe, (uint32_t)family) != VK_SUCCESS) {
        *why = "it gives no device to try its memory with";
        free(probe);
        return NULL;
    }
    vds_device_dispatch_load(&probe->vk, probe->device,
                             (PFN_vkGetDeviceProcAddr)get(instance->handle, "vkGetDeviceProcAddr"));
    if (prepare(probe, (uint32_t)family) != VK_SUCCESS) {
        *why = "it gives no commands to try its memory with";
        vds_memory_probe_destroy(probe);
        return NULL;
    }
    return probe;
}

void vds_memory_probe_destroy(struct vds_memory_probe *probe)
{
    if (!probe->is_stuck) {
        if (probe->fence)
            probe->vk.vkDestroyFence(probe->device, probe->fence, NULL);
        if (probe->pool)
            probe->vk.vkDestroyCommandPool(probe->device, probe->pool, NULL);
        probe->vk.vkDestroyDevice(probe->device, NULL);
    }
    free(probe);
}

/* ---- What the GPU does */

/* Makes writes of the host and of the GPU visible to each other. */
static void barrier(const struct vds_memory_probe *probe, VkCommandBuffer commands, bool to_host)
{
    const VkMemoryBarrier memory = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = to_host ? VK_ACCESS_TRANSFER_WRITE_BIT : VK_ACCESS_HOST_WRITE_BIT,
        .dstAccessMask = to_host ? VK_ACCESS_HOST_READ_BIT : VK_ACCESS_TRANSFER_READ_BIT,
    };
    probe->vk.vkCmdPipelineBarrier(
        commands, to_host ? VK_PIPELINE_STAGE_TRANSFER_BIT : VK_PIPELINE_STAGE_HOST_BIT,
        to_host ? VK_PIPELINE_STAGE_HOST_BIT : VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 1, &memory, 0,
        NULL, 0, NULL);
}

/* Writes `mark` to the buffer at its beginning; without one, copies what is there to its middle. */
static bool run(struct vds_memory_probe *probe, VkBuffer buffer, const void *mark)
{
    const struct vds_device_dispatch *vk = &probe->vk;
    const VkCommandBufferAllocateInfo allocate = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = probe->pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1,
    };
    const VkCommandBufferBeginInfo begin = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
    };
    VkCommandBuffer commands = VK_NULL_HANDLE;
    if (vk->vkAllocateCommandBuffers(probe->device, &allocate, &commands) != VK_SUCCESS)
        return false;
    bool ok = vk->vkBeginCommandBuffer(commands, &begin) == VK_SUCCESS;
    if (ok) {
        const VkBufferCopy region = {.srcOffset = 0, .dstOffset = SIZE / 2, .size = MARK};
        barrier(probe, commands, false);
        if (mark)
            vk->vkCmdUpdateBuffer(commands, buffer, 0, MARK, mark);
        else
            vk->vkCmdCopyBuffer(commands, buffer, buffer, 1, &region);
        barrier(probe, commands, true);
        ok = vk->vkEndCommandBuffer(commands) == VK_SUCCESS;
    }
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = 1,
        .pCommandBuffers = &commands,
    };
    ok = ok && vk->vkQueueSubmit(probe->queue, 1, &submit, probe->fence) == VK_SUCCESS;
    if (ok &&
        vk->vkWaitForFences(probe->device, 1, &probe->fence, VK_TRUE, WAIT_NS) != VK_SUCCESS) {
        probe->is_stuck = true;
        return false;
    }
    if (ok)
        ok = vk->vkResetFences(probe->device, 1, &probe->fence) == VK_SUCCESS;
    vk->vkFreeCommandBuffers(probe->device, probe->pool, 1, &commands);
    return ok;
}

/* Bytes that stand nowhere by chance; `seed` makes them differ. */
static void make_mark(uint8_t *mark, uint32_t seed)
{
    for (uint32_t i = 0, x = 0x9e3779b9u * (seed + 1); i < MARK; i++) {
        x = x * 1664525u + 1013904223u;
        mark[i] = (uint8_t)(x >> 24);
    }
}

/* ---- One piece of memory, bound to a buffer, and mapped here in another way than by the driver */

struct piece {
    VkBuffer buffer;
    VkDeviceMemory memory;
    bool coherent, mapped; /* by the driver, too */
    uint8_t *map;          /* the other mapping */
    uint64_t map_size;
    uint64_t start; /* of the memory in it */
};

/* Before (`write`) and after the GPU's work, where memory is not coherent. */
static bool make_visible(struct vds_memory_probe *probe, struct piece *piece, bool write)
{
    const VkMappedMemoryRange range = {
        .sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE,
        .memory = piece->memory,
        .size = VK_WHOLE_SIZE,
    };
    void *map;
    if (piece->coherent)
        return true;
    if (!piece->mapped)
        piece->mapped = probe->vk.vkMapMemory(probe->device, piece->memory, 0, VK_WHOLE_SIZE, 0,
                                              &map) == VK_SUCCESS;
    return piece->mapped &&
           (write
                ? probe->vk.vkFlushMappedMemoryRanges(probe->device, 1, &range)
                : probe->vk.vkInvalidateMappedMemoryRanges(probe->device, 1, &range)) == VK_SUCCESS;
}

/* Where in the mapping the GPU's mark is; whole pages. */
static bool look_for(struct piece *piece, const uint8_t *mark)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    for (piece->start = 0; piece->start <= START_MAX; piece->start += page) {
        if (piece->start + SIZE > piece->map_size)
            return false;
        if (memcmp(piece->map + piece->start, mark, MARK) == 0)
            return true;
    }
    return false;
}

static bool is_shared(struct vds_memory_probe *probe, struct piece *piece, uint32_t seed,
                      const char **why)
{
    uint8_t mark[MARK];
    make_mark(mark, seed);
    *why = "the GPU can not be asked to write";
    if (!make_visible(probe, piece, true) || !run(probe, piece->buffer, mark) ||
        !make_visible(probe, piece, false))
        return false;
    *why = "what the GPU writes does not arrive";
    if (!look_for(piece, mark))
        return false;
    make_mark(mark, ~seed);
    memcpy(piece->map + piece->start, mark, MARK);
    *why = "what is written for the GPU does not arrive";
    return make_visible(probe, piece, true) && run(probe, piece->buffer, NULL) &&
           make_visible(probe, piece, false) &&
           memcmp(piece->map + piece->start + SIZE / 2, mark, MARK) == 0;
}

/* Of memory that takes `type`: exactly what is allocated in bytes, and whether the type will do. */
static bool make_buffer(struct vds_memory_probe *probe, uint32_t handle_type, uint32_t type,
                        VkBuffer *buffer, uint64_t *size)
{
    const VkExternalMemoryBufferCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
        .handleTypes = handle_type,
    };
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .pNext = &external,
        .size = SIZE,
        .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
    };
    VkMemoryRequirements needs;
    if (probe->vk.vkCreateBuffer(probe->device, &info, NULL, buffer) != VK_SUCCESS)
        return false;
    probe->vk.vkGetBufferMemoryRequirements(probe->device, *buffer, &needs);
    *size = needs.size > SIZE ? needs.size : SIZE;
    return needs.memoryTypeBits & UINT32_C(1) << type;
}

static void piece_finish(struct vds_memory_probe *probe, struct piece *piece)
{
    if (piece->map)
        munmap(piece->map, piece->map_size);
    if (probe->is_stuck)
        return;
    if (piece->buffer)
        probe->vk.vkDestroyBuffer(probe->device, piece->buffer, NULL);
    if (piece->memory)
        probe->vk.vkFreeMemory(probe->device, piece->memory, NULL);
}

static bool is_coherent(const struct vds_memory_probe *probe, uint32_t type)
{
    return probe->memory.memoryTypes[type].propertyFlags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
}

static bool is_visible(const struct vds_memory_probe *probe, uint32_t type)
{
    return probe->memory.memoryTypes[type].propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
}

/* ---- Import */

/* Shared memory like the client's, at a multiple of what any driver wants. NULL: there is none. The file
 * is the caller's to close. */
static void *map_shared(int *file)
{
    *file = memfd_create("viaduct-probe", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*file < 0)
        return NULL;
    void *map = ftruncate(*file, SIZE) == 0 && fcntl(*file, F_ADD_SEALS, F_SEAL_SHRINK) == 0
                    ? vds_map_aligned(*file, 0, SIZE)
                    : NULL;
    if (!map)
        close(*file);
    return map;
}

/* Whether memory of this type that `import` makes of the pages at `memory` is these pages. What a CPU
 * takes as an address is the memory itself; nothing else is believed. */
static bool import_works(struct vds_memory_probe *probe, uint32_t type, uint32_t handle_type,
                         const void *import, void *memory, const char **why)
{
    struct piece piece = {.coherent = is_coherent(probe, type), .map = memory, .map_size = SIZE};
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = import,
        .allocationSize = SIZE,
        .memoryTypeIndex = type,
    };
    *why = "it refuses shared memory";
    bool works =
        probe->vk.vkAllocateMemory(probe->device, &info, NULL, &piece.memory) == VK_SUCCESS;
    if (works &&
        (probe->is_gpu || handle_type != VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT)) {
        uint64_t size;
        *why = "shared memory can not be bound to buffers";
        works = make_buffer(probe, handle_type, type, &piece.buffer, &size) && size <= SIZE &&
                probe->vk.vkBindBufferMemory(probe->device, piece.buffer, piece.memory, 0) ==
                    VK_SUCCESS &&
                is_shared(probe, &piece, type, why);
    }
    piece.map = NULL;
    piece_finish(probe, &piece);
    return works;
}

bool vds_memory_probe_import(struct vds_memory_probe *probe, struct vds_memory_way *way,
                             const char **why)
{
    VkMemoryHostPointerPropertiesEXT properties = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT};
    if (!probe->pd->import_alignment) {
        *why = "no VK_EXT_external_memory_host";
        return false;
    }
    if (probe->pd->import_alignment > VDS_MAP_ALIGNMENT) {
        *why = "it wants more than 64 KiB of alignment";
        return false;
    }
    int file;
    void *memory = map_shared(&file);
    *why = "there is no shared memory";
    if (!memory)
        return false;
    close(file);
    *why = "it refuses shared memory";
    if (!probe->vk.vkGetMemoryHostPointerPropertiesEXT ||
        probe->vk.vkGetMemoryHostPointerPropertiesEXT(
            probe->device, VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT, memory,
            &properties) != VK_SUCCESS)
        properties.memoryTypeBits = 0;
    const VkImportMemoryHostPointerInfoEXT import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
        .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
        .pHostPointer = memory,
    };
    way->alignment = probe->pd->import_alignment;
    way->handle_type = import.handleType;
    if (properties.memoryTypeBits)
        *why = "host pointers are for no memory type that the host can see";
    for (uint32_t i = 0; i < probe->memory.memoryTypeCount && !probe->is_stuck; i++)
        if (properties.memoryTypeBits & UINT32_C(1) << i && is_visible(probe, i) &&
            import_works(probe, i, import.handleType, &import, memory, why))
            way->types |= UINT32_C(1) << i;
    if (!probe->is_stuck)
        munmap(memory, SIZE);
    return way->types;
}

/* ---- Files that drivers tell nobody of */

static bool file_works(struct vds_memory_probe *probe, uint32_t type)
{
    struct piece piece = {.coherent = true};
    VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .memoryTypeIndex = type,
    };
    void *map;
    int file;
    uint64_t offset;
    const char *why;
    bool works =
        is_coherent(probe, type) &&
        make_buffer(probe, 0, type, &piece.buffer, &info.allocationSize) &&
        probe->vk.vkAllocateMemory(probe->device, &info, NULL, &piece.memory) == VK_SUCCESS &&
        probe->vk.vkBindBufferMemory(probe->device, piece.buffer, piece.memory, 0) == VK_SUCCESS &&
        probe->vk.vkMapMemory(probe->device, piece.memory, 0, VK_WHOLE_SIZE, 0, &map) ==
            VK_SUCCESS &&
        vds_mapped_file_find(map, SIZE, &file, &offset);
    if (works) {
        void *other = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, (off_t)offset);
        piece.map = other == MAP_FAILED ? NULL : other;
        piece.map_size = SIZE;
        works = piece.map && is_shared(probe, &piece, type, &why);
    }
    piece_finish(probe, &piece);
    return works;
}

void vds_memory_probe_files(struct vds_memory_probe *probe, struct vds_memory_way *way)
{
    for (uint32_t i = 0; i < probe->memory.memoryTypeCount && !probe->is_stuck; i++)
        if (way->types & UINT32_C(1) << i && file_works(probe, i))
            way->files |= UINT32_C(1) << i;
}

/* ---- Import as a dma-buf */

static bool dma_buf_works(struct vds_memory_probe *probe, uint32_t type, int dma_buf, void *memory,
                          const char **why)
{
    const int lent = vds_fd_lend(dma_buf);
    const VkImportMemoryFdInfoKHR import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR,
        .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT,
        .fd = lent,
    };
    *why = "there are no descriptors";
    if (lent < 0)
        return false;
    const bool works = import_works(probe, type, import.handleType, &import, memory, why);
    vds_fd_returned(lent);
    return works;
}

static bool try_dma_buf(struct vds_memory_probe *probe, int dma_buf, void *memory,
                        struct vds_memory_way *way, const char **why)
{
    VkMemoryFdPropertiesKHR properties = {.sType = VK_STRUCTURE_TYPE_MEMORY_FD_PROPERTIES_KHR};
    *why = "it refuses dma-bufs of shared memory";
    if (probe->vk.vkGetMemoryFdPropertiesKHR(probe->device,
                                             VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT,
                                             dma_buf, &properties) != VK_SUCCESS)
        return false;
    if (properties.memoryTypeBits)
        *why = "dma-bufs are for no memory type that the host can see";
    for (uint32_t i = 0; i < probe->memory.memoryTypeCount && !probe->is_stuck; i++)
        if (properties.memoryTypeBits & UINT32_C(1) << i && is_visible(probe, i) &&
            dma_buf_works(probe, i, dma_buf, memory, why))
            way->types |= UINT32_C(1) << i;
    return way->types;
}

bool vds_memory_probe_udmabuf(struct vds_memory_probe *probe, struct vds_memory_way *way,
                              const char **why)
{
    *why = "no /dev/udmabuf for this user";
    if (!vds_udmabuf_is_open())
        return false;
    *why = "no VK_EXT_external_memory_dma_buf";
    if (!vds_physical_device_has(probe->pd, VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME) ||
        !probe->vk.vkGetMemoryFdPropertiesKHR)
        return false;
    int file;
    void *memory = map_shared(&file);
    *why = "there is no shared memory";
    if (!memory)
        return false;
    way->alignment = (uint32_t)sysconf(_SC_PAGESIZE);
    way->handle_type = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT;
    const int dma_buf = vds_udmabuf_create(file, 0, SIZE);
    close(file);
    *why = "the kernel makes no dma-buf of shared memory";
    const bool works = dma_buf >= 0 && try_dma_buf(probe, dma_buf, memory, way, why);
    if (dma_buf >= 0)
        close(dma_buf);
    if (!probe->is_stuck)
        munmap(memory, SIZE);
    return works;
}

/* ---- Own */

/* The file as far as it may matter. False: it can not be mapped. */
static bool map_file(struct piece *piece, int fd)
{
    /* Devices, of which mmap() would not tell how long they are, have no end. */
    const off_t end = lseek(fd, 0, SEEK_END);
    if (end < (off_t)SIZE)
        return false;
    const uint64_t most = SIZE + START_MAX;
    piece->map_size = (uint64_t)end < most ? (uint64_t)end : most;
    void *map = mmap(NULL, piece->map_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    piece->map = map == MAP_FAILED ? NULL : map;
    return piece->map;
}

static bool own_works(struct vds_memory_probe *probe, uint32_t type, uint32_t handle_type,
                      uint64_t *start, const char **why)
{
    struct piece piece = {.coherent = is_coherent(probe, type)};
    uint64_t size;
    const VkExportMemoryAllocateInfo export = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
        .handleTypes = handle_type,
    };
    VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = &export,
        .memoryTypeIndex = type,
    };
    *why = "buffers can not have memory with a descriptor";
    bool works = make_buffer(probe, handle_type, type, &piece.buffer, &size);
    info.allocationSize = size;
    if (works)
        works =
            probe->vk.vkAllocateMemory(probe->device, &info, NULL, &piece.memory) == VK_SUCCESS &&
            probe->vk.vkBindBufferMemory(probe->device, piece.buffer, piece.memory, 0) ==
                VK_SUCCESS;
    if (works) {
        const VkMemoryGetFdInfoKHR get = {
            .sType = VK_STRUCTURE_TYPE_MEMORY_GET_FD_INFO_KHR,
            .memory = piece.memory,
            .handleType = handle_type,
        };
        int fd;
        *why = "its descriptors can not be mapped";
        works = probe->vk.vkGetMemoryFdKHR(probe->device, &get, &fd) == VK_SUCCESS;
        if (works) {
            works = map_file(&piece, fd);
            close(fd);
        }
    }
    works = works && is_shared(probe, &piece, type, why);
    *start = piece.start;
    piece_finish(probe, &piece);
    return works;
}

static bool is_exportable(const struct vds_memory_probe *probe, uint32_t handle_type)
{
    const VkPhysicalDeviceExternalBufferInfo info = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
        .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        .handleType = handle_type,
    };
    VkExternalBufferProperties properties = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES};
    probe->vi.vkGetPhysicalDeviceExternalBufferProperties(probe->pd->handle, &info, &properties);
    const VkExternalMemoryFeatureFlags features =
        properties.externalMemoryProperties.externalMemoryFeatures;
    return features & VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT &&
           !(features & VK_EXTERNAL_MEMORY_FEATURE_DEDICATED_ONLY_BIT);
}

static bool try_descriptors(struct vds_memory_probe *probe, uint32_t handle_type,
                            struct vds_memory_way *way, const char **why)
{
    way->handle_type = handle_type;
    way->types = 0;
    for (uint32_t i = 0; i < probe->memory.memoryTypeCount && !probe->is_stuck; i++) {
        uint64_t start;
        if (!is_visible(probe, i) || !own_works(probe, i, handle_type, &start, why))
            continue;
        /* One number for all of the device's types. */
        if (way->types == 0)
            way->start = (uint32_t)start;
        if (way->start == start)
            way->types |= UINT32_C(1) << i;
    }
    return way->types;
}

bool vds_memory_probe_own(struct vds_memory_probe *probe, struct vds_memory_way *way,
                          const char **why)
{
    /* Where both can be mapped, there is no difference but for images, of which drivers want more where
     * they are for dma-bufs. */
    static const struct {
        uint32_t handle_type;
        const char *extension;
    } kinds[] = {
        {VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT, VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME},
        {VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT,
         VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME},
    };
    *why = "no VK_KHR_external_memory_fd";
    if (!probe->vk.vkGetMemoryFdKHR)
        return false;
    *why = "no memory with descriptors";
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !probe->is_stuck; i++)
        if (vds_physical_device_has(probe->pd, kinds[i].extension) &&
            is_exportable(probe, kinds[i].handle_type) &&
            try_descriptors(probe, kinds[i].handle_type, way, why))
            return true;
    return false;
}
