/* SPDX-License-Identifier: MIT
 *
 * Loses memory whenever an instance is created, where a driver would: below the loader. It shows that
 * LeakSanitizer looks there.
 */
#include <stdlib.h>

#include "layer.h"

#define LOST_BYTES 77777

static PFN_vkCreateDevice create_device_below;

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *alloc,
                                                      VkInstance *instance)
{
    void *volatile lost = malloc(LOST_BYTES);
    lost = NULL;
    (void)lost;
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

static const struct function functions[] = {
    FUNCTION("vkGetInstanceProcAddr", get_instance),
    FUNCTION("vkGetDeviceProcAddr", get_device),
    FUNCTION("vkCreateInstance", create_instance),
    FUNCTION("vkCreateDevice", create_device),
};

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_device(VkDevice device, const char *name)
{
    return strcmp(name, "vkGetDeviceProcAddr") == 0 ? (PFN_vkVoidFunction)get_device
                                                    : next_device(device, name);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_instance(VkInstance instance, const char *name)
{
    const PFN_vkVoidFunction ours = LOOK_UP(functions, name);
    return ours || !next_instance ? ours : next_instance(instance, name);
}
