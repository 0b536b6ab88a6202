/* SPDX-License-Identifier: MIT
 *
 * Which attachments a subpass has decides what a pipeline's create info may leave undefined.
 */
#include "render_pass.h"

#include <stdlib.h>

#include "calls.h"
#include "entrypoints.h"

struct vdc_render_pass {
    uint32_t subpass_count;
    uint8_t uses[]; /* enum vdc_subpass_use */
};

uint32_t vdc_subpass_uses(struct vdc_instance *instance, VkRenderPass handle, uint32_t subpass)
{
    const struct vdc_render_pass *pass = vdc_id_object(instance, (uint64_t)handle);
    return pass && subpass < pass->subpass_count ? pass->uses[subpass]
                                                 : VDC_SUBPASS_COLOR | VDC_SUBPASS_DEPTH_STENCIL;
}

static struct vdc_render_pass *pass_create(uint32_t subpass_count)
{
    struct vdc_render_pass *pass = calloc(1, sizeof(*pass) + subpass_count);
    if (pass)
        pass->subpass_count = subpass_count;
    return pass;
}

/* Of a VkSubpassDescription or a VkSubpassDescription2. */
#define NOTE_USES(uses, subpass)                                                   \
    do {                                                                           \
        for (uint32_t j = 0; j < (subpass).colorAttachmentCount; j++)              \
            if ((subpass).pColorAttachments[j].attachment != VK_ATTACHMENT_UNUSED) \
                (uses) |= VDC_SUBPASS_COLOR;                                       \
        if ((subpass).pDepthStencilAttachment &&                                   \
            (subpass).pDepthStencilAttachment->attachment != VK_ATTACHMENT_UNUSED) \
            (uses) |= VDC_SUBPASS_DEPTH_STENCIL;                                   \
    } while (0)

static VkResult keep(VkDevice device, VkResult result, struct vdc_render_pass *pass,
                     const VkRenderPass *handle)
{
    if (result == VK_SUCCESS)
        vdc_id_set_object(vdc_instance_of(device), (uint64_t)*handle, pass);
    else
        free(pass);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkCreateRenderPass(VkDevice device,
                                                      const VkRenderPassCreateInfo *info,
                                                      const VkAllocationCallbacks *pAllocator,
                                                      VkRenderPass *pRenderPass)
{
    struct vdc_render_pass *pass = pass_create(info->subpassCount);
    if (!pass)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    for (uint32_t i = 0; i < info->subpassCount; i++)
        NOTE_USES(pass->uses[i], info->pSubpasses[i]);
    return keep(device, vdc_call_vkCreateRenderPass(device, info, pAllocator, pRenderPass), pass,
                pRenderPass);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkCreateRenderPass2(VkDevice device,
                                                       const VkRenderPassCreateInfo2 *info,
                                                       const VkAllocationCallbacks *pAllocator,
                                                       VkRenderPass *pRenderPass)
{
    struct vdc_render_pass *pass = pass_create(info->subpassCount);
    if (!pass)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    for (uint32_t i = 0; i < info->subpassCount; i++)
        NOTE_USES(pass->uses[i], info->pSubpasses[i]);
    return keep(device, vdc_call_vkCreateRenderPass2(device, info, pAllocator, pRenderPass), pass,
                pRenderPass);
}

VKAPI_ATTR void VKAPI_CALL vdc_vkDestroyRenderPass(VkDevice device, VkRenderPass renderPass,
                                                   const VkAllocationCallbacks *pAllocator)
{
    struct vdc_render_pass *pass = vdc_id_object(vdc_instance_of(device), (uint64_t)renderPass);
    vdc_call_vkDestroyRenderPass(device, renderPass, pAllocator);
    free(pass);
}
