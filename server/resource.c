/* SPDX-License-Identifier: MIT
 *
 * Creating buffers, images and query pools: what decoding has to know of them later, it cannot ask the
 * driver then.
 */
#include <stdlib.h>

#include "common/chain.h"

#include "args.h"
#include "bounds.h"
#include "device.h"
#include "execution.h"
#include "formats.h"
#include "replay.h"

static unsigned bits(uint32_t mask)
{
    return (unsigned)__builtin_popcount(mask);
}

void vds_call_vkCreateQueryPool(struct vds_execution *x, void *body)
{
    const struct vd_args_vkCreateQueryPool *a = body;
    const VkQueryPoolCreateInfo *info = a->pCreateInfo;
    x->result = x->device->vkCreateQueryPool(a->device, info, NULL, a->pQueryPool);
    struct vds_birth *birth = &x->decoder.plan.births[0];
    birth->size = info->queryCount;
    birth->kinds = info->queryType == VK_QUERY_TYPE_PIPELINE_STATISTICS
                       ? bits(info->pipelineStatistics)
                   : info->queryType == VK_QUERY_TYPE_TRANSFORM_FEEDBACK_STREAM_EXT ? 2
                                                                                    : 1;
}

void vds_call_vkCreateVideoSessionParametersKHR(struct vds_execution *x, void *body)
{
    const struct vd_args_vkCreateVideoSessionParametersKHR *a = body;
    if (!x->device->vkCreateVideoSessionParametersKHR) {
        vds_dec_fail(&x->decoder, "the host has no such command");
        return;
    }
    x->result = x->device->vkCreateVideoSessionParametersKHR(a->device, a->pCreateInfo, NULL,
                                                             a->pVideoSessionParameters);
#ifdef VK_KHR_video_encode_av1
    const VkVideoEncodeAV1SessionParametersCreateInfoKHR *av1 =
        vd_chain_find(a->pCreateInfo->pNext,
                      VK_STRUCTURE_TYPE_VIDEO_ENCODE_AV1_SESSION_PARAMETERS_CREATE_INFO_KHR);
    if (av1)
        x->decoder.plan.births[0].size = av1->stdOperatingPointCount;
#endif
}

void vds_call_vkCreateBuffer(struct vds_execution *x, void *body)
{
    const struct vd_args_vkCreateBuffer *a = body;
    x->result = x->device->vkCreateBuffer(a->device, a->pCreateInfo, NULL, a->pBuffer);
    if (x->result != VK_SUCCESS || !x->owner->limits.cpu)
        return;
    VkMemoryRequirements needs;
    x->device->vkGetBufferMemoryRequirements(a->device, *a->pBuffer, &needs);
    struct vds_birth *birth = &x->decoder.plan.births[0];
    birth->size = needs.size;
    birth->kinds = needs.memoryTypeBits;
}

/* Bytes of memory that an image, or one of its planes, needs. */
static uint64_t needs_of(const struct vds_execution *x, VkImage image, bool disjoint,
                         uint32_t plane, uint32_t *kinds)
{
    static const VkImageAspectFlagBits aspects[] = {
        VK_IMAGE_ASPECT_PLANE_0_BIT, VK_IMAGE_ASPECT_PLANE_1_BIT, VK_IMAGE_ASPECT_PLANE_2_BIT};
    const VkImagePlaneMemoryRequirementsInfo of_plane = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_PLANE_MEMORY_REQUIREMENTS_INFO,
        .planeAspect = aspects[plane],
    };
    const VkImageMemoryRequirementsInfo2 question = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_REQUIREMENTS_INFO_2,
        .pNext = disjoint ? &of_plane : NULL,
        .image = image,
    };
    VkMemoryRequirements2 needs = {.sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2};
    x->device->vkGetImageMemoryRequirements2(x->owner->handle, &question, &needs);
    *kinds = needs.memoryRequirements.memoryTypeBits;
    return needs.memoryRequirements.size;
}

/* What VK_HOST_IMAGE_COPY_MEMCPY copies. */
static uint64_t memcpy_size(const struct vds_execution *x, VkImage image, uint32_t level,
                            VkImageAspectFlags aspect)
{
    VkSubresourceHostMemcpySize size = {.sType = VK_STRUCTURE_TYPE_SUBRESOURCE_HOST_MEMCPY_SIZE};
    VkSubresourceLayout2 layout = {
        .sType = VK_STRUCTURE_TYPE_SUBRESOURCE_LAYOUT_2,
        .pNext = &size,
    };
    const VkImageSubresource2 question = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_SUBRESOURCE_2,
        .imageSubresource = {aspect, level, 0},
    };
    const PFN_vkGetImageSubresourceLayout2 get = x->device->vkGetImageSubresourceLayout2;
    if (!get)
        return UINT64_MAX;
    get(x->owner->handle, image, &question, &layout);
    return size.size;
}

/* The largest of an image's aspects that are not planes. */
static uint64_t largest_memcpy(const struct vds_execution *x, VkImage image, VkFormat format,
                               uint32_t level)
{
    const VkImageAspectFlags aspects[] = {VK_IMAGE_ASPECT_DEPTH_BIT, VK_IMAGE_ASPECT_STENCIL_BIT};
    if (format < VK_FORMAT_D16_UNORM || format > VK_FORMAT_D32_SFLOAT_S8_UINT)
        return memcpy_size(x, image, level, VK_IMAGE_ASPECT_COLOR_BIT);
    uint64_t largest = 0;
    for (unsigned i = 0; i < 2; i++) {
        const bool has = i ? format >= VK_FORMAT_S8_UINT : format != VK_FORMAT_S8_UINT;
        const uint64_t size = has ? memcpy_size(x, image, level, aspects[i]) : 0;
        largest = size > largest ? size : largest;
    }
    return largest;
}

static void measure(const struct vds_execution *x, VkImage image, const VkImageCreateInfo *info,
                    struct vds_image_facts *facts, uint32_t *kinds)
{
    static const VkImageAspectFlags planes[] = {
        VK_IMAGE_ASPECT_PLANE_0_BIT, VK_IMAGE_ASPECT_PLANE_1_BIT, VK_IMAGE_ASPECT_PLANE_2_BIT};
    const struct vd_format *format = vd_format_info(info->format);
    const uint32_t plane_count = format ? format->plane_count : 0;
    const bool disjoint = info->flags & VK_IMAGE_CREATE_DISJOINT_BIT && plane_count;
    for (uint32_t i = 0; x->owner->limits.cpu && i < (disjoint ? plane_count : 1); i++)
        facts->sizes[i] = needs_of(x, image, disjoint, i, kinds);
    if (!(info->usage & VK_IMAGE_USAGE_HOST_TRANSFER_BIT))
        return;
    for (uint32_t level = 0; level < info->mipLevels && level < 16; level++) {
        if (!plane_count)
            facts->memcpy_sizes[level][0] = largest_memcpy(x, image, info->format, level);
        for (uint32_t plane = 0; plane < plane_count; plane++)
            facts->memcpy_sizes[level][plane] = memcpy_size(x, image, level, planes[plane]);
    }
}

void vds_call_vkCreateImage(struct vds_execution *x, void *body)
{
    const struct vd_args_vkCreateImage *a = body;
    const VkImageCreateInfo *info = a->pCreateInfo;
    struct vds_image_facts *facts = NULL;
    if (x->owner->limits.cpu || info->usage & VK_IMAGE_USAGE_HOST_TRANSFER_BIT) {
        facts = calloc(1, sizeof(*facts));
        if (!facts) {
            x->result = VK_ERROR_OUT_OF_HOST_MEMORY;
            return;
        }
    }
    x->result = x->device->vkCreateImage(a->device, info, NULL, a->pImage);
    if (x->result != VK_SUCCESS) {
        free(facts);
        return;
    }
    if (!facts)
        return;
    facts->type = info->imageType;
    facts->format = info->format;
    facts->extent = info->extent;
    facts->levels = info->mipLevels;
    facts->layers = info->arrayLayers;
    struct vds_birth *birth = &x->decoder.plan.births[0];
    birth->data = facts;
    measure(x, *a->pImage, info, facts, &birth->kinds);
}
