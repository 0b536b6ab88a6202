/* SPDX-License-Identifier: MIT */
#include "asks.h"

#include <stdint.h>

/* Texels that are copied sooner than an answer has come. */
#define COPY_TEXELS (UINT64_C(128) * 128)

bool vdc_asks_copy(const VkCopyMemoryToImageInfo *info)
{
    uint64_t texels = 0;
    for (uint32_t i = 0; i < info->regionCount; i++) {
        const VkMemoryToImageCopy *region = &info->pRegions[i];
        texels += (uint64_t)region->imageExtent.width * region->imageExtent.height *
                  region->imageExtent.depth * region->imageSubresource.layerCount;
    }
    return texels > COPY_TEXELS;
}
