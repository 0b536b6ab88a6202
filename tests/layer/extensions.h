/* SPDX-License-Identifier: MIT
 *
 * Device extensions that a layer adds to a driver which has not got them.
 */
#ifndef TESTS_LAYER_EXTENSIONS_H
#define TESTS_LAYER_EXTENSIONS_H

#include <stdbool.h>
#include <stdlib.h>

#include "layer.h"

struct added {
    const char *layer; /* its name */
    const VkExtensionProperties *extensions;
    size_t count;
};

/* The driver's, and those of the layer. */
static inline VkResult enumerate_added(const struct added *added,
                                       PFN_vkEnumerateDeviceExtensionProperties below,
                                       VkPhysicalDevice physical, const char *layer,
                                       uint32_t *count, VkExtensionProperties *properties)
{
    const uint32_t room = *count;
    *count = 0;
    if (!layer || strcmp(layer, added->layer) != 0) {
        *count = properties ? room : 0;
        const VkResult result = below(physical, layer, count, properties);
        if (result != VK_SUCCESS || layer)
            return result;
    }
    for (size_t i = 0; i < added->count; i++, ++*count) {
        if (properties && *count == room)
            return VK_INCOMPLETE;
        if (properties)
            properties[*count] = added->extensions[i];
    }
    return VK_SUCCESS;
}

/* Leaves them out of what the driver is asked for, which has not got them. The caller frees what
 * ppEnabledExtensionNames is then. True: there was one. */
static inline bool leave_out_added(const struct added *added, VkDeviceCreateInfo *info)
{
    const char **names = calloc(info->enabledExtensionCount + 1, sizeof(*names));
    uint32_t kept = 0;
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++) {
        size_t ours = 0;
        while (ours < added->count &&
               strcmp(info->ppEnabledExtensionNames[i], added->extensions[ours].extensionName) != 0)
            ours++;
        if (ours == added->count)
            names[kept++] = info->ppEnabledExtensionNames[i];
    }
    const bool any = kept < info->enabledExtensionCount;
    info->enabledExtensionCount = kept;
    info->ppEnabledExtensionNames = names;
    return any;
}

#endif
