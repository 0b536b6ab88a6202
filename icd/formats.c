/* SPDX-License-Identifier: MIT
 *
 * What formats can do. Engines ask thousands of times, so the answers are kept.
 */
#include <string.h>

#include "calls.h"
#include "chain.h"
#include "entrypoints.h"
#include "external_capabilities.h"
#include "instance.h"
#include "physical_device.h"

VKAPI_ATTR void VKAPI_CALL vdc_vkGetPhysicalDeviceFormatProperties2(
    VkPhysicalDevice handle, VkFormat format, VkFormatProperties2 *pProperties)
{
    struct vdc_memo *memo = &((struct vdc_physical_device *)handle)->formats;
    VkFormatProperties *properties = &pProperties->formatProperties;
    struct vdc_memo_entry *entry =
        pProperties->pNext ? NULL : vdc_memo_find(memo, &format, sizeof(format));
    if (vdc_memo_get(entry, properties, sizeof(*properties)))
        return;
    vdc_call_vkGetPhysicalDeviceFormatProperties2(handle, format, pProperties);
    if (!vdc_physical_device_is_lost((struct vdc_physical_device *)handle))
        vdc_memo_put(memo, entry, properties, sizeof(*properties));
}

/* Of images that nothing else is said or asked about. */
static VkResult image_format(VkPhysicalDevice handle, const VkPhysicalDeviceImageFormatInfo2 *info,
                             VkImageFormatProperties2 *properties)
{
    struct vdc_memo *memo = &((struct vdc_physical_device *)handle)->image_formats;
    const uint32_t key[] = {(uint32_t)info->format, (uint32_t)info->type, (uint32_t)info->tiling,
                            info->usage, info->flags};
    struct {
        VkImageFormatProperties properties;
        VkResult result;
    } value;
    struct vdc_memo_entry *entry = vdc_memo_find(memo, key, sizeof(key));
    if (!vdc_memo_get(entry, &value, sizeof(value))) {
        memset(&value, 0, sizeof(value));
        value.result = vdc_call_vkGetPhysicalDeviceImageFormatProperties2(handle, info, properties);
        if (value.result == VK_SUCCESS)
            value.properties = properties->imageFormatProperties;
        /* What the host says of itself stays true; an error of the moment does not. */
        if (value.result == VK_SUCCESS || value.result == VK_ERROR_FORMAT_NOT_SUPPORTED)
            vdc_memo_put(memo, entry, &value, sizeof(value));
    }
    properties->imageFormatProperties = value.properties;
    return value.result;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetPhysicalDeviceImageFormatProperties2(
    VkPhysicalDevice handle, const VkPhysicalDeviceImageFormatInfo2 *info,
    VkImageFormatProperties2 *properties)
{
    const struct vdc_physical_device *pd = (const struct vdc_physical_device *)handle;
    const VkPhysicalDeviceExternalImageFormatInfo *external =
        vd_chain_find(info->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO);
    if (external && (external->handleType & ~vdc_external_memory_types(pd)))
        return VK_ERROR_FORMAT_NOT_SUPPORTED;
    if (!info->pNext && !properties->pNext)
        return image_format(handle, info, properties);
    const VkResult result =
        vdc_call_vkGetPhysicalDeviceImageFormatProperties2(handle, info, properties);
    VkExternalImageFormatProperties *out = (void *)vd_chain_find(
        properties->pNext, VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES);
    if (out)
        vdc_external_memory_restrict(pd, &out->externalMemoryProperties);
    return result;
}
