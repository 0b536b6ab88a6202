/* SPDX-License-Identifier: MIT
 *
 * Names and labels travel to the host, so that its tools show them. Messages come from the loader
 * and from layers on the application's side; the driver itself has none.
 */
#include <stdlib.h>

#include "call.h"
#include "calls.h"
#include "entrypoints.h"
#include "names.h"
#include "opcodes.h"

VKAPI_ATTR VkResult VKAPI_CALL vd_vkCreateDebugUtilsMessengerEXT(
    VkInstance instance, const VkDebugUtilsMessengerCreateInfoEXT *pCreateInfo,
    const VkAllocationCallbacks *pAllocator, VkDebugUtilsMessengerEXT *pMessenger)
{
    (void)instance;
    (void)pCreateInfo;
    (void)pAllocator;
    void *messenger = malloc(1); /* a handle of its own is all it needs */
    *pMessenger = (VkDebugUtilsMessengerEXT)messenger;
    return messenger ? VK_SUCCESS : VK_ERROR_OUT_OF_HOST_MEMORY;
}

VKAPI_ATTR void VKAPI_CALL
vd_vkDestroyDebugUtilsMessengerEXT(VkInstance instance, VkDebugUtilsMessengerEXT messenger,
                                   const VkAllocationCallbacks *pAllocator)
{
    (void)instance;
    (void)pAllocator;
    free((void *)messenger);
}

VKAPI_ATTR void VKAPI_CALL vd_vkSubmitDebugUtilsMessageEXT(
    VkInstance instance, VkDebugUtilsMessageSeverityFlagBitsEXT messageSeverity,
    VkDebugUtilsMessageTypeFlagsEXT messageTypes,
    const VkDebugUtilsMessengerCallbackDataEXT *pCallbackData)
{
    /* The loader has called the messengers already. */
    (void)instance;
    (void)messageSeverity;
    (void)messageTypes;
    (void)pCallbackData;
}

/* Whether an object exists on the host. */
static bool crosses(VkObjectType type)
{
    switch (vd_type_of_object(type)) {
    case VD_TYPE_NONE:
    case VD_TYPE_VkFence:
    case VD_TYPE_VkSurfaceKHR:
    case VD_TYPE_VkSwapchainKHR:
    case VD_TYPE_VkPrivateDataSlot:
    case VD_TYPE_VkDescriptorUpdateTemplate:
    case VD_TYPE_VkDebugUtilsMessengerEXT:
    case VD_TYPE_VkDebugReportCallbackEXT:
    case VD_TYPE_VkDeferredOperationKHR:
        return false;
    }
    return true;
}

VKAPI_ATTR VkResult VKAPI_CALL
vd_vkSetDebugUtilsObjectNameEXT(VkDevice device, const VkDebugUtilsObjectNameInfoEXT *pNameInfo)
{
    return crosses(pNameInfo->objectType) ? vd_call_vkSetDebugUtilsObjectNameEXT(device, pNameInfo)
                                          : VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL
vd_vkSetDebugUtilsObjectTagEXT(VkDevice device, const VkDebugUtilsObjectTagInfoEXT *pTagInfo)
{
    return crosses(pTagInfo->objectType) ? vd_call_vkSetDebugUtilsObjectTagEXT(device, pTagInfo)
                                         : VK_SUCCESS;
}

/* VK_EXT_debug_marker numbers the core types alike; its few others have no name to show. */
static bool marker_crosses(VkDebugReportObjectTypeEXT type)
{
    return type <= VK_DEBUG_REPORT_OBJECT_TYPE_COMMAND_POOL_EXT && crosses((VkObjectType)type);
}

VKAPI_ATTR VkResult VKAPI_CALL
vd_vkDebugMarkerSetObjectNameEXT(VkDevice device, const VkDebugMarkerObjectNameInfoEXT *pNameInfo)
{
    return marker_crosses(pNameInfo->objectType)
               ? vd_call_vkDebugMarkerSetObjectNameEXT(device, pNameInfo)
               : VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL
vd_vkDebugMarkerSetObjectTagEXT(VkDevice device, const VkDebugMarkerObjectTagInfoEXT *pTagInfo)
{
    return marker_crosses(pTagInfo->objectType)
               ? vd_call_vkDebugMarkerSetObjectTagEXT(device, pTagInfo)
               : VK_SUCCESS;
}
