/* SPDX-License-Identifier: MIT
 *
 * Names and labels, also on a host whose driver and layers have no use for them.
 */
#include "args.h"
#include "context_private.h"
#include "device.h"
#include "execution.h"
#include "flight.h"
#include "objects.h"
#include "replay.h"

void vds_call_vkSetDebugUtilsObjectNameEXT(struct vds_execution *x, void *body)
{
    struct vd_args_vkSetDebugUtilsObjectNameEXT *a = body;
    if (!x->device->vkSetDebugUtilsObjectNameEXT) {
        vds_dec_fail(&x->decoder, "the host has no such command");
        return;
    }
    const VkDebugUtilsObjectNameInfoEXT *info = a->pNameInfo;
    vds_flight_name(x->context->flight, vd_type_of_object(info->objectType), info->objectHandle,
                    info->pObjectName);
    x->result = x->device->vkSetDebugUtilsObjectNameEXT(a->device, info);
}

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
