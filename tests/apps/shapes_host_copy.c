/* SPDX-License-Identifier: MIT
 *
 * Images that are copied from and to memory of the application.
 */
#include "copied.h"
#include "shapes.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Memory that ends where a page begins that nobody may touch. */
struct guarded {
    uint8_t *start;
    size_t mapped;
    uint8_t *bytes;
};

static void guarded_init(struct guarded *g, size_t size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    g->mapped = (size + page - 1) / page * page + page;
    g->start = mmap(NULL, g->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(g->start != MAP_FAILED, "no memory");
    expect(mprotect(g->start + g->mapped - page, page, PROT_NONE) == 0, "mprotect failed");
    g->bytes = g->start + g->mapped - page - size;
}

static void guarded_finish(struct guarded *g)
{
    munmap(g->start, g->mapped);
}

enum {
    LAYERS = 2
};

static void create(struct copied *copied, VkFormat format, VkExtent3D size)
{
    copied_init(&gpu, copied,
                &(struct copied_options){.format = format, .extent = size, .layers = LAYERS});
}

static void copy_through(VkFormat format, uint32_t block, uint32_t block_size, uint32_t row_length,
                         uint32_t image_height)
{
    const VkExtent3D size = {44, 20, 1};
    struct copied copied;
    create(&copied, format, size);

    /* Up to the last block of the last row of the last layer, and no byte more. */
    const uint32_t columns = size.width / block, rows = size.height / block;
    const size_t row = (size_t)(row_length ? row_length / block : columns) * block_size;
    const size_t layer = row * (image_height ? image_height / block : rows);
    const size_t bytes = (LAYERS - 1) * layer + (rows - 1) * row + (size_t)columns * block_size;
    struct guarded from, to;
    guarded_init(&from, bytes);
    guarded_init(&to, bytes);
    for (size_t i = 0; i < bytes; i++)
        from.bytes[i] = (uint8_t)mix32((uint32_t)i);
    memset(to.bytes, 0xa5, bytes);
    copy_in(&gpu, &copied, 0, from.bytes, row_length, image_height);
    copy_out(&gpu, &copied, 0, to.bytes, row_length, image_height);
    for (size_t i = 0; i < bytes; i++) {
        const bool inside =
            i % layer < rows * row && i % layer % row < (size_t)columns * block_size;
        const uint8_t want = inside ? from.bytes[i] : 0xa5;
        expect(to.bytes[i] == want, "format %d, row length %u: byte %zu is %#x instead of %#x%s",
               format, row_length, i, to.bytes[i], want, inside ? "" : ", between the rows");
    }
    guarded_finish(&to);
    guarded_finish(&from);
    copied_finish(&gpu, &copied);
}

/* As the driver lays images out, from one into another like it. */
static void copy_raw(void)
{
    LOAD(vkGetImageSubresourceLayout2EXT);
    const VkExtent3D size = {37, 19, 1};
    struct copied copied[2];
    for (int i = 0; i < 2; i++)
        create(&copied[i], VK_FORMAT_R8G8B8A8_UNORM, size);
    VkSubresourceHostMemcpySizeEXT raw = {
        .sType = VK_STRUCTURE_TYPE_SUBRESOURCE_HOST_MEMCPY_SIZE_EXT,
    };
    vkGetImageSubresourceLayout2EXT_(gpu.device, copied[0].image,
                                     &(VkImageSubresource2EXT){
                                         .sType = VK_STRUCTURE_TYPE_IMAGE_SUBRESOURCE_2_EXT,
                                         .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0},
                                     },
                                     &(VkSubresourceLayout2EXT){
                                         .sType = VK_STRUCTURE_TYPE_SUBRESOURCE_LAYOUT_2_EXT,
                                         .pNext = &raw,
                                     });
    const size_t bytes = (size_t)size.width * size.height * 4 * LAYERS;
    struct guarded from, between, to;
    guarded_init(&from, bytes);
    guarded_init(&between, raw.size * LAYERS);
    guarded_init(&to, bytes);
    for (size_t i = 0; i < bytes; i++)
        from.bytes[i] = (uint8_t)mix32((uint32_t)i);
    copy_in(&gpu, &copied[0], 0, from.bytes, 0, 0);
    copy_out(&gpu, &copied[0], VK_HOST_IMAGE_COPY_MEMCPY_EXT, between.bytes, 0, 0);
    copy_in(&gpu, &copied[1], VK_HOST_IMAGE_COPY_MEMCPY_EXT, between.bytes, 0, 0);
    copy_out(&gpu, &copied[1], 0, to.bytes, 0, 0);
    expect(memcmp(from.bytes, to.bytes, bytes) == 0, "a raw copy arrives different");
    guarded_finish(&to);
    guarded_finish(&between);
    guarded_finish(&from);
    for (int i = 0; i < 2; i++)
        copied_finish(&gpu, &copied[i]);
}

/* What the host has copied lies in mapped memory when the call returns. */
static void copy_in_view(void)
{
    enum {
        SIDE = 16,
        TURNS = 200
    };
    VkFormatProperties3 features = {.sType = VK_STRUCTURE_TYPE_FORMAT_PROPERTIES_3};
    vkGetPhysicalDeviceFormatProperties2(
        gpu.physical, VK_FORMAT_R8G8B8A8_UNORM,
        &(VkFormatProperties2){.sType = VK_STRUCTURE_TYPE_FORMAT_PROPERTIES_2, .pNext = &features});
    VkImageFormatProperties limits;
    if (!(features.linearTilingFeatures & VK_FORMAT_FEATURE_2_HOST_IMAGE_TRANSFER_BIT_EXT) ||
        vkGetPhysicalDeviceImageFormatProperties(
            gpu.physical, VK_FORMAT_R8G8B8A8_UNORM, VK_IMAGE_TYPE_2D, VK_IMAGE_TILING_LINEAR,
            VK_IMAGE_USAGE_HOST_TRANSFER_BIT_EXT, 0, &limits) != VK_SUCCESS ||
        limits.maxArrayLayers < LAYERS)
        return;
    struct copied copied;
    copied_init(
        &gpu, &copied,
        &(struct copied_options){
            .format = VK_FORMAT_R8G8B8A8_UNORM,
            .tiling = VK_IMAGE_TILING_LINEAR,
            .extent = {SIDE, SIDE, 1},
            .layers = LAYERS,
            .required = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
        });
    const uint8_t *map;
    must(vkMapMemory(gpu.device, copied.memory, 0, VK_WHOLE_SIZE, 0, (void **)&map));
    VkSubresourceLayout last;
    vkGetImageSubresourceLayout(gpu.device, copied.image,
                                &(VkImageSubresource){VK_IMAGE_ASPECT_COLOR_BIT, 0, LAYERS - 1},
                                &last);
    const VkDeviceSize end =
        last.offset + (SIDE - 1) * last.rowPitch + (SIDE - 1) * sizeof(uint32_t);
    for (uint32_t turn = 1; turn <= TURNS; turn++) {
        uint32_t texels[LAYERS * SIDE * SIDE], seen;
        for (uint32_t i = 0; i < LAYERS * SIDE * SIDE; i++)
            texels[i] = turn;
        copy_in(&gpu, &copied, 0, texels, 0, 0);
        memcpy(&seen, map + end, sizeof(seen));
        expect(seen == turn, "a copy is seen late");
    }
    copied_finish(&gpu, &copied);
}

void shapes_host_copy(void)
{
    copy_through(VK_FORMAT_R8_UNORM, 1, 1, 0, 0);
    copy_through(VK_FORMAT_R8G8B8A8_UNORM, 1, 4, 51, 0);
    copy_through(VK_FORMAT_R16G16B16A16_UINT, 1, 8, 0, 23);
    copy_through(VK_FORMAT_R32G32B32A32_UINT, 1, 16, 51, 23);
    /* Enough to be worth sharing. */
    copy_through(VK_FORMAT_R32G32B32A32_UINT, 1, 16, 0, 0);
    copy_through(VK_FORMAT_BC1_RGBA_UNORM_BLOCK, 4, 8, 0, 0);
    copy_through(VK_FORMAT_BC7_UNORM_BLOCK, 4, 16, 52, 24);
    copy_raw();
    copy_in_view();
}
