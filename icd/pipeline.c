/* SPDX-License-Identifier: MIT
 *
 * VkGraphicsPipelineCreateInfo has many members that the specification ignores in some case, and
 * that may then hold anything. What is ignored is left out before it is encoded, also where only the
 * pipeline's key or its binaries are asked for.
 */
#include <stdlib.h>

#include "call.h"
#include "calls.h"
#include "chain.h"
#include "entrypoints.h"
#include "render_pass.h"

/* What the members of a create info depend on. */
struct traits {
    VkGraphicsPipelineLibraryFlagsEXT parts;
    VkShaderStageFlags stages;
    bool discard;
    bool dynamic_vertex_input;
    bool dynamic_viewports, dynamic_viewport_count;
    bool dynamic_scissors, dynamic_scissor_count;
    const VkPipelineRenderingCreateInfo *rendering;
};

#define ALL_PARTS                                                     \
    (VK_GRAPHICS_PIPELINE_LIBRARY_VERTEX_INPUT_INTERFACE_BIT_EXT |    \
     VK_GRAPHICS_PIPELINE_LIBRARY_PRE_RASTERIZATION_SHADERS_BIT_EXT | \
     VK_GRAPHICS_PIPELINE_LIBRARY_FRAGMENT_SHADER_BIT_EXT |           \
     VK_GRAPHICS_PIPELINE_LIBRARY_FRAGMENT_OUTPUT_INTERFACE_BIT_EXT)

static struct traits traits_of(const VkGraphicsPipelineCreateInfo *info)
{
    struct traits t = {.parts = ALL_PARTS};
    const VkGraphicsPipelineLibraryCreateInfoEXT *library = NULL;
    for (const VkBaseInStructure *in = info->pNext; in; in = in->pNext)
        if (in->sType == VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_LIBRARY_CREATE_INFO_EXT)
            library = (const VkGraphicsPipelineLibraryCreateInfoEXT *)in;
        else if (in->sType == VK_STRUCTURE_TYPE_PIPELINE_LIBRARY_CREATE_INFO_KHR &&
                 ((const VkPipelineLibraryCreateInfoKHR *)in)->libraryCount)
            t.parts = 0; /* everything comes from the libraries, unless said otherwise */
        else if (in->sType == VK_STRUCTURE_TYPE_PIPELINE_RENDERING_CREATE_INFO)
            t.rendering = (const VkPipelineRenderingCreateInfo *)in;
    if (library)
        t.parts = library->flags;
    if (t.parts & (VK_GRAPHICS_PIPELINE_LIBRARY_PRE_RASTERIZATION_SHADERS_BIT_EXT |
                   VK_GRAPHICS_PIPELINE_LIBRARY_FRAGMENT_SHADER_BIT_EXT))
        for (uint32_t i = 0; i < info->stageCount; i++)
            t.stages |= info->pStages[i].stage;
    bool dynamic_discard = false;
    for (uint32_t i = 0; info->pDynamicState && i < info->pDynamicState->dynamicStateCount; i++) {
        switch ((int)info->pDynamicState->pDynamicStates[i]) {
        case VK_DYNAMIC_STATE_VIEWPORT_WITH_COUNT:
            t.dynamic_viewports = t.dynamic_viewport_count = true;
            break;
        case VK_DYNAMIC_STATE_VIEWPORT:
            t.dynamic_viewports = true;
            break;
        case VK_DYNAMIC_STATE_SCISSOR_WITH_COUNT:
            t.dynamic_scissors = t.dynamic_scissor_count = true;
            break;
        case VK_DYNAMIC_STATE_SCISSOR:
            t.dynamic_scissors = true;
            break;
        case VK_DYNAMIC_STATE_VERTEX_INPUT_EXT:
            t.dynamic_vertex_input = true;
            break;
        case VK_DYNAMIC_STATE_RASTERIZER_DISCARD_ENABLE:
            dynamic_discard = true;
            break;
        }
    }
    t.discard = (t.parts & VK_GRAPHICS_PIPELINE_LIBRARY_PRE_RASTERIZATION_SHADERS_BIT_EXT) &&
                info->pRasterizationState && !dynamic_discard &&
                info->pRasterizationState->rasterizerDiscardEnable;
    return t;
}

/* What stands in for parts of a create info that had to be changed. */
struct changed {
    VkPipelineViewportStateCreateInfo viewport;
    VkBaseOutStructure *chain; /* to be freed */
};

/* Formats are ignored beside a render pass, and by parts that do not write attachments. False: no
 * memory. */
static bool sanitise_rendering(VkGraphicsPipelineCreateInfo *info, const struct traits *t,
                               struct changed *changed)
{
    const bool output_part =
        t->parts & VK_GRAPHICS_PIPELINE_LIBRARY_FRAGMENT_OUTPUT_INTERFACE_BIT_EXT;
    if (!t->rendering || (output_part && !info->renderPass))
        return true;
    changed->chain = vdc_chain_copy(info->pNext);
    if (!changed->chain)
        return false;
    info->pNext = changed->chain;
    VkBaseOutStructure *link = changed->chain;
    while (link->sType != VK_STRUCTURE_TYPE_PIPELINE_RENDERING_CREATE_INFO)
        link = link->pNext;
    VkPipelineRenderingCreateInfo *rendering = (VkPipelineRenderingCreateInfo *)link;
    *rendering = (VkPipelineRenderingCreateInfo){
        .sType = rendering->sType,
        .pNext = rendering->pNext,
        .viewMask = info->renderPass ? 0 : rendering->viewMask,
    };
    return true;
}

/* The struct holds what is needed; false: no memory. */
static bool sanitise(struct vdc_instance *instance, VkGraphicsPipelineCreateInfo *info,
                     struct changed *changed)
{
    const struct traits t = traits_of(info);
    const uint32_t uses = vdc_subpass_uses(instance, info->renderPass, info->subpass);
    VkPipelineViewportStateCreateInfo *viewport = &changed->viewport;
    const bool vertex_part = t.parts & VK_GRAPHICS_PIPELINE_LIBRARY_VERTEX_INPUT_INTERFACE_BIT_EXT;
    const bool raster_part =
        t.parts & VK_GRAPHICS_PIPELINE_LIBRARY_PRE_RASTERIZATION_SHADERS_BIT_EXT;
    const bool fragment_part = t.parts & VK_GRAPHICS_PIPELINE_LIBRARY_FRAGMENT_SHADER_BIT_EXT;
    const bool output_part =
        t.parts & VK_GRAPHICS_PIPELINE_LIBRARY_FRAGMENT_OUTPUT_INTERFACE_BIT_EXT;
    const bool mesh = t.stages & (VK_SHADER_STAGE_MESH_BIT_EXT | VK_SHADER_STAGE_TASK_BIT_EXT);
    /* A render pass says whether there is an attachment; where there is none, formats do. */
    const bool depthless = info->renderPass
                               ? !(uses & VDC_SUBPASS_DEPTH_STENCIL)
                               : output_part && t.rendering &&
                                     t.rendering->depthAttachmentFormat == VK_FORMAT_UNDEFINED &&
                                     t.rendering->stencilAttachmentFormat == VK_FORMAT_UNDEFINED;
    const bool colourless =
        info->renderPass ? !(uses & VDC_SUBPASS_COLOR)
                         : output_part && (!t.rendering || !t.rendering->colorAttachmentCount);

    if (!raster_part && !fragment_part)
        info->stageCount = 0;
    if (!vertex_part || mesh || t.dynamic_vertex_input)
        info->pVertexInputState = NULL;
    if (!vertex_part || mesh)
        info->pInputAssemblyState = NULL;
    if (!raster_part || !(t.stages & VK_SHADER_STAGE_TESSELLATION_CONTROL_BIT))
        info->pTessellationState = NULL;
    if (!raster_part)
        info->pRasterizationState = NULL;
    if (!raster_part || t.discard)
        info->pViewportState = NULL;
    if ((!fragment_part && !output_part) || t.discard)
        info->pMultisampleState = NULL;
    if (!fragment_part || t.discard || depthless)
        info->pDepthStencilState = NULL;
    if (!output_part || t.discard || colourless)
        info->pColorBlendState = NULL;

    if (info->pViewportState && (t.dynamic_viewports || t.dynamic_scissors)) {
        *viewport = *info->pViewportState;
        if (t.dynamic_viewports)
            viewport->pViewports = NULL;
        if (t.dynamic_viewport_count)
            viewport->viewportCount = 0;
        if (t.dynamic_scissors)
            viewport->pScissors = NULL;
        if (t.dynamic_scissor_count)
            viewport->scissorCount = 0;
        info->pViewportState = viewport;
    }
    return sanitise_rendering(info, &t, changed);
}

/* A pipeline's create info in a chain. */
struct chained {
    VkPipelineCreateInfoKHR head;
    VkGraphicsPipelineCreateInfo info;
    struct changed changed; /* its chain is to be freed */
};

/* Leaves a chain that needs no change, or NULL, as it is. False: no memory. */
static bool sanitise_chained(VkDevice device, const VkPipelineCreateInfoKHR **head,
                             struct chained *chained)
{
    const VkGraphicsPipelineCreateInfo *info = *head ? (*head)->pNext : NULL;
    if (!info || info->sType != VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO)
        return true;
    chained->info = *info;
    chained->head = **head;
    chained->head.pNext = &chained->info;
    *head = &chained->head;
    return sanitise(vdc_instance_of(device), &chained->info, &chained->changed);
}

VKAPI_ATTR VkResult VKAPI_CALL
vdc_vkGetPipelineKeyKHR(VkDevice device, const VkPipelineCreateInfoKHR *pPipelineCreateInfo,
                        VkPipelineBinaryKeyKHR *pPipelineKey)
{
    struct chained chained = {0};
    VkResult result = VK_ERROR_OUT_OF_HOST_MEMORY;
    if (sanitise_chained(device, &pPipelineCreateInfo, &chained))
        result = vdc_call_vkGetPipelineKeyKHR(device, pPipelineCreateInfo, pPipelineKey);
    free(chained.changed.chain);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkCreatePipelineBinariesKHR(
    VkDevice device, const VkPipelineBinaryCreateInfoKHR *pCreateInfo,
    const VkAllocationCallbacks *pAllocator, VkPipelineBinaryHandlesInfoKHR *pBinaries)
{
    struct chained chained = {0};
    VkPipelineBinaryCreateInfoKHR info = *pCreateInfo;
    VkResult result = VK_ERROR_OUT_OF_HOST_MEMORY;
    if (sanitise_chained(device, &info.pPipelineCreateInfo, &chained))
        result = vdc_call_vkCreatePipelineBinariesKHR(device, &info, pAllocator, pBinaries);
    free(chained.changed.chain);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkCreateGraphicsPipelines(
    VkDevice device, VkPipelineCache pipelineCache, uint32_t createInfoCount,
    const VkGraphicsPipelineCreateInfo *pCreateInfos, const VkAllocationCallbacks *pAllocator,
    VkPipeline *pPipelines)
{
    struct {
        VkGraphicsPipelineCreateInfo info;
        struct changed changed;
    } one = {0};
    VkGraphicsPipelineCreateInfo *infos = &one.info;
    struct changed *changed = &one.changed;
    if (createInfoCount > 1) {
        infos = calloc(createInfoCount, sizeof(*infos) + sizeof(*changed));
        if (!infos)
            return VK_ERROR_OUT_OF_HOST_MEMORY;
        changed = (struct changed *)(infos + createInfoCount);
    }
    VkResult result = VK_SUCCESS;
    for (uint32_t i = 0; i < createInfoCount; i++) {
        infos[i] = pCreateInfos[i];
        if (!sanitise(vdc_instance_of(device), &infos[i], &changed[i]))
            result = VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    if (result == VK_SUCCESS)
        result = vdc_call_vkCreateGraphicsPipelines(device, pipelineCache, createInfoCount, infos,
                                                    pAllocator, pPipelines);
    for (uint32_t i = 0; i < createInfoCount; i++)
        free(changed[i].chain);
    if (infos != &one.info)
        free(infos);
    return result;
}
