/* SPDX-License-Identifier: MIT
 *
 * A driver whose descriptors of buffers tell one life of an address from the next, for tests: it adds to
 * their last bytes how many buffers and allocations have ended.
 */
#include <stdatomic.h>

#include "layer.h"

static _Atomic uint32_t ended;

static VKAPI_ATTR void VKAPI_CALL destroy_buffer(VkDevice device, VkBuffer buffer,
                                                 const VkAllocationCallbacks *alloc)
{
    ended++;
    NEXT(device, vkDestroyBuffer)(device, buffer, alloc);
}

static VKAPI_ATTR void VKAPI_CALL free_memory(VkDevice device, VkDeviceMemory memory,
                                              const VkAllocationCallbacks *alloc)
{
    ended++;
    NEXT(device, vkFreeMemory)(device, memory, alloc);
}

static VKAPI_ATTR void VKAPI_CALL get_descriptor(VkDevice device,
                                                 const VkDescriptorGetInfoEXT *info, size_t size,
                                                 void *descriptor)
{
    NEXT(device, vkGetDescriptorEXT)(device, info, size, descriptor);
    if (info->type < VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER ||
        info->type > VK_DESCRIPTOR_TYPE_STORAGE_BUFFER || !info->data.pUniformBuffer)
        return;
    uint32_t *last = (uint32_t *)((char *)descriptor + size) - 1;
    *last += ended;
}

static PFN_vkCreateDevice create_device_below;

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *alloc,
                                                      VkInstance *instance)
{
    const PFN_vkGetInstanceProcAddr next = step_instance(info);
    const VkResult result =
        ((PFN_vkCreateInstance)next(NULL, "vkCreateInstance"))(info, alloc, instance);
    if (result == VK_SUCCESS)
        create_device_below = (PFN_vkCreateDevice)next(*instance, "vkCreateDevice");
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical,
                                                    const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *alloc,
                                                    VkDevice *device)
{
    step_device(info);
    return create_device_below(physical, info, alloc, device);
}

static const struct function device_functions[] = {
    FUNCTION("vkGetDeviceProcAddr", get_device),
    FUNCTION("vkDestroyBuffer", destroy_buffer),
    FUNCTION("vkFreeMemory", free_memory),
    FUNCTION("vkGetDescriptorEXT", get_descriptor),
};

static const struct function instance_functions[] = {
    FUNCTION("vkGetInstanceProcAddr", get_instance),
    FUNCTION("vkCreateInstance", create_instance),
    FUNCTION("vkCreateDevice", create_device),
};

DEFINE_LOOK_UPS(instance_functions, device_functions)
