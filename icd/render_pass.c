/* SPDX-License-Identifier: MIT
 *
 * Which attachments a subpass has decides what a pipeline's create info may leave undefined.
 */
#include "render_pass.h"

#include <stdlib.h>

#include "calls.h"
#include "entrypoints.h"

struct vd_render_pass {
    uint32_t subpass_count;
    uint8_t uses[]; /* enum vd_subpass_use */
};

uint32_t vd_subpass_uses(struct vd_instance *instance, VkRenderPass handle, uint32_t subpass)
{
    const struct vd_render_pass *pass = vd_id_object(instance, (uint64_t)handle);
    return pass && subpass < pass->subpass_count ? pass->uses[subpass]
                                                 : VD_SUBPASS_COLOR | VD_SUBPASS_DEPTH_STENCIL;
}

static struct vd_render_pass *pass_create(uint32_t subpass_count)
{
    struct vd_render_pass *pass = calloc(1, sizeof(*pass) + subpass_count);
    if (pass)
        pass->subpass_count = subpass_count;
    return pass;
}

/* Of a VkSubpassDescription or a VkSubpassDescription2. */
#define NOTE_USES(uses, subpass)                                                   \
    do {                                                                           \
        for (uint32_t j = 0; j < (subpass).colorAttachmentCount; j++)              \
            if ((subpass).pColorAttachments[j].attachment != VK_ATTACHMENT_UNUSED) \
                (uses) |= VD_SUBPASS_COLOR;                                        \
        if ((subpass).pDepthStencilAttachment &&                                   \
            (subpass).pDepthStencilAttachment->attachment != VK_ATTACHMENT_UNUSED) \
            (uses) |= VD_SUBPASS_DEPTH_STENCIL;                                    \
    } while (0)

static VkResult keep(VkDevice device, VkResult result, struct vd_render_pass *pass,
                     const VkRenderPass *handle)
{
    if (result == VK_SUCCESS)
        vd_id_set_object(vd_instance_of(device), (uint64_t)*handle, pass);
    else
        free(pass);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkCreateRenderPass(VkDevice device,
                                                     const VkRenderPassCreateInfo *info,
                                                     const VkAllocationCallbacks *pAllocator,
                                                     VkRenderPass *pRenderPass)
{
    struct vd_render_pass *pass = pass_create(info->subpassCount);
    if (!pass)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    for (uint32_t i = 0; i < info->subpassCount; i++)
        NOTE_USES(pass->uses[i], info->pSubpasses[i]);
    return keep(device, vd_call_vkCreateRenderPass(device, info, pAllocator, pRenderPass), pass,
                pRenderPass);
}

VKAPI_ATTR VkResult VKAPI_CALL vd_vkCreateRenderPass2(VkDevice device,
                                                      const VkRenderPassCreateInfo2 *info,
                                                      const VkAllocationCallbacks *pAllocator,
                                                      VkRenderPass *pRenderPass)
{
    struct vd_render_pass *pass = pass_create(info->subpassCount);
    if (!pass)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    for (uint32_t i = 0; i < info->subpassCount; i++)
        NOTE_USES(pass->uses[i], info->pSubpasses[i]);
    return keep(device, vd_call_vkCreateRenderPass2(device, info, pAllocator, pRenderPass), pass,
                pRenderPass);
}

VKAPI_ATTR void VKAPI_CALL vd_vkDestroyRenderPass(VkDevice device, VkRenderPass renderPass,
                                                  const VkAllocationCallbacks *pAllocator)
{
    struct vd_render_pass *pass = vd_id_object(vd_instance_of(device), (uint64_t)renderPass);
    vd_call_vkDestroyRenderPass(device, renderPass, pAllocator);
    free(pass);
}
