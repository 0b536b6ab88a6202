/* SPDX-License-Identifier: MIT */
#include "shared_copy.h"

#include <stdlib.h>

#include "args.h"
#include "server/bounds.h"
#include "server/context_private.h"

void make_shared_copy(struct test_record *r, uint64_t image, uint64_t length, uint64_t pointer,
                      bool shares)
{
    const struct vd_args_vkCopyMemoryToImage args = {.device = HANDLE(VkDevice, DEVICE)};
    const VkCopyMemoryToImageInfo info = {.sType = VK_STRUCTURE_TYPE_COPY_MEMORY_TO_IMAGE_INFO,
                                          .dstImage = HANDLE(VkImage, image),
                                          .regionCount = 1};
    const VkMemoryToImageCopy region = {.sType = VK_STRUCTURE_TYPE_MEMORY_TO_IMAGE_COPY};
    const uint64_t bytes[] = {length, pointer};
    record_begin(r, VD_OP_vkCopyMemoryToImage, &args, sizeof(args), true);
    const uint32_t info_at = record_put(
        r, ARG(r, struct vd_args_vkCopyMemoryToImage, pCopyMemoryToImageInfo), &info, sizeof(info));
    const uint32_t region_at = record_put(r, info_at + offsetof(VkCopyMemoryToImageInfo, pRegions),
                                          &region, sizeof(region));
    record_put(r, region_at + offsetof(VkMemoryToImageCopy, pHostPointer), bytes, sizeof(bytes));
    ((struct vd_record *)r->bytes)->flags |= shares ? VD_RECORD_SHARES : 0;
}

bool client_add_image(struct test_client *client, uint64_t id)
{
    struct vds_image_facts *facts = calloc(1, sizeof(*facts)); /* the table's */
    if (!facts)
        return false;
    *facts = (struct vds_image_facts){.type = VK_IMAGE_TYPE_2D,
                                      .format = VK_FORMAT_R8G8B8A8_UNORM,
                                      .extent = {16, 16, 1},
                                      .levels = 1,
                                      .layers = 1,
                                      .memcpy_sizes = {{2000}}};
    return vds_object_add(&client->context->objects, id, 0x1000, vd_id_index(DEVICE), 0, facts);
}
