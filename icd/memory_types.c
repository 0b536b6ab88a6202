/* SPDX-License-Identifier: MIT */
#include "memory_types.h"

#include <string.h>

#include "calls.h"
#include "entrypoints.h"
#include "extensions.h"
#include "instance.h"

/* Adds a type: as the specification wants it, before those that have all of its properties and more,
 * else behind the others. */
static void show_type(struct vdc_physical_device *pd, VkMemoryPropertyFlags flags, uint32_t heap,
                      struct vdc_memory_type type)
{
    VkPhysicalDeviceMemoryProperties *shown = &pd->memory;
    if (shown->memoryTypeCount == VK_MAX_MEMORY_TYPES)
        return;
    uint32_t at = 0;
    while (at < shown->memoryTypeCount && (shown->memoryTypes[at].propertyFlags == flags ||
                                           (shown->memoryTypes[at].propertyFlags & flags) != flags))
        at++;
    const uint32_t behind = shown->memoryTypeCount++ - at;
    memmove(&shown->memoryTypes[at + 1], &shown->memoryTypes[at], behind * sizeof(VkMemoryType));
    memmove(&pd->memory_types[at + 1], &pd->memory_types[at], behind * sizeof(type));
    shown->memoryTypes[at] = (VkMemoryType){.propertyFlags = flags, .heapIndex = heap};
    pd->memory_types[at] = type;
}

/* Whether all that a CPU's driver makes can have imported memory: nothing can be sparse, or be shared as a dma-buf,
 * and images of optimal tiling take it, which SwiftShader's do not. */
static bool take_imports(struct vdc_physical_device *pd)
{
    if (pd->properties.deviceType != VK_PHYSICAL_DEVICE_TYPE_CPU || !pd->data->importable ||
        pd->features.sparseBinding || pd->extensions[VD_EXT_EXT_external_memory_dma_buf])
        return false;
    const VkPhysicalDeviceImageFormatInfo2 question = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
        .format = VK_FORMAT_R8G8B8A8_UNORM,
        .type = VK_IMAGE_TYPE_2D,
        .tiling = VK_IMAGE_TILING_OPTIMAL,
        .usage = VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT,
    };
    return vdc_image_sharing(pd, &question) & VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT;
}

void vdc_memory_types_choose(struct vdc_physical_device *pd)
{
    const VD_WIRE(VkPhysicalDeviceMemoryProperties) *host = &pd->data->memory;
    for (uint32_t i = 0; i < host->memoryHeapCount; i++)
        VD_FROM_WIRE(VkMemoryHeap, &pd->memory.memoryHeaps[i], &host->memoryHeaps[i]);
    pd->memory.memoryHeapCount = host->memoryHeapCount;
    const VkMemoryPropertyFlags mapped = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                         VK_MEMORY_PROPERTY_HOST_COHERENT_BIT |
                                         VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    const bool all_take_imports = take_imports(pd);
    const uint32_t found = vdc_peer_file_types(&pd->base.instance->peer, pd->data);
    for (uint32_t i = 0; i < host->memoryTypeCount; i++) {
        const VkMemoryPropertyFlags flags = host->memoryTypes[i].propertyFlags;
        const uint32_t heap = host->memoryTypes[i].heapIndex;
        const bool visible = flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
        const bool imported = visible && pd->data->importable & (1u << i);
        if (visible && pd->data->own_types & (1u << i)) {
            show_type(pd, flags, heap, (struct vdc_memory_type){.host_index = i, .own = true});
            continue;
        }
        const bool sole = imported && (all_take_imports || found & (1u << i));
        /* Memory of the host's alone; that of the host's side nobody here could reach. */
        if (!visible || (flags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT && !sole))
            show_type(pd, flags & ~mapped, heap,
                      (struct vdc_memory_type){.host_index = i, .spare = imported});
        if (imported)
            show_type(pd, flags, heap,
                      (struct vdc_memory_type){.host_index = i, .imported = true, .sole = sole});
    }
}

enum vdc_backing vdc_physical_device_backing(const struct vdc_physical_device *pd,
                                             VkExternalMemoryHandleTypeFlags types)
{
    /* Servers that know shared fences know files that a client brings. */
    const bool of_client = pd->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU &&
                           pd->extensions[VD_EXT_KHR_external_fence_fd];
    if (pd->data->own_types)
        return types ? VDC_BACKING_HOST : VDC_BACKING_OWN;
    if (!pd->data->import_alignment)
        return VDC_BACKING_HOST;
    switch ((int)types) {
    case 0:
    case VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT:
        return VDC_BACKING_ANY;
    case VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT:
        return of_client ? VDC_BACKING_CLIENT : VDC_BACKING_HOST;
    default:
        return VDC_BACKING_HOST;
    }
}

VkExternalMemoryHandleTypeFlags vdc_shared_handle_type(const struct vdc_physical_device *pd)
{
    /* Older servers import by address, and do not say so. */
    return pd->data->handle_type ? pd->data->handle_type
                                 : VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;
}

VkExternalMemoryFeatureFlags vdc_image_sharing(struct vdc_physical_device *pd,
                                               const VkPhysicalDeviceImageFormatInfo2 *question)
{
    VkExternalImageFormatProperties external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES,
    };
    VkImageFormatProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2,
        .pNext = &external,
    };
    const VkPhysicalDeviceExternalImageFormatInfo handle = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO,
        .handleType = (VkExternalMemoryHandleTypeFlagBits)vdc_shared_handle_type(pd),
    };
    VkPhysicalDeviceImageFormatInfo2 asked = *question;
    asked.pNext = &handle;
    return vdc_call_vkGetPhysicalDeviceImageFormatProperties2((VkPhysicalDevice)pd, &asked,
                                                              &properties) == VK_SUCCESS
               ? external.externalMemoryProperties.externalMemoryFeatures
               : 0;
}

uint32_t vdc_memory_bits(const struct vdc_physical_device *pd, uint32_t host_bits,
                         enum vdc_backing backing)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < pd->memory.memoryTypeCount; i++) {
        const struct vdc_memory_type *type = &pd->memory_types[i];
        if (host_bits & (1u << type->host_index) &&
            (type->imported ? type->sole || backing != VDC_BACKING_HOST
                            : backing != VDC_BACKING_CLIENT) &&
            !(type->spare && backing == VDC_BACKING_ANY))
            bits |= 1u << i;
    }
    return bits;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkGetPhysicalDeviceMemoryProperties2(
    VkPhysicalDevice handle, VkPhysicalDeviceMemoryProperties2 *pProperties)
{
    if (pProperties->pNext) /* budgets change */
        vdc_call_vkGetPhysicalDeviceMemoryProperties2(handle, pProperties);
    pProperties->memoryProperties = ((const struct vdc_physical_device *)handle)->memory;
}
