/* SPDX-License-Identifier: MIT
 *
 * What a layer needs. One driver lies below, so that its functions are the same for all instances
 * and devices.
 */
#ifndef TESTS_LAYER_H
#define TESTS_LAYER_H

#include <stdint.h>
#include <string.h>

#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

#include "common/chain.h"

static PFN_vkGetInstanceProcAddr next_instance;
static PFN_vkGetDeviceProcAddr next_device;

#define NEXT(device, name) ((PFN_##name)next_device(device, #name))

/* Steps to the next layer in what the loader put into the chain. */
static inline PFN_vkGetInstanceProcAddr step_instance(const VkInstanceCreateInfo *info)
{
    VkLayerInstanceCreateInfo *link = (void *)info->pNext;
    while (link->sType != VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO ||
           link->function != VK_LAYER_LINK_INFO)
        link = (void *)link->pNext;
    next_instance = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    return next_instance;
}

static inline void step_device(const VkDeviceCreateInfo *info)
{
    VkLayerDeviceCreateInfo *link = (void *)info->pNext;
    while (link->sType != VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO ||
           link->function != VK_LAYER_LINK_INFO)
        link = (void *)link->pNext;
    next_device = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
}

/* ---- Tables of functions */

struct function {
    const char *name;
    PFN_vkVoidFunction function;
};

/* clang-format off */
#define FUNCTION(name, function) {name, (PFN_vkVoidFunction)function}
/* clang-format on */
#define LOOK_UP(functions, name) \
    look_up(functions, sizeof(functions) / sizeof((functions)[0]), name)

static inline PFN_vkVoidFunction look_up(const struct function *functions, size_t count,
                                         const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(functions[i].name, name) == 0)
            return functions[i].function;
    return NULL;
}

/* What the loader asks for: these two are the layer's own. */
static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_device(VkDevice device, const char *name);
static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_instance(VkInstance instance, const char *name);

/* Both of them, for a layer with two tables; what these lack is asked for below. */
#define DEFINE_LOOK_UPS(instance_functions, device_functions)                                     \
    static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_device(VkDevice device, const char *name) \
    {                                                                                             \
        const PFN_vkVoidFunction ours = LOOK_UP(device_functions, name);                          \
        return ours ? ours : next_device(device, name);                                           \
    }                                                                                             \
    static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_instance(VkInstance instance,             \
                                                                 const char *name)                \
    {                                                                                             \
        PFN_vkVoidFunction ours = LOOK_UP(instance_functions, name);                              \
        if (!ours)                                                                                \
            ours = LOOK_UP(device_functions, name);                                               \
        return ours || !next_instance ? ours : next_instance(instance, name);                     \
    }

__attribute__((visibility("default"))) VKAPI_ATTR VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *negotiation)
{
    negotiation->loaderLayerInterfaceVersion = 2;
    negotiation->pfnGetInstanceProcAddr = get_instance;
    negotiation->pfnGetDeviceProcAddr = get_device;
    negotiation->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}

#endif
