/* SPDX-License-Identifier: MIT
 *
 * What loaders ask for: the interface's version, and functions by their names.
 */
#include <string.h>

#include "device.h"
#include "entrypoints.h"
#include "extensions.h"
#include "instance.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT VKAPI_ATTR VkResult VKAPI_CALL
vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *pSupportedVersion);
EXPORT VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetInstanceProcAddr(VkInstance instance,
                                                                          const char *pName);
EXPORT VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetPhysicalDeviceProcAddr(VkInstance instance,
                                                                                const char *pName);

/* Version 7: these functions come through vk_icdGetInstanceProcAddr, too, for applications that bring the
 * driver along (VK_LUNARG_direct_driver_loading); 6 is for other systems; 5: the ICD handles any apiVersion; physical-device commands that the loader does not know
 * come through vk_icdGetPhysicalDeviceProcAddr (4); surfaces are ours to create (3). */
VKAPI_ATTR VkResult VKAPI_CALL vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *pSupportedVersion)
{
    if (*pSupportedVersion < 3)
        return VK_ERROR_INCOMPATIBLE_DRIVER;
    if (*pSupportedVersion > 7)
        *pSupportedVersion = 7;
    return VK_SUCCESS;
}

/* Whether any of the extensions is enabled. */
static bool any_enabled(const int *extensions, const bool *enabled)
{
    for (; *extensions >= 0; extensions++)
        if (enabled[*extensions])
            return true;
    return false;
}

static bool all_of_device(const int *extensions)
{
    for (; *extensions >= 0; extensions++)
        if (vd_extensions[*extensions].device)
            return true;
    return false;
}

/* What the loader's interface has beside Vulkan's commands. */
static PFN_vkVoidFunction find_of_interface(const char *name)
{
    static const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } functions[] = {
        {"vk_icdNegotiateLoaderICDInterfaceVersion",
         (PFN_vkVoidFunction)vk_icdNegotiateLoaderICDInterfaceVersion},
        {"vk_icdGetInstanceProcAddr", (PFN_vkVoidFunction)vk_icdGetInstanceProcAddr},
        {"vk_icdGetPhysicalDeviceProcAddr", (PFN_vkVoidFunction)vk_icdGetPhysicalDeviceProcAddr},
    };
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        if (!strcmp(name, functions[i].name))
            return functions[i].function;
    return NULL;
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetInstanceProcAddr(VkInstance handle,
                                                                   const char *pName)
{
    const struct vdc_entrypoint *entry = vdc_entrypoint_find(pName);
    const struct vdc_instance *instance = (const struct vdc_instance *)handle;
    if (!entry)
        return instance ? NULL : find_of_interface(pName);
    if (!instance)
        return entry->level == VDC_LEVEL_GLOBAL || !strcmp(pName, "vkGetInstanceProcAddr")
                   ? entry->function
                   : NULL;
    if (!vdc_peer_knows_command(&instance->peer, entry->opcode))
        return NULL;
    /* Core commands, and those of device extensions, which some device may offer. */
    if (entry->version || all_of_device(entry->extensions) ||
        any_enabled(entry->extensions, instance->extensions))
        return entry->function;
    return NULL;
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetPhysicalDeviceProcAddr(VkInstance instance,
                                                                         const char *pName)
{
    const struct vdc_entrypoint *entry = vdc_entrypoint_find(pName);
    if (!entry || entry->level != VDC_LEVEL_PHYSICAL_DEVICE)
        return NULL;
    return vk_icdGetInstanceProcAddr(instance, pName);
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vdc_vkGetInstanceProcAddr(VkInstance instance,
                                                                   const char *pName)
{
    return vk_icdGetInstanceProcAddr(instance, pName);
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vdc_vkGetDeviceProcAddr(VkDevice handle, const char *pName)
{
    const struct vdc_device *device = (const struct vdc_device *)handle;
    const struct vdc_entrypoint *entry = vdc_entrypoint_find(pName);
    if (!entry || entry->level != VDC_LEVEL_DEVICE ||
        !vdc_peer_knows_command(&device->base.instance->peer, entry->opcode))
        return NULL;
    if ((entry->version && entry->version <= device->api_version) ||
        any_enabled(entry->extensions, device->extensions) ||
        any_enabled(entry->extensions, device->base.instance->extensions))
        return entry->function;
    return NULL;
}
