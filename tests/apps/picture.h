/* SPDX-License-Identifier: MIT
 *
 * A picture written from an image.
 */
#ifndef TESTS_PICTURE_H
#define TESTS_PICTURE_H

#include "gpu.h"

/* Eight bits each of red, green, blue, alpha; rows from the top without gaps. */
struct picture {
    uint32_t width;
    uint32_t height;
    uint8_t *pixels;
};

/* The image must be in TRANSFER_SRC_OPTIMAL, with a colour format of four
 * times eight bits, and its writes must be available (a fence was waited for). */
void picture_init_from_image(const struct gpu *gpu, struct picture *picture, VkImage image,
                             VkFormat format, VkExtent2D extent);
void picture_init(struct picture *picture, uint32_t width, uint32_t height);
void picture_finish(struct picture *picture);
void picture_write(const struct picture *picture, const char *path);
uint64_t picture_checksum(const struct picture *picture);
bool picture_equal(const struct picture *a, const struct picture *b);
/* How many different colours, counting up to limit: a picture of one colour
 * would compare equal to another blank one. */
uint32_t picture_count_colours(const struct picture *picture, uint32_t limit);

#endif
