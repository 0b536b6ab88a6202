/* SPDX-License-Identifier: MIT
 *
 * A software driver with the memory of a GPU, and the GPU's driver's rules for it, for tests:
 * VIADUCT_TEST_GPU names one of `gpus`. What a driver would not forgive ends the process here.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "layer.h"

#define GIB (UINT64_C(1) << 30)
#define MIB (UINT64_C(1) << 20)

#define DL VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT
#define HV VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT
#define HC VK_MEMORY_PROPERTY_HOST_COHERENT_BIT
#define CA VK_MEMORY_PROPERTY_HOST_CACHED_BIT

#define DISCRETE   VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU
#define INTEGRATED VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU

/* What the driver's descriptors of memory are good for. */
enum descriptors {
    NONE,    /* it has none */
    OPAQUE,  /* for drivers; here not even for these */
    MAPPABLE /* for mmap(), too */
};

struct gpu {
    const char *name, *driver;
    VkDriverId id;
    VkPhysicalDeviceType type;
    VkMemoryType types[6];
    VkMemoryHeap heaps[3];
    uint32_t importable; /* memory types that take host pointers; 0: there is no such extension */
    uint32_t alignment;  /* of these, 0: as the driver below */
    uint32_t of_images;  /* memory types for images of optimal tiling; 0: all */
    bool anonymous;      /* host pointers must not lead into a file */
    enum descriptors descriptors;
};

/* The types and heaps are what the drivers show on a card of this kind; an empty type ends the list. */
#define RADV_TYPES                                \
    {                                             \
        {DL, 0}, {HV | HC, 1}, {DL | HV | HC, 0}, \
        {                                         \
            HV | HC | CA, 1                       \
        }                                         \
    }
#define VRAM(size)                              \
    {                                           \
        (size), VK_MEMORY_HEAP_DEVICE_LOCAL_BIT \
    }
#define ROOM(size) \
    {              \
        (size), 0  \
    }
/* clang-format off */
static const struct gpu gpus[] = {
    {"nvk", "NVK", VK_DRIVER_ID_MESA_NVK, DISCRETE,
     {{DL, 0}, {DL | HV | HC, 2}, {HV | HC | CA, 1}},
     {VRAM(8 * GIB), ROOM(12 * GIB), VRAM(256 * MIB)},
     .descriptors = MAPPABLE},
    {"panvk", "panvk", VK_DRIVER_ID_MESA_PANVK, INTEGRATED,
     {{DL | HV | HC, 0}, {DL | HV | CA, 0}},
     {VRAM(8 * GIB)},
     .descriptors = MAPPABLE},
    {"radv", "radv", VK_DRIVER_ID_MESA_RADV, DISCRETE, RADV_TYPES,
     {VRAM(8 * GIB), ROOM(12 * GIB)},
     .importable = 1 << 3, .anonymous = true, .descriptors = MAPPABLE},
    {"radv-any", "radv", VK_DRIVER_ID_MESA_RADV, DISCRETE, RADV_TYPES,
     {VRAM(8 * GIB), ROOM(12 * GIB)},
     .importable = 1 << 3, .descriptors = MAPPABLE},
    {"nvidia", "NVIDIA", VK_DRIVER_ID_NVIDIA_PROPRIETARY, DISCRETE,
     {{0, 1}, {DL, 0}, {HV | HC, 1}, {HV | HC | CA, 1}, {DL | HV | HC, 2}},
     {VRAM(8 * GIB), ROOM(12 * GIB), VRAM(246 * MIB)},
     .importable = 1 << 2 | 1 << 3, .of_images = 1 << 0 | 1 << 1, .descriptors = OPAQUE},
    {"nvidia-rebar", "NVIDIA", VK_DRIVER_ID_NVIDIA_PROPRIETARY, DISCRETE,
     {{0, 1}, {DL, 0}, {HV | HC, 1}, {HV | HC | CA, 1}, {DL | HV | HC, 0}},
     {VRAM(8 * GIB), ROOM(12 * GIB)},
     .importable = 1 << 2 | 1 << 3, .of_images = 1 << 0 | 1 << 1 | 1 << 4, .descriptors = OPAQUE},
    {"anv-integrated", "Intel open-source Mesa driver", VK_DRIVER_ID_INTEL_OPEN_SOURCE_MESA, INTEGRATED,
     {{DL, 0}, {DL | HV | HC, 0}, {DL | HV | HC | CA, 0}},
     {VRAM(12 * GIB)},
     .importable = 0x7, .descriptors = MAPPABLE},
    {"anv-discrete", "Intel open-source Mesa driver", VK_DRIVER_ID_INTEL_OPEN_SOURCE_MESA, DISCRETE,
     {{DL, 0}, {HV | HC | CA, 1}, {DL | HV | HC, 0}},
     {VRAM(8 * GIB), ROOM(12 * GIB)},
     .importable = 0x7, .descriptors = MAPPABLE},
    {"aligned-16k", "honeykrisp", VK_DRIVER_ID_MESA_HONEYKRISP, INTEGRATED,
     {{DL | HV | HC | CA, 0}},
     {VRAM(8 * GIB)},
     .importable = 0x1, .alignment = 16384},
    {"aligned-64k", "dzn", VK_DRIVER_ID_MESA_DOZEN, DISCRETE,
     {{DL, 0}, {HV | HC | CA, 1}},
     {VRAM(8 * GIB), ROOM(12 * GIB)},
     .importable = 0x2, .alignment = 65536},
    {"incoherent", "turnip", VK_DRIVER_ID_MESA_TURNIP, INTEGRATED,
     {{DL | HV | CA, 0}, {DL | HV | HC, 0}},
     {VRAM(8 * GIB)},
     .importable = 0x3, .descriptors = MAPPABLE},
    {"old-lavapipe", "llvmpipe", VK_DRIVER_ID_MESA_LLVMPIPE, VK_PHYSICAL_DEVICE_TYPE_CPU,
     {{DL | HV | HC | CA, 0}},
     {VRAM(8 * GIB)},
     .importable = 0x1},
    {"no-way", "V3DV Mesa", VK_DRIVER_ID_MESA_V3DV, INTEGRATED,
     {{DL | HV | HC, 0}},
     {VRAM(GIB)}},
};
/* clang-format on */

static void ends(const char *why)
{
    fprintf(stderr, "VK_LAYER_VIADUCT_gpu: %s\n", why);
    abort();
}

static const struct gpu *gpu(void)
{
    static const struct gpu *found;
    const char *name = getenv("VIADUCT_TEST_GPU");
    for (size_t i = 0; name && !found && i < sizeof(gpus) / sizeof(gpus[0]); i++)
        if (strcmp(gpus[i].name, name) == 0)
            found = &gpus[i];
    if (!found)
        ends("VIADUCT_TEST_GPU names no GPU");
    return found;
}

static uint32_t type_count(void)
{
    uint32_t count = 0;
    while (count < 6 && (count == 0 || gpu()->types[count].propertyFlags))
        count++;
    return count;
}

static uint32_t heap_count(void)
{
    uint32_t count = 0;
    while (count < 3 && gpu()->heaps[count].size)
        count++;
    return count;
}

static bool has_flag(uint32_t type, VkMemoryPropertyFlags flag)
{
    return gpu()->types[type].propertyFlags & flag;
}

/* The memory types that a resource can have. */
static uint32_t types_for(bool sparse, bool optimal)
{
    uint32_t types = (1u << type_count()) - 1;
    for (uint32_t i = 0; sparse && i < type_count(); i++)
        if (has_flag(i, HV))
            types &= ~(1u << i);
    return optimal && gpu()->of_images ? types & gpu()->of_images : types;
}

/* ---- Physical devices */

/* To be asked for while the instance is created; later the loader gives the whole chain's. */
static PFN_vkGetPhysicalDeviceProperties properties_below;
static PFN_vkGetPhysicalDeviceProperties2 properties2_below;
static PFN_vkGetPhysicalDeviceMemoryProperties2 memory2_below;
static PFN_vkGetPhysicalDeviceFeatures features_below;
static PFN_vkGetPhysicalDeviceFeatures2 features2_below;
static PFN_vkEnumerateDeviceExtensionProperties extensions_below;
static PFN_vkCreateDevice create_device_below;

static void disguise(VkPhysicalDeviceProperties *properties)
{
    properties->deviceType = gpu()->type;
    properties->limits.nonCoherentAtomSize = 64;
}

static VKAPI_ATTR void VKAPI_CALL get_properties(VkPhysicalDevice device,
                                                 VkPhysicalDeviceProperties *properties)
{
    properties_below(device, properties);
    disguise(properties);
}

static void name(VkDriverId *id, char *driver)
{
    *id = gpu()->id;
    memset(driver, 0, VK_MAX_DRIVER_NAME_SIZE);
    strcpy(driver, gpu()->driver);
}

static VKAPI_ATTR void VKAPI_CALL get_properties2(VkPhysicalDevice device,
                                                  VkPhysicalDeviceProperties2 *properties)
{
    properties2_below(device, properties);
    disguise(&properties->properties);
    VkPhysicalDeviceExternalMemoryHostPropertiesEXT *host = (void *)vd_chain_find(
        properties->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT);
    if (host && gpu()->alignment)
        host->minImportedHostPointerAlignment = gpu()->alignment;
    VkPhysicalDeviceDriverProperties *driver = (void *)vd_chain_find(
        properties->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES);
    if (driver)
        name(&driver->driverID, driver->driverName);
    VkPhysicalDeviceVulkan12Properties *core = (void *)vd_chain_find(
        properties->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES);
    if (core)
        name(&core->driverID, core->driverName);
}

static VKAPI_ATTR void VKAPI_CALL get_memory(VkPhysicalDevice device,
                                             VkPhysicalDeviceMemoryProperties *memory)
{
    (void)device;
    *memory = (VkPhysicalDeviceMemoryProperties){
        .memoryTypeCount = type_count(),
        .memoryHeapCount = heap_count(),
    };
    memcpy(memory->memoryTypes, gpu()->types, sizeof(gpu()->types));
    memcpy(memory->memoryHeaps, gpu()->heaps, sizeof(gpu()->heaps));
}

static VKAPI_ATTR void VKAPI_CALL get_memory2(VkPhysicalDevice device,
                                              VkPhysicalDeviceMemoryProperties2 *memory)
{
    memory2_below(device, memory);
    get_memory(device, &memory->memoryProperties);
    VkPhysicalDeviceMemoryBudgetPropertiesEXT *budget = (void *)vd_chain_find(
        memory->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT);
    for (uint32_t i = 0; budget && i < heap_count(); i++) {
        budget->heapBudget[i] = gpu()->heaps[i].size;
        budget->heapUsage[i] = 0;
    }
}

/* lavapipe binds what has a descriptor to sparse resources at a wrong offset. So these get memory that the
 * host does not see, and where all is seen, there are none. */
static void hide_sparse(VkPhysicalDeviceFeatures *features)
{
    if (types_for(true, false))
        return;
    features->sparseBinding = VK_FALSE;
    features->sparseResidencyBuffer = VK_FALSE;
    features->sparseResidencyImage2D = VK_FALSE;
    features->sparseResidencyImage3D = VK_FALSE;
    features->sparseResidencyAliased = VK_FALSE;
}

static VKAPI_ATTR void VKAPI_CALL get_features(VkPhysicalDevice device,
                                               VkPhysicalDeviceFeatures *features)
{
    features_below(device, features);
    hide_sparse(features);
}

static VKAPI_ATTR void VKAPI_CALL get_features2(VkPhysicalDevice device,
                                                VkPhysicalDeviceFeatures2 *features)
{
    features2_below(device, features);
    hide_sparse(&features->features);
}

static bool lacks(const char *extension)
{
    return (!gpu()->importable &&
            strcmp(extension, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME) == 0) ||
           (!gpu()->descriptors &&
            (strcmp(extension, VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME) == 0 ||
             strcmp(extension, VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME) == 0));
}

static VKAPI_ATTR VkResult VKAPI_CALL get_extensions(VkPhysicalDevice device, const char *layer,
                                                     uint32_t *count, VkExtensionProperties *out)
{
    uint32_t all = 0;
    VkResult result = extensions_below(device, layer, &all, NULL);
    VkExtensionProperties *list = calloc(all + 1, sizeof(*list));
    if (result == VK_SUCCESS)
        result = extensions_below(device, layer, &all, list);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < all; i++)
        if (!lacks(list[i].extensionName))
            list[kept++] = list[i];
    if (out) {
        const uint32_t given = *count < kept ? *count : kept;
        memcpy(out, list, given * sizeof(*list));
        if (result == VK_SUCCESS && given < kept)
            result = VK_INCOMPLETE;
        kept = given;
    }
    *count = kept;
    free(list);
    return result;
}

/* ---- Memory */

struct memory {
    struct memory *next;
    VkDeviceMemory handle;
    uint32_t type;
    bool mapped;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct memory *memories;

static struct memory *find(VkDeviceMemory handle)
{
    struct memory *memory = memories;
    while (memory && memory->handle != handle)
        memory = memory->next;
    if (!memory)
        ends("memory that does not live");
    return memory;
}

static void add(VkDeviceMemory handle, uint32_t type)
{
    struct memory *memory = calloc(1, sizeof(*memory));
    pthread_mutex_lock(&lock);
    *memory = (struct memory){.next = memories, .handle = handle, .type = type};
    memories = memory;
    pthread_mutex_unlock(&lock);
}

/* Whether the page is a file's, or else shared: the kernel answers that for private ones alone. */
static bool is_of_file(const void *pointer)
{
    void *page = (void *)((uintptr_t)pointer & ~(uintptr_t)4095);
    if (madvise(page, 4096, MADV_WIPEONFORK) < 0)
        return true;
    madvise(page, 4096, MADV_KEEPONFORK);
    return false;
}

static VkResult check_pointer(const VkImportMemoryHostPointerInfoEXT *import,
                              const VkMemoryAllocateInfo *info)
{
    const uint64_t alignment = gpu()->alignment ? gpu()->alignment : 1;
    if ((uintptr_t)import->pHostPointer % alignment || info->allocationSize % alignment)
        ends("a host pointer that is not aligned");
    if (!(gpu()->importable & 1u << info->memoryTypeIndex))
        ends("a host pointer for a memory type that takes none");
    return gpu()->anonymous && is_of_file(import->pHostPointer) ? VK_ERROR_INVALID_EXTERNAL_HANDLE
                                                                : VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL allocate(VkDevice device, const VkMemoryAllocateInfo *info,
                                               const VkAllocationCallbacks *alloc,
                                               VkDeviceMemory *memory)
{
    const VkImportMemoryHostPointerInfoEXT *pointer =
        vd_chain_find(info->pNext, VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT);
    if (info->memoryTypeIndex >= type_count())
        ends("a memory type that there is not");
    if (info->allocationSize > gpu()->heaps[gpu()->types[info->memoryTypeIndex].heapIndex].size)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    if (pointer && pointer->handleType) {
        const VkResult result = check_pointer(pointer, info);
        if (result != VK_SUCCESS)
            return result;
    }
    VkMemoryAllocateInfo below = *info;
    below.memoryTypeIndex = 0;
    const VkResult result = NEXT(device, vkAllocateMemory)(device, &below, alloc, memory);
    if (result == VK_SUCCESS)
        add(*memory, info->memoryTypeIndex);
    return result;
}

static VKAPI_ATTR void VKAPI_CALL free_memory(VkDevice device, VkDeviceMemory handle,
                                              const VkAllocationCallbacks *alloc)
{
    pthread_mutex_lock(&lock);
    struct memory **link = &memories;
    while (*link && (*link)->handle != handle)
        link = &(*link)->next;
    struct memory *memory = *link;
    if (memory)
        *link = memory->next;
    pthread_mutex_unlock(&lock);
    free(memory);
    NEXT(device, vkFreeMemory)(device, handle, alloc);
}

static void mark_mapped(VkDeviceMemory handle, bool mapped)
{
    pthread_mutex_lock(&lock);
    struct memory *memory = find(handle);
    if (!has_flag(memory->type, HV))
        ends("memory is mapped that the host can not see");
    memory->mapped = mapped;
    pthread_mutex_unlock(&lock);
}

static VKAPI_ATTR VkResult VKAPI_CALL map(VkDevice device, VkDeviceMemory memory,
                                          VkDeviceSize offset, VkDeviceSize size,
                                          VkMemoryMapFlags flags, void **data)
{
    /* Of the server's environment alone: memory that is in no file, or in none that can be found. */
    if (getenv("VIADUCT_TEST_UNMAPPED"))
        return VK_ERROR_MEMORY_MAP_FAILED;
    mark_mapped(memory, true);
    return NEXT(device, vkMapMemory)(device, memory, offset, size, flags, data);
}

static VKAPI_ATTR VkResult VKAPI_CALL map2(VkDevice device, const VkMemoryMapInfo *info,
                                           void **data)
{
    mark_mapped(info->memory, true);
    return ((PFN_vkMapMemory2)next_device(device, "vkMapMemory2KHR"))(device, info, data);
}

static VKAPI_ATTR void VKAPI_CALL unmap(VkDevice device, VkDeviceMemory memory)
{
    mark_mapped(memory, false);
    NEXT(device, vkUnmapMemory)(device, memory);
}

static VKAPI_ATTR VkResult VKAPI_CALL unmap2(VkDevice device, const VkMemoryUnmapInfo *info)
{
    mark_mapped(info->memory, false);
    return ((PFN_vkUnmapMemory2)next_device(device, "vkUnmapMemory2KHR"))(device, info);
}

static void check_ranges(uint32_t count, const VkMappedMemoryRange *ranges)
{
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < count; i++)
        if (!find(ranges[i].memory)->mapped)
            ends("memory is flushed or invalidated that is not mapped");
    pthread_mutex_unlock(&lock);
}

static VKAPI_ATTR VkResult VKAPI_CALL flush(VkDevice device, uint32_t count,
                                            const VkMappedMemoryRange *ranges)
{
    check_ranges(count, ranges);
    return NEXT(device, vkFlushMappedMemoryRanges)(device, count, ranges);
}

static VKAPI_ATTR VkResult VKAPI_CALL invalidate(VkDevice device, uint32_t count,
                                                 const VkMappedMemoryRange *ranges)
{
    check_ranges(count, ranges);
    return NEXT(device, vkInvalidateMappedMemoryRanges)(device, count, ranges);
}

static VKAPI_ATTR VkResult VKAPI_CALL get_fd(VkDevice device, const VkMemoryGetFdInfoKHR *info,
                                             int *fd)
{
    const VkResult result = NEXT(device, vkGetMemoryFdKHR)(device, info, fd);
    if (result != VK_SUCCESS || gpu()->descriptors == MAPPABLE)
        return result;
    /* Nobody can map this one, nor import it. */
    close(*fd);
    *fd = eventfd(0, EFD_CLOEXEC);
    return *fd >= 0 ? VK_SUCCESS : VK_ERROR_TOO_MANY_OBJECTS;
}

static VKAPI_ATTR VkResult VKAPI_CALL get_fd_properties(VkDevice device,
                                                        VkExternalMemoryHandleTypeFlagBits type,
                                                        int fd, VkMemoryFdPropertiesKHR *properties)
{
    const VkResult result = NEXT(device, vkGetMemoryFdPropertiesKHR)(device, type, fd, properties);
    if (result == VK_SUCCESS && properties->memoryTypeBits)
        properties->memoryTypeBits = (1u << type_count()) - 1;
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL
get_pointer_properties(VkDevice device, VkExternalMemoryHandleTypeFlagBits type,
                       const void *pointer, VkMemoryHostPointerPropertiesEXT *properties)
{
    const VkResult result =
        NEXT(device, vkGetMemoryHostPointerPropertiesEXT)(device, type, pointer, properties);
    if (result == VK_SUCCESS)
        properties->memoryTypeBits = gpu()->importable;
    return result;
}

/* ---- Requirements */

/* Resources that not all memory is for, in a list. */
struct special {
    struct special *next;
    uint64_t handle;
    uint32_t types;
};
static struct special *specials;

static uint32_t types_for_buffer(const VkBufferCreateInfo *info)
{
    return types_for(info->flags & VK_BUFFER_CREATE_SPARSE_BINDING_BIT, false);
}

static uint32_t types_for_image(const VkImageCreateInfo *info)
{
    return types_for(info->flags & VK_IMAGE_CREATE_SPARSE_BINDING_BIT,
                     info->tiling != VK_IMAGE_TILING_LINEAR);
}

static void note(uint64_t handle, uint32_t types)
{
    if (types == types_for(false, false))
        return;
    struct special *special = calloc(1, sizeof(*special));
    pthread_mutex_lock(&lock);
    *special = (struct special){.next = specials, .handle = handle, .types = types};
    specials = special;
    pthread_mutex_unlock(&lock);
}

static void forget(uint64_t handle)
{
    pthread_mutex_lock(&lock);
    struct special **link = &specials;
    while (*link && (*link)->handle != handle)
        link = &(*link)->next;
    struct special *special = *link;
    if (special)
        *link = special->next;
    pthread_mutex_unlock(&lock);
    free(special);
}

/* One type below stands for all. */
static void widen(VkMemoryRequirements *requirements, uint64_t handle)
{
    pthread_mutex_lock(&lock);
    struct special *special = specials;
    while (special && special->handle != handle)
        special = special->next;
    if (requirements->memoryTypeBits)
        requirements->memoryTypeBits = special ? special->types : types_for(false, false);
    pthread_mutex_unlock(&lock);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_buffer(VkDevice device, const VkBufferCreateInfo *info,
                                                    const VkAllocationCallbacks *alloc,
                                                    VkBuffer *buffer)
{
    const VkResult result = NEXT(device, vkCreateBuffer)(device, info, alloc, buffer);
    if (result == VK_SUCCESS)
        note((uint64_t)*buffer, types_for_buffer(info));
    return result;
}

static VKAPI_ATTR void VKAPI_CALL destroy_buffer(VkDevice device, VkBuffer buffer,
                                                 const VkAllocationCallbacks *alloc)
{
    forget((uint64_t)buffer);
    NEXT(device, vkDestroyBuffer)(device, buffer, alloc);
}

static VKAPI_ATTR void VKAPI_CALL of_buffer(VkDevice device, VkBuffer buffer,
                                            VkMemoryRequirements *requirements)
{
    NEXT(device, vkGetBufferMemoryRequirements)(device, buffer, requirements);
    widen(requirements, (uint64_t)buffer);
}

static VKAPI_ATTR void VKAPI_CALL of_buffer2(VkDevice device,
                                             const VkBufferMemoryRequirementsInfo2 *info,
                                             VkMemoryRequirements2 *requirements)
{
    NEXT(device, vkGetBufferMemoryRequirements2)(device, info, requirements);
    widen(&requirements->memoryRequirements, (uint64_t)info->buffer);
}

static VKAPI_ATTR void VKAPI_CALL of_described_buffer(VkDevice device,
                                                      const VkDeviceBufferMemoryRequirements *info,
                                                      VkMemoryRequirements2 *requirements)
{
    NEXT(device, vkGetDeviceBufferMemoryRequirements)(device, info, requirements);
    if (requirements->memoryRequirements.memoryTypeBits)
        requirements->memoryRequirements.memoryTypeBits = types_for_buffer(info->pCreateInfo);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_image(VkDevice device, const VkImageCreateInfo *info,
                                                   const VkAllocationCallbacks *alloc,
                                                   VkImage *image)
{
    const VkResult result = NEXT(device, vkCreateImage)(device, info, alloc, image);
    if (result == VK_SUCCESS)
        note((uint64_t)*image, types_for_image(info));
    return result;
}

static VKAPI_ATTR void VKAPI_CALL destroy_image(VkDevice device, VkImage image,
                                                const VkAllocationCallbacks *alloc)
{
    forget((uint64_t)image);
    NEXT(device, vkDestroyImage)(device, image, alloc);
}

static VKAPI_ATTR void VKAPI_CALL of_image(VkDevice device, VkImage image,
                                           VkMemoryRequirements *requirements)
{
    NEXT(device, vkGetImageMemoryRequirements)(device, image, requirements);
    widen(requirements, (uint64_t)image);
}

static VKAPI_ATTR void VKAPI_CALL of_image2(VkDevice device,
                                            const VkImageMemoryRequirementsInfo2 *info,
                                            VkMemoryRequirements2 *requirements)
{
    NEXT(device, vkGetImageMemoryRequirements2)(device, info, requirements);
    widen(&requirements->memoryRequirements, (uint64_t)info->image);
}

static VKAPI_ATTR void VKAPI_CALL of_described_image(VkDevice device,
                                                     const VkDeviceImageMemoryRequirements *info,
                                                     VkMemoryRequirements2 *requirements)
{
    NEXT(device, vkGetDeviceImageMemoryRequirements)(device, info, requirements);
    if (requirements->memoryRequirements.memoryTypeBits)
        requirements->memoryRequirements.memoryTypeBits = types_for_image(info->pCreateInfo);
}

/* ---- Instances and devices */

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *alloc,
                                                      VkInstance *instance)
{
    const PFN_vkGetInstanceProcAddr next = step_instance(info);
    const VkResult result =
        ((PFN_vkCreateInstance)next(NULL, "vkCreateInstance"))(info, alloc, instance);
    if (result != VK_SUCCESS)
        return result;
#define GET(below, name) below = (PFN_##name)next(*instance, #name)
    GET(properties_below, vkGetPhysicalDeviceProperties);
    GET(properties2_below, vkGetPhysicalDeviceProperties2);
    GET(features_below, vkGetPhysicalDeviceFeatures);
    GET(features2_below, vkGetPhysicalDeviceFeatures2);
    GET(memory2_below, vkGetPhysicalDeviceMemoryProperties2);
    GET(extensions_below, vkEnumerateDeviceExtensionProperties);
    GET(create_device_below, vkCreateDevice);
#undef GET
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical,
                                                    const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *alloc,
                                                    VkDevice *device)
{
    step_device(info);
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++)
        if (lacks(info->ppEnabledExtensionNames[i]))
            return VK_ERROR_EXTENSION_NOT_PRESENT;
    return create_device_below(physical, info, alloc, device);
}

/* ---- The loader's way in */

static const struct function device_functions[] = {
    FUNCTION("vkGetDeviceProcAddr", get_device),
    FUNCTION("vkAllocateMemory", allocate),
    FUNCTION("vkFreeMemory", free_memory),
    FUNCTION("vkMapMemory", map),
    FUNCTION("vkMapMemory2", map2),
    FUNCTION("vkMapMemory2KHR", map2),
    FUNCTION("vkUnmapMemory", unmap),
    FUNCTION("vkUnmapMemory2", unmap2),
    FUNCTION("vkUnmapMemory2KHR", unmap2),
    FUNCTION("vkFlushMappedMemoryRanges", flush),
    FUNCTION("vkInvalidateMappedMemoryRanges", invalidate),
    FUNCTION("vkGetMemoryFdKHR", get_fd),
    FUNCTION("vkGetMemoryFdPropertiesKHR", get_fd_properties),
    FUNCTION("vkGetMemoryHostPointerPropertiesEXT", get_pointer_properties),
    FUNCTION("vkCreateBuffer", create_buffer),
    FUNCTION("vkDestroyBuffer", destroy_buffer),
    FUNCTION("vkGetBufferMemoryRequirements", of_buffer),
    FUNCTION("vkGetBufferMemoryRequirements2", of_buffer2),
    FUNCTION("vkGetBufferMemoryRequirements2KHR", of_buffer2),
    FUNCTION("vkGetDeviceBufferMemoryRequirements", of_described_buffer),
    FUNCTION("vkGetDeviceBufferMemoryRequirementsKHR", of_described_buffer),
    FUNCTION("vkCreateImage", create_image),
    FUNCTION("vkDestroyImage", destroy_image),
    FUNCTION("vkGetImageMemoryRequirements", of_image),
    FUNCTION("vkGetImageMemoryRequirements2", of_image2),
    FUNCTION("vkGetImageMemoryRequirements2KHR", of_image2),
    FUNCTION("vkGetDeviceImageMemoryRequirements", of_described_image),
    FUNCTION("vkGetDeviceImageMemoryRequirementsKHR", of_described_image),
};

static const struct function instance_functions[] = {
    FUNCTION("vkGetInstanceProcAddr", get_instance),
    FUNCTION("vkCreateInstance", create_instance),
    FUNCTION("vkCreateDevice", create_device),
    FUNCTION("vkEnumerateDeviceExtensionProperties", get_extensions),
    FUNCTION("vkGetPhysicalDeviceProperties", get_properties),
    FUNCTION("vkGetPhysicalDeviceProperties2", get_properties2),
    FUNCTION("vkGetPhysicalDeviceProperties2KHR", get_properties2),
    FUNCTION("vkGetPhysicalDeviceFeatures", get_features),
    FUNCTION("vkGetPhysicalDeviceFeatures2", get_features2),
    FUNCTION("vkGetPhysicalDeviceFeatures2KHR", get_features2),
    FUNCTION("vkGetPhysicalDeviceMemoryProperties", get_memory),
    FUNCTION("vkGetPhysicalDeviceMemoryProperties2", get_memory2),
    FUNCTION("vkGetPhysicalDeviceMemoryProperties2KHR", get_memory2),
};

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_device(VkDevice device, const char *name)
{
    const PFN_vkVoidFunction ours = LOOK_UP(device_functions, name);
    const PFN_vkVoidFunction below = next_device(device, name);
    return ours && below ? ours : below;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_instance(VkInstance instance, const char *name)
{
    PFN_vkVoidFunction ours = LOOK_UP(instance_functions, name);
    if (!ours)
        ours = LOOK_UP(device_functions, name);
    return ours || !next_instance ? ours : next_instance(instance, name);
}
