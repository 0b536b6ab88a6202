/* SPDX-License-Identifier: MIT
 *
 * Names and labels, on a host whose driver and layers have no use for them.
 */
#include "device.h"

static VKAPI_ATTR VkResult VKAPI_CALL set_name(VkDevice device,
                                               const VkDebugUtilsObjectNameInfoEXT *info)
{
    (void)device;
    (void)info;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL set_tag(VkDevice device,
                                              const VkDebugUtilsObjectTagInfoEXT *info)
{
    (void)device;
    (void)info;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL queue_label(VkQueue queue, const VkDebugUtilsLabelEXT *label)
{
    (void)queue;
    (void)label;
}

static VKAPI_ATTR void VKAPI_CALL queue_end(VkQueue queue)
{
    (void)queue;
}

static VKAPI_ATTR void VKAPI_CALL command_label(VkCommandBuffer command_buffer,
                                                const VkDebugUtilsLabelEXT *label)
{
    (void)command_buffer;
    (void)label;
}

static VKAPI_ATTR void VKAPI_CALL command_end(VkCommandBuffer command_buffer)
{
    (void)command_buffer;
}

void vds_debug_utils_stub(struct vds_device_dispatch *dispatch)
{
    dispatch->vkSetDebugUtilsObjectNameEXT = set_name;
    dispatch->vkSetDebugUtilsObjectTagEXT = set_tag;
    dispatch->vkQueueBeginDebugUtilsLabelEXT = queue_label;
    dispatch->vkQueueEndDebugUtilsLabelEXT = queue_end;
    dispatch->vkQueueInsertDebugUtilsLabelEXT = queue_label;
    dispatch->vkCmdBeginDebugUtilsLabelEXT = command_label;
    dispatch->vkCmdEndDebugUtilsLabelEXT = command_end;
    dispatch->vkCmdInsertDebugUtilsLabelEXT = command_label;
}
