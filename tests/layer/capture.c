/* SPDX-License-Identifier: MIT
 *
 * Capture and replay of descriptors, for tests, with data of another size for each kind of object. What
 * is captured is a pattern; it is written whole, and looked at whole when an object is made from it.
 */
#include <stdbool.h>

#include "layer.h"

/* Unequal, and none that a record's padding would hide. */
#define BUFFER_SIZE    8
#define IMAGE_SIZE     40
#define VIEW_SIZE      24
#define SAMPLER_SIZE   16
#define STRUCTURE_SIZE 72

static struct {
    PFN_vkGetPhysicalDeviceFeatures2 get_features;
    PFN_vkGetPhysicalDeviceProperties2 get_properties;
    PFN_vkCreateDevice create_device;
} below;

static uint8_t pattern(size_t size, size_t i)
{
    return (uint8_t)(size * 7 + i);
}

static VkResult capture(void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)data)[i] = pattern(size, i);
    return VK_SUCCESS;
}

/* Whether an object may be made: from nothing, or from what was captured of one of its kind. */
static bool fits(const void *chain, size_t size)
{
    const VkOpaqueCaptureDescriptorDataCreateInfoEXT *info =
        vd_chain_find(chain, VK_STRUCTURE_TYPE_OPAQUE_CAPTURE_DESCRIPTOR_DATA_CREATE_INFO_EXT);
    bool same = true;
    for (size_t i = 0; info && i < size; i++)
        same = same && ((const uint8_t *)info->opaqueCaptureDescriptorData)[i] == pattern(size, i);
    return same;
}

#define OBJECT(name, create_suffix, handle, size)                                        \
    static VKAPI_ATTR VkResult VKAPI_CALL create_##name(                                 \
        VkDevice device, const Vk##name##CreateInfo##create_suffix *info,                \
        const VkAllocationCallbacks *alloc, handle *object)                              \
    {                                                                                    \
        if (!fits(info->pNext, size))                                                    \
            return VK_ERROR_INVALID_OPAQUE_CAPTURE_ADDRESS;                              \
        return NEXT(device, vkCreate##name##create_suffix)(device, info, alloc, object); \
    }                                                                                    \
    static VKAPI_ATTR VkResult VKAPI_CALL capture_##name(                                \
        VkDevice device, const Vk##name##CaptureDescriptorDataInfoEXT *info, void *data) \
    {                                                                                    \
        (void)device, (void)info;                                                        \
        return capture(data, size);                                                      \
    }
OBJECT(Buffer, , VkBuffer, BUFFER_SIZE)
OBJECT(Image, , VkImage, IMAGE_SIZE)
OBJECT(ImageView, , VkImageView, VIEW_SIZE)
OBJECT(Sampler, , VkSampler, SAMPLER_SIZE)
OBJECT(AccelerationStructure, KHR, VkAccelerationStructureKHR, STRUCTURE_SIZE)

/* ---- What the device can do */

static VKAPI_ATTR void VKAPI_CALL get_features(VkPhysicalDevice device,
                                               VkPhysicalDeviceFeatures2 *features)
{
    below.get_features(device, features);
    VkPhysicalDeviceDescriptorBufferFeaturesEXT *ours = (void *)vd_chain_find(
        features, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_BUFFER_FEATURES_EXT);
    if (ours)
        ours->descriptorBufferCaptureReplay = VK_TRUE;
}

static VKAPI_ATTR void VKAPI_CALL get_properties(VkPhysicalDevice device,
                                                 VkPhysicalDeviceProperties2 *properties)
{
    below.get_properties(device, properties);
    VkPhysicalDeviceDescriptorBufferPropertiesEXT *ours = (void *)vd_chain_find(
        properties, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_BUFFER_PROPERTIES_EXT);
    if (ours) {
        ours->bufferCaptureReplayDescriptorDataSize = BUFFER_SIZE;
        ours->imageCaptureReplayDescriptorDataSize = IMAGE_SIZE;
        ours->imageViewCaptureReplayDescriptorDataSize = VIEW_SIZE;
        ours->samplerCaptureReplayDescriptorDataSize = SAMPLER_SIZE;
        ours->accelerationStructureCaptureReplayDescriptorDataSize = STRUCTURE_SIZE;
    }
}

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *alloc,
                                                      VkInstance *handle)
{
    const PFN_vkGetInstanceProcAddr next = step_instance(info);
    const VkResult result =
        ((PFN_vkCreateInstance)next(NULL, "vkCreateInstance"))(info, alloc, handle);
    if (result == VK_SUCCESS) {
        below.get_features =
            (PFN_vkGetPhysicalDeviceFeatures2)next(*handle, "vkGetPhysicalDeviceFeatures2");
        below.get_properties =
            (PFN_vkGetPhysicalDeviceProperties2)next(*handle, "vkGetPhysicalDeviceProperties2");
        below.create_device = (PFN_vkCreateDevice)next(*handle, "vkCreateDevice");
    }
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical,
                                                    const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *alloc,
                                                    VkDevice *handle)
{
    step_device(info);
    /* The driver would refuse what it has not got. */
    VkPhysicalDeviceDescriptorBufferFeaturesEXT *ours = (void *)vd_chain_find(
        info->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_BUFFER_FEATURES_EXT);
    const VkBool32 wanted = ours && ours->descriptorBufferCaptureReplay;
    if (wanted)
        ours->descriptorBufferCaptureReplay = VK_FALSE;
    const VkResult result = below.create_device(physical, info, alloc, handle);
    if (wanted)
        ours->descriptorBufferCaptureReplay = VK_TRUE;
    return result;
}

/* ---- The loader's way in */

static const struct function device_functions[] = {
    FUNCTION("vkGetDeviceProcAddr", get_device),
    FUNCTION("vkCreateBuffer", create_Buffer),
    FUNCTION("vkCreateImage", create_Image),
    FUNCTION("vkCreateImageView", create_ImageView),
    FUNCTION("vkCreateSampler", create_Sampler),
    FUNCTION("vkCreateAccelerationStructureKHR", create_AccelerationStructure),
    FUNCTION("vkGetBufferOpaqueCaptureDescriptorDataEXT", capture_Buffer),
    FUNCTION("vkGetImageOpaqueCaptureDescriptorDataEXT", capture_Image),
    FUNCTION("vkGetImageViewOpaqueCaptureDescriptorDataEXT", capture_ImageView),
    FUNCTION("vkGetSamplerOpaqueCaptureDescriptorDataEXT", capture_Sampler),
    FUNCTION("vkGetAccelerationStructureOpaqueCaptureDescriptorDataEXT",
             capture_AccelerationStructure),
};

static const struct function instance_functions[] = {
    FUNCTION("vkGetInstanceProcAddr", get_instance),
    FUNCTION("vkCreateInstance", create_instance),
    FUNCTION("vkCreateDevice", create_device),
    FUNCTION("vkGetPhysicalDeviceFeatures2", get_features),
    FUNCTION("vkGetPhysicalDeviceProperties2", get_properties),
};

DEFINE_LOOK_UPS(instance_functions, device_functions)
