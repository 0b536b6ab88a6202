/* SPDX-License-Identifier: MIT
 *
 * What an application asks about physical devices in general: which there are, and their extensions,
 * features, properties and queue families. Most of it was fetched at start.
 */
#include <string.h>

#include "calls.h"
#include "chains.h"
#include "entrypoints.h"
#include "extensions.h"
#include "physical_device.h"
#include "physical_device_fetch.h"

/* ---- Enumeration */

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkEnumeratePhysicalDevices(VkInstance handle, uint32_t *pCount,
                                                              VkPhysicalDevice *pDevices)
{
    struct vdc_instance *instance = (struct vdc_instance *)handle;
    const VkResult result = vdc_physical_devices_fetch(instance);
    if (result != VK_SUCCESS)
        return result == VK_ERROR_DEVICE_LOST ? VK_ERROR_INITIALIZATION_FAILED : result;
    const uint32_t have = instance->physical_device_count;
    const uint32_t n = pDevices && *pCount < have ? *pCount : have;
    for (uint32_t i = 0; pDevices && i < n; i++)
        pDevices[i] = (VkPhysicalDevice)&instance->physical_devices[i];
    *pCount = n;
    return n < have ? VK_INCOMPLETE : VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkEnumeratePhysicalDeviceGroups(
    VkInstance handle, uint32_t *pCount, VkPhysicalDeviceGroupProperties *pGroups)
{
    struct vdc_instance *instance = (struct vdc_instance *)handle;
    const VkResult result = vdc_physical_devices_fetch(instance);
    if (result != VK_SUCCESS)
        return result == VK_ERROR_DEVICE_LOST ? VK_ERROR_INITIALIZATION_FAILED : result;
    const uint32_t have = instance->physical_device_count;
    const uint32_t n = pGroups && *pCount < have ? *pCount : have;
    for (uint32_t i = 0; pGroups && i < n; i++) {
        pGroups[i].physicalDeviceCount = 1;
        memset(pGroups[i].physicalDevices, 0, sizeof(pGroups[i].physicalDevices));
        pGroups[i].physicalDevices[0] = (VkPhysicalDevice)&instance->physical_devices[i];
        pGroups[i].subsetAllocation = VK_FALSE;
    }
    *pCount = n;
    return n < have ? VK_INCOMPLETE : VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL
vdc_vkEnumerateDeviceExtensionProperties(VkPhysicalDevice handle, const char *pLayerName,
                                         uint32_t *pCount, VkExtensionProperties *pProperties)
{
    const struct vdc_physical_device *pd = (const struct vdc_physical_device *)handle;
    if (pLayerName) {
        *pCount = 0;
        return VK_SUCCESS;
    }
    uint32_t count = 0;
    for (int i = 0; i < VD_EXT_COUNT; i++) {
        if (!pd->extensions[i])
            continue;
        if (pProperties && count == *pCount)
            return VK_INCOMPLETE;
        if (pProperties) {
            pProperties[count] = (VkExtensionProperties){.specVersion = pd->extensions[i]};
            strncpy(pProperties[count].extensionName, vd_extensions[i].name,
                    VK_MAX_EXTENSION_NAME_SIZE - 1);
        }
        count++;
    }
    *pCount = count;
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkEnumerateDeviceLayerProperties(VkPhysicalDevice physicalDevice,
                                                                    uint32_t *pPropertyCount,
                                                                    VkLayerProperties *pProperties)
{
    (void)physicalDevice;
    (void)pProperties;
    *pPropertyCount = 0;
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL
vdc_vkGetPhysicalDeviceToolProperties(VkPhysicalDevice physicalDevice, uint32_t *pToolCount,
                                      VkPhysicalDeviceToolProperties *pToolProperties)
{
    (void)physicalDevice;
    (void)pToolProperties;
    *pToolCount = 0;
    return VK_SUCCESS;
}

/* ---- Features and properties */

static const struct vd_chain_struct *find_struct(const struct vd_chain_struct *structs,
                                                 size_t count, VkStructureType type)
{
    for (size_t i = 0; i < count; i++)
        if (structs[i].type == type)
            return &structs[i];
    return NULL;
}

static void fill_own_features(const struct vd_chain_struct *known, VkBaseOutStructure *out)
{
    VkBool32 *features = (VkBool32 *)(out + 1);
    /* A whole number of pointers: behind an odd number of features there is padding. */
    for (size_t i = 0; i < (known->size - sizeof(*out)) / sizeof(*features); i++)
        features[i] = VK_TRUE;
}

/* Fills every struct of a chain that was fetched at start. The body of a struct follows its sType
 * and pNext. */
static void fill_chain(const struct vdc_physical_device *pd, VkBaseOutStructure *out, bool features)
{
    for (; out; out = out->pNext) {
        uint32_t size = 0;
        const void *body = features ? vdc_physical_device_feature(pd, out->sType, &size)
                                    : vdc_physical_device_property(pd, out->sType, &size);
        if (body) {
            memcpy(out + 1, body, size);
            continue;
        }
        const struct vd_chain_struct *own =
            features ? find_struct(vd_own_feature_structs, vd_own_feature_struct_count, out->sType)
                     : NULL;
        if (own) {
            fill_own_features(own, out);
            continue;
        }
        /* A struct that the host does not know, but we do, says no. */
        const struct vd_chain_struct *known =
            features ? find_struct(vd_feature_structs, vd_feature_struct_count, out->sType)
                     : find_struct(vd_property_structs, vd_property_struct_count, out->sType);
        if (known)
            memset(out + 1, 0, known->size - sizeof(*out));
    }
}

VKAPI_ATTR void VKAPI_CALL vdc_vkGetPhysicalDeviceFeatures2(VkPhysicalDevice handle,
                                                            VkPhysicalDeviceFeatures2 *pFeatures)
{
    const struct vdc_physical_device *pd = (const struct vdc_physical_device *)handle;
    pFeatures->features = pd->features;
    fill_chain(pd, pFeatures->pNext, true);
}

/* Whether the host must be asked: structs with lists of their own were not fetched at start. */
static bool needs_host(const struct vdc_physical_device *pd, const VkBaseOutStructure *out)
{
    (void)pd;
    for (; out; out = out->pNext) {
        switch ((int)out->sType) {
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_4_PROPERTIES:
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_HOST_IMAGE_COPY_PROPERTIES:
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_LAYERED_API_PROPERTIES_LIST_KHR:
            return true;
        }
    }
    return false;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkGetPhysicalDeviceProperties2(
    VkPhysicalDevice handle, VkPhysicalDeviceProperties2 *pProperties)
{
    const struct vdc_physical_device *pd = (const struct vdc_physical_device *)handle;
    if (needs_host(pd, pProperties->pNext))
        vdc_call_vkGetPhysicalDeviceProperties2(handle, pProperties);
    pProperties->properties = pd->properties;
    fill_chain(pd, pProperties->pNext, false);
}

VKAPI_ATTR void VKAPI_CALL vdc_vkGetPhysicalDeviceQueueFamilyProperties2(
    VkPhysicalDevice handle, uint32_t *pCount, VkQueueFamilyProperties2 *pProperties)
{
    if (pProperties) {
        bool chained = false;
        for (uint32_t i = 0; i < *pCount; i++)
            chained = chained || pProperties[i].pNext;
        if (chained) {
            vdc_call_vkGetPhysicalDeviceQueueFamilyProperties2(handle, pCount, pProperties);
            return;
        }
    }
    const struct vdc_physical_device *pd = (const struct vdc_physical_device *)handle;
    const VkQueueFamilyProperties *families =
        (const VkQueueFamilyProperties *)((const uint8_t *)pd->data + pd->data->queue_families);
    const uint32_t have = pd->data->queue_family_count;
    const uint32_t n = pProperties && *pCount < have ? *pCount : have;
    for (uint32_t i = 0; pProperties && i < n; i++)
        pProperties[i].queueFamilyProperties = families[i];
    *pCount = n;
}
