/* SPDX-License-Identifier: MIT
 *
 * Names and labels travel to the host, so that its tools show them. Messages come from the loader
 * and from layers on the application's side; the driver itself has none.
 */
#include <stdlib.h>

#include "entrypoints.h"

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkCreateDebugUtilsMessengerEXT(
    VkInstance instance, const VkDebugUtilsMessengerCreateInfoEXT *pCreateInfo,
    const VkAllocationCallbacks *pAllocator, VkDebugUtilsMessengerEXT *pMessenger)
{
    (void)instance;
    (void)pCreateInfo;
    (void)pAllocator;
    void *messenger = malloc(1); /* a handle of its own is all it needs */
    *pMessenger = (VkDebugUtilsMessengerEXT)(uintptr_t)messenger;
    return messenger ? VK_SUCCESS : VK_ERROR_OUT_OF_HOST_MEMORY;
}

VKAPI_ATTR void VKAPI_CALL
vdc_vkDestroyDebugUtilsMessengerEXT(VkInstance instance, VkDebugUtilsMessengerEXT messenger,
                                    const VkAllocationCallbacks *pAllocator)
{
    (void)instance;
    (void)pAllocator;
    free((void *)(uintptr_t)messenger);
}

VKAPI_ATTR void VKAPI_CALL vdc_vkSubmitDebugUtilsMessageEXT(
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
