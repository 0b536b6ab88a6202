/* SPDX-License-Identifier: MIT */
#include "picture.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

void picture_init(struct picture *picture, uint32_t width, uint32_t height)
{
    *picture = (struct picture){
        .width = width,
        .height = height,
        .pixels = calloc((size_t)width * height, 4),
    };
    expect(picture->pixels, "no memory for a picture of %ux%u", width, height);
}

void picture_finish(struct picture *picture)
{
    free(picture->pixels);
    *picture = (struct picture){0};
}

void picture_init_from_image(const struct gpu *gpu, struct picture *picture, VkImage image,
                             VkFormat format, VkExtent2D extent)
{
    const size_t size = (size_t)extent.width * extent.height * 4;
    struct buffer readback;
    buffer_init_host(gpu, &readback, size, VK_BUFFER_USAGE_TRANSFER_DST_BIT);

    const VkCommandBuffer commands = commands_begin(gpu);
    vkCmdCopyImageToBuffer(
        commands, image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, readback.handle, 1,
        &(VkBufferImageCopy){
            .imageSubresource = {.aspectMask = VK_IMAGE_ASPECT_COLOR_BIT, .layerCount = 1},
            .imageExtent = {extent.width, extent.height, 1},
        });
    memory_barrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                   VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    commands_finish(gpu, commands);

    picture_init(picture, extent.width, extent.height);
    memcpy(picture->pixels, readback.map, size);
    if (format == VK_FORMAT_B8G8R8A8_UNORM || format == VK_FORMAT_B8G8R8A8_SRGB) {
        for (size_t i = 0; i < size; i += 4) {
            const uint8_t blue = picture->pixels[i];
            picture->pixels[i] = picture->pixels[i + 2];
            picture->pixels[i + 2] = blue;
        }
    }
    buffer_finish(gpu, &readback);
}

void picture_write(const struct picture *picture, const char *path)
{
    png_image png = {
        .version = PNG_IMAGE_VERSION,
        .width = picture->width,
        .height = picture->height,
        .format = PNG_FORMAT_RGBA,
    };
    expect(png_image_write_to_file(&png, path, 0, picture->pixels, 0, NULL), "cannot write %s: %s",
           path, png.message);
}

uint64_t picture_checksum(const struct picture *picture)
{
    return fnv1a(picture->pixels, (size_t)picture->width * picture->height * 4);
}

bool picture_equal(const struct picture *a, const struct picture *b)
{
    return a->width == b->width && a->height == b->height &&
           memcmp(a->pixels, b->pixels, (size_t)a->width * a->height * 4) == 0;
}

uint32_t picture_count_colours(const struct picture *picture, uint32_t limit)
{
    uint32_t *seen = calloc(limit + 1, sizeof(*seen));
    uint32_t count = 0;
    const size_t pixel_count = (size_t)picture->width * picture->height;
    for (size_t i = 0; i < pixel_count && count < limit; i++) {
        uint32_t colour;
        memcpy(&colour, picture->pixels + 4 * i, sizeof(colour));
        uint32_t j = 0;
        while (j < count && seen[j] != colour)
            j++;
        if (j == count)
            seen[count++] = colour;
    }
    free(seen);
    return count;
}
